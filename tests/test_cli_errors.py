"""What the user got wrong: one line on standard error that says what, status 2, and no traceback."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.experiments import in_splits, questions, write_rows
from w2s.cli import main
from w2s.errors import InputError, unknown_name

CSV = "question,choices,answer\nWhich is a metal?,iron|wool,iron\n"
ROW = {"question": "Which is a metal?", "choices": ["iron", "wool"], "answer": "iron"}


def refused(words: list[str], capsys: pytest.CaptureFixture[str], *, status: int = 2) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert ended.value.code == status, err
    # What the library has to say of the data may come first, indented.
    *said, last = err.splitlines(keepends=True)
    assert all(line.startswith("    ") for line in said), err
    assert last.endswith("\n") and last.startswith("w2s: "), err
    assert "Traceback" not in err and "<class" not in err and "typing." not in err
    assert out == ""
    return last.removeprefix("w2s: ").rstrip("\n")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own: nothing that is refused may leave anything there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> list[str]:
    """A run that would go through."""
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    models = [f"--{who}.name={tiny_llama}" for who in ("weak", "strong")]
    sizes = ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", "--task.num_variations=3"]
    return ["run", "--task.name=file", f"--task.data={data}", *sizes, *models]


# Names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "unknown command 'rnu': … did you mean 'run'?"),
        (["--task.name=mmlu"], "unknown command '--task.name=mmlu': expected one of run, …"),
        (["run", "--task.name", "hellaswga"], "unknown task 'hellaswga': … did you mean 'hellaswag'?"),
        (["label", "--task.name=geograpy"], "unknown task 'geograpy': … did you mean 'geography'?"),
        (["tasks", "ehtics"], "unknown task 'ehtics': … did you mean 'ethics'?"),
        (["run", "--weak.name=smolm2-135m"], "unknown model 'smolm2-135m': … did you mean 'smollm2-135m'?"),
        (["run", "--strong.name=xyz"], "unknown model 'xyz': expected one of smollm2-135m, …"),
        (["label", "--model.name", "gemma3-270"], "unknown model 'gemma3-270': … did you mean 'gemma3-270m'?"),
        (["run", "--methods", "[naive, reweigting]"], "unknown method 'reweigting': … did you mean 'reweighting'?"),
        (["run", "--preset", "papr"], "unknown preset 'papr': expected one of small, paper; did you mean 'paper'?"),
        (["run", "--task.tset=3"], "unknown option --task.tset: … did you mean --task.test?"),
        (["score", "a.csv", "--temprature", "1"], "unknown option --temprature: … did you mean --temperature?"),
        (["doctor", "--verbose"], "unknown option --verbose: w2s doctor --help lists them"),
        (["run", "--methods", "[{method: filtering, quantil: 0.5}]"], "… 'quantil': … did you mean 'quantile'?"),
        (["run", "--methods", "[{method: naive, quantile: 0.5}]"], "method 'naive' has no settings: …"),
        (["run", "--methods", "[{method: filtering, quantile: 2}]"], "quantile 2: expected a number from 0 to 1"),
        (["run", "--methods", "[{method: filterng}]"], "… did you mean 'filtering'?"),
        (["run", "--task.templates", "{txt: x}"], "unknown template of task geography 'txt': … did you mean 'text'?"),
        (
            ["run", "--task.templates", "{text: '{question} {optoins}'}"],
            "unknown field of template 'text' 'optoins': … did you mean 'options'?",
        ),
        (["run", "--task.templates", "{text: '{question}'}"], "template 'text' does not say where the options goes: …"),
        (["label", "--split", "tranfer"], "unknown split 'tranfer': … did you mean 'transfer'?"),
        (["evaluate", "--split", "train"], "unknown split 'train': … did you mean 'weak_train'?"),
        (["run", "--task.answer_format", "leter"], "task.answer_format is 'leter': … did you mean 'letter'?"),
        (["run", "--answering.mode", "chose"], "answering.mode is 'chose': … did you mean 'choose'?"),
        (["run", "--reliability.unparsed", "xyz"], "… is 'xyz': expected one of class, drop_question, drop_answer"),
        (["run", "--weak.dtype", "bfloat"], "weak.dtype is 'bfloat': … did you mean 'bfloat16'?"),
        (["label", "--answering.mode", "generat"], "answering.mode is 'generat': … did you mean 'generate'?"),
    ],
)
def test_a_name_that_does_not_exist_is_named_with_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = refused(words, capsys)
    for part in said.split("…"):
        assert part.strip() in found


def test_a_rule_for_unparsed_answers_that_does_not_exist_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,a\n")
    said = refused(["score", "a.csv", "--unparsed", "drop_answers"], capsys)
    assert "'drop_answers'" in said and "did you mean 'drop_answer'?" in said


def test_a_method_that_does_not_select_from_a_table_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,a\n")
    assert "did you mean 'majority'?" in refused(["select", "a.csv", "--method=majorty", "--out=b.csv"], capsys)
    assert "use w2s run" in refused(["select", "a.csv", "--method=oracle", "--out=b.csv"], capsys)


def test_a_name_that_is_like_none_gets_no_guess() -> None:
    assert str(unknown_name("task", "zzz", ["mmlu", "file"])) == "unknown task 'zzz': expected one of mmlu, file"


# Types and ranges


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--task.test", "many"], "task.test is 'many': expected a whole number or all"),
        (["run", "--seeds", "x"], "seeds is 'x': expected a list, such as [a, b]"),
        (["run", "--methods", "naive"], "methods is 'naive': expected a list, such as [a, b]"),
        (["run", "--weak.examples", "1.5"], "weak.examples is '1.5': expected a whole number"),
        (["run", "--student_training.learning_rate", "fast"], "… is 'fast': expected a number"),
        (["score", "a.csv", "--temperature", "hot"], "temperature is 'hot': expected a number"),
        (["run", "--student_training.epochs", "0"], "epochs is 0: expected at least 1"),
        (["run", "--student_training.lora.rank", "0"], "rank is 0: expected at least 1"),
        (["run", "--evaluation.tokens_per_batch", "0"], "tokens_per_batch is 0: expected at least 1"),
        (["run", "--reliability.temperature", "0"], "temperature is 0.0: expected above 0"),
        (["run", "--weak.examples", "2"], "weak.examples is 2: source trained shows none, prompted does"),
        (["run", "--compare", "[naive]"], "compare is ['naive']: expected two methods, …"),
        (["run", "--seeds", "[]"], "seeds is empty: expected at least one"),
        (["run", "--seeds", "[1, 1]"], "seeds names 1 more than once"),
        (["run", "--task.num_variations", "0"], "num_variations is 0: expected 1 or more"),
        (["run", "--task.test", "-3"], "test is -3: expected a number of questions, or 'all'"),
        (["run", "--task", "3"], "task is a group of settings: …"),
        (["run", "more"], "unrecognized arguments: more"),
        (["score"], "the following arguments are required: answers"),
        (["select", "a.csv", "--out", "b.csv"], "the following arguments are required: method"),
        (["train", "a.csv"], "the following arguments are required: out"),
    ],
)
def test_a_value_of_another_kind_is_told_what_was_expected(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tiny_llama: Path
) -> None:
    models = [f"--{who}.name={tiny_llama}" for who in ("weak", "strong")] if words[0] == "run" else []
    found = refused([*words, *models], capsys)
    assert all(part.strip() in found for part in said.split("…"))


# Settings files


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file: settings.yaml"),
        ("", "settings.yaml is empty: expected settings"),
        ("# nothing yet\n", "settings.yaml is empty: expected settings"),
        ("a: [1\nb: }{", "settings.yaml is not YAML: "),
        ("- 1\n", "settings.yaml holds a list: expected settings"),
        ("just words\n", "settings.yaml holds a str: expected settings"),
        ("sede: 1\n", "unknown setting sede: w2s run --help lists them; did you mean seeds?"),
        ("task: {nmae: mmlu}\n", "unknown setting task.nmae: w2s run --help lists them; did you mean task.name?"),
        ("student_training: {lora: {rnk: 3}}\n", "did you mean student_training.lora.rank?"),
        ("task: 3\n", "task is 3 in settings.yaml: expected settings below it"),
        ("task: {test: many}\n", "task.test is 'many': expected a whole number or all"),
        ("task: {name: mmul}\n", "unknown task 'mmul': "),
        ("seeds: 1\n", "seeds is '1': expected a list"),
    ],
)
def test_a_settings_file_that_is_wrong_is_told_where(
    content: str | None, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (here / "settings.yaml").write_text(content)
    assert said in refused(["run", "--config", "settings.yaml"], capsys)
    assert said in refused(["run", "--config=settings.yaml", "--dry-run"], capsys)


@pytest.mark.parametrize("command", [["label"], ["evaluate"], ["train", "a.jsonl", "--out", "o"]])
def test_a_settings_file_of_a_stage_is_read_as_strictly(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "settings.yaml").write_text("modl: {name: x}\n")
    assert "unknown setting modl" in refused([*command, "--config", "settings.yaml"], capsys)
    (here / "settings.yaml").write_text("{")
    assert "is not YAML" in refused([*command, "--config", "settings.yaml"], capsys)


# A user's own questions


def rows(change: Callable[[dict[str, Any]], object]) -> str:
    """Two rows, of which the second is not as it should be."""
    other: dict[str, Any] = {**ROW, "question": "Which one floats?"}
    change(other)
    return "".join(json.dumps(row) + "\n" for row in (ROW, other))


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda row: row.pop(name)


def having(values: Mapping[str, Any]) -> Callable[[dict[str, Any]], object]:
    return lambda row: row.update(values)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", None, "no such file: a.jsonl"),
        ("a.jsonl", "", "a.jsonl is empty"),
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "question,choices,answer\n", "a.csv is empty: it has no rows"),
        ("a.txt", "x", "a.txt: expected a file named *.parquet, *.csv, *.tsv, *.jsonl, *.json, not"),
        ("a.jsonl", "{'single': 1}\n", "a.jsonl, line 1: not JSON"),
        ("a.csv", CSV + "Which?,iron|wool,\n", "a.csv, row 2, column 'answer': nothing in it"),
        ("a.csv", CSV + "Which?,iron|wool,irno\n", "row 2, column 'answer': 'irno' is no choice: "),
        ("a.csv", CSV + "Which?,iron|wool,irno\n", "did you mean 'iron'?"),
        ("a.csv", CSV + "Which?,iron,iron\n", "a.csv, row 2, column 'choices': expected two or more, not only 'iron'"),
        ("a.csv", CSV + "Which?,iron|wool\n", "a.csv, row 2: expected 3 cells, as in the header, not 2"),
        ("a.jsonl", rows(without("answer")), "a.jsonl, row 2, column 'answer'"),
        ("a.jsonl", rows(having({"choices": ["iron"]})), "a.jsonl, row 2, column 'choices': expected two or more"),
        ("a.jsonl", rows(having({"answer": "wolo"})), "a.jsonl, row 2, column 'answer': 'wolo' is no choice"),
        ("a.jsonl", rows(having({"choices": []})), "a.jsonl, row 2, column 'choices': expected some in every row"),
        ("a.jsonl", rows(having({"split": "tets"})), "row 2, column 'split': unknown split 'tets': "),
        ("a.jsonl", rows(having({"choices": ["iron", "iron"]})), "row 2, column 'choices': 'iron' is there more than"),
    ],
)
def test_what_is_wrong_with_a_file_of_questions_is_told_by_row_and_column(
    name: str, content: str | None, said: str, here: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (here / name).write_text(content)
    assert said in refused([*small, f"--task.data={name}"], capsys)
    assert said in refused(["label", "--task.name=file", f"--task.data={name}", "--gold"], capsys)
    assert [path.name for path in here.iterdir()] == ([name] if content is not None else [])


def test_the_task_file_needs_a_file(small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "task file needs data" in refused(["run", "--task.name", "file"], capsys)
    assert "is a folder" in refused([*small, "--task.data=."], capsys)


def test_splits_that_overlap_are_refused(here: Path, small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(here / "a.jsonl", [{**ROW, "id": "x", "split": split} for split in ("test", "transfer")])
    said = refused([*small, "--task.data=a.jsonl"], capsys)
    assert said == "a.jsonl, row 2, column 'id': 'x' is the id of row 1 as well"
    # Without ids the same words in two splits are the same question.
    write_rows(here / "b.jsonl", [{**ROW, "split": split} for split in ("test", "transfer")])
    assert "is in test and in transfer: splits must not overlap" in refused([*small, "--task.data=b.jsonl"], capsys)


def test_more_questions_than_there_are_is_refused_with_both_numbers(
    small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused([*small, "--task.transfer=17"], capsys)
    assert said == "transfer asks for 17 questions: there are 16 left for it, of 36 in all"


def test_more_variations_than_orders_is_refused(
    here: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "num_variations is 25: question " in refused([*small, "--task.num_variations=25"], capsys)
    assert "has 4 options, in 24 orders at most" in refused([*small, "--task.num_variations=25"], capsys)


# Models


def test_a_model_folder_without_weights_or_settings_is_refused(
    here: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "model").mkdir()
    assert "model folder model has no config.json" in refused([*small, "--weak.name=model"], capsys)
    (here / "model" / "config.json").write_text("{}")
    for words in (small, ["label"]):
        option = "--model.name=model" if words == ["label"] else "--strong.name=model"
        assert "model folder model has no weights" in refused([*words, option], capsys)


def test_a_model_that_is_nowhere_is_refused(here: Path, small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (here / "model.gguf").write_text("not one")
    assert "no such file or folder" in refused([*small, "--weak.name=./nowhere"], capsys)
    assert "is a file, but not a GGUF file" in refused([*small, "--weak.name=model.gguf"], capsys)
    assert "it is not in the local cache" in refused([*small, "--weak.name=nobody/nothing"], capsys)


def test_an_adapter_that_is_none_is_refused(tiny_llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["evaluate", f"--model.name={tiny_llama}", "--adapter=nowhere"], capsys)
    assert said == "adapter 'nowhere': expected a folder with adapter_config.json, as w2s train writes it"


# Tables


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", None, "no such file: a.csv"),
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "question_id,variation,answer\n", "a.csv is empty: it has no rows"),
        ("a.csv", "question_id,answer\nq,a\n", "answers table has no column 'variation': it has question_id, answer"),
        ("a.csv", "question_id,variation,answer\nq,0,a\nq,0,b\n", "expected one answer for question_id 'q', variation"),
        ("a.csv", "question_id,variation,answer\nq,first,a\n", "answers table, column 'variation': expected int32"),
        ("a.csv", "question_id,variation,answer\n,0,a\n", "row 1: expected a question_id, it is null"),
        ("a.jsonl", "[1]\n", "a.jsonl, row 1: expected a JSON object, not '1'"),
        ("a.parquet", "not one", "a.parquet cannot be read: "),
        ("a.yaml", "a: 1", "a.yaml: expected a file named *.parquet, *.csv, *.tsv, *.jsonl, *.json, not"),
    ],
)
def test_an_answers_table_that_is_none_is_refused(
    name: str, content: str | None, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (here / name).write_text(content)
    assert said in refused(["score", name], capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["score", "a.csv"],
        ["select", "a.csv", "--method=naive"],
        ["label", "--gold"],
        ["label"],
        ["evaluate"],
    ],
)
def test_a_name_that_is_no_tables_is_refused_before_any_work(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,a\n")
    monkeypatch.setattr("w2s.tasks.task_from", None)  # not to be called
    assert "not '.xlsx'" in refused([*words, "--out=b.xlsx"], capsys)


def test_unscored_answers_are_not_selected_from(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,a\n")
    said = refused(["select", "a.csv", "--method=naive", "--out=b.csv"], capsys)
    assert said == (
        "scored answers has no column 'vote_share': expected the table of w2s score; "
        "it has question_id, variation, answer"
    )


# Folders and disks


def test_a_run_into_a_file_is_refused(here: Path, small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine").write_text("x")
    assert "mine is a file: expected a folder" in refused([*small, "--out=mine"], capsys)
    assert "mine: file exists" in refused(["label", "--gold", *small[1:7], "--out=mine/a.csv"], capsys)
    assert (here / "mine").read_text() == "x"


def test_a_folder_that_is_no_run_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ". is not a finished run: it has no results.json" in refused(["report", "."], capsys)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_file_that_cannot_be_written_is_named(
    number: int, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, "said by the system", "/full/scored.csv")

    (here / "a.csv").write_text("question_id,variation,answer\nq,0,a\n")
    monkeypatch.setattr("w2s.tables.write_table", fails)
    assert "/full/scored.csv: " in refused(["score", "a.csv", "--out=b.csv"], capsys)


# Ours


def test_debug_shows_where(here: Path) -> None:
    for words in (["--debug", "score", "nowhere.csv"], ["score", "nowhere.csv", "--debug"]):
        with pytest.raises(InputError, match=r"no such file: nowhere\.csv"):
            main(words)


def test_a_fault_of_ours_says_so_and_ends_in_status_1(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("w2s.reliability.score_answers", fails)
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,a\n")
    said = refused(["score", "a.csv"], capsys, status=1)
    assert said == "RuntimeError: two lines (not expected; --debug shows where)"
    with pytest.raises(RuntimeError):
        main(["score", "a.csv", "--debug"])


# A settings file that is an attack


def bomb(levels: int) -> str:
    """Each level is nine times the one before."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("words", [["run"], ["label"], ["train", "set.parquet", "--out=student"]])
def test_a_yaml_of_aliases_upon_aliases_is_refused(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bomb.yaml").write_text(bomb(12))  # 9 to the 12th texts
    said = refused([*words, "--config=bomb.yaml"], capsys)
    assert said == "bomb.yaml has 99 aliases (*name): expected at most 20"


def test_a_few_aliases_are_settings_as_others(here: Path, small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    training = "{epochs: 5, batch_size: 4}"
    (here / "a.yaml").write_text(f"weak_training: &one {training}\nstudent_training: *one\n")
    with pytest.raises(SystemExit) as ended:
        main([*small, "--config=a.yaml", "--print_config"])
    assert ended.value.code == 0 and capsys.readouterr().out.count("epochs: 5") == 2
