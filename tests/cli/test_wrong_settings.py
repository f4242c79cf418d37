"""Settings that are wrong: one line on standard error that says what, status 2, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import refused
from w2s.cli import main
from w2s.errors import unknown_name

pytestmark = pytest.mark.usefixtures("here")


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
        (["run", "--compare", "[naive, naive]"], "compare names 'naive' twice: expected two of …"),
        (["run", "--reliability.settings={temperature: 3}", "--reliability.temperature=2"], "… expected one of them"),
        (["run", "--weak.key_env=MY_KEY"], "weak.key_env is 'MY_KEY': source trained does not read it"),
        (
            ["run", "--weak.source=simulated", "--weak.examples=3"],
            "weak.examples is 3: source simulated does not read it",
        ),
        (
            ["run", "--weak.source=simulated", "--weak.url=http://a"],
            "weak.url is 'http://a': source simulated does not read it",
        ),
        (
            ["run", "--weak.source=simulated", "--weak.quantization=4bit"],
            "weak.quantization is '4bit': source simulated does not read it",
        ),
        (
            ["run", "--weak.source=server", "--weak.url=http://a", "--weak.chat_template=true"],
            "weak.chat_template is True: source server does not read it",
        ),
        (
            ["run", "--answering.sampling_temperature=0.9"],
            "answering.sampling_temperature is 0.9: expected 0 where a model chooses, since nothing is drawn",
        ),
        (["label", "--gold", "--adapter=mine"], "--gold writes the right answers, and --adapter asks a model: …"),
        (["run", "--task.tset=3"], "unknown option --task.tset: … did you mean --task.test?"),
        (["score", "a.csv", "--temprature", "1"], "unknown option --temprature: … did you mean --temperature?"),
        (["doctor", "--verbose"], "unknown option --verbose: w2s doctor --help lists them"),
        (["run", "--methods", "[{method: filtering, quantil: 0.5}]"], "… 'quantil': … did you mean 'quantile'?"),
        (["run", "--methods", "[{method: naive, quantile: 0.5}]"], "method naive has no settings: …"),
        (["run", "--methods", "[{method: filtering, quantile: 2}]"], "quantile 2: expected a number from 0 to 1"),
        (["run", "--methods", "[{method: filterng}]"], "… did you mean 'filtering'?"),
        (
            ["run", "--task.templates", "{txt: x}"],
            "unknown template of task word-language 'txt': … did you mean 'text'?",
        ),
        (
            ["run", "--task.templates", "{text: '{question} {optoins}'}"],
            "unknown field of template 'text' 'optoins': … did you mean 'options'?",
        ),
        (
            ["run", "--task.templates", "{text: '{question}'}"],
            "template 'text' leaves out {options}: every prompt …",
        ),
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


@pytest.mark.parametrize("words", [["run", "--weak=caf\udce9"], ["tasks", "a\0b"], ["\udce9"]])
def test_a_word_that_is_no_utf8_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(words, capsys) == f"{words[-1]!r}: expected text in UTF-8, without null bytes"


@pytest.mark.parametrize(
    "words",
    [
        ["score", "a.csv", "--settings={1: 2}"],
        ["select", "a.csv", "--method=filtering", "--out=b.csv", "--settings={1: 2}"],
    ],
)
def test_a_number_is_the_name_of_no_setting(words: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.csv").write_text("question_id,variation,answer,prompt,completion\nq,0,a,p, a\n")
    assert "'1'" in refused(words, capsys)


def test_a_number_is_the_name_of_no_setting_of_a_run(small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--reliability.settings={1: 2}", "--methods=[{method: filtering, 1: 2}]"):
        assert "1" in refused([*small, "--dry-run", option], capsys)


def test_a_store_of_too_long_a_name_is_refused(small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert refused([*small, "--dry-run", "--store=" + "9" * 400], capsys).endswith("file name too long")


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
        (["run", "--seeds", "0,x"], "seeds is 'x': expected a whole number"),
        (["run", "--methods", "naive,nave"], "unknown method 'nave': … did you mean 'naive'?"),
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
        (
            ["run", "--filtering.quantile", "0.3"],
            "unknown option --filtering.quantile: a method's settings stand with it",
        ),
        (["run", "--weak.url", "http://x/v1"], "weak.url is 'http://x/v1': source trained does not read it"),
        (["run", "--student_training.loss", "x"], "unknown loss 'x'"),
        (["run", "--student_training.lora.targets", "[q_porj]"], "has no module 'q_porj'; did you mean 'q_proj'?"),
        (["run", "more"], "unexpected 'more': several values are separated by commas"),
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
    assert said == "bomb.yaml has more than 20 aliases (*name): expected fewer"


def test_a_few_aliases_are_settings_as_others(here: Path, small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    training = "{epochs: 5, batch_size: 4}"
    (here / "a.yaml").write_text(f"weak_training: &one {training}\nstudent_training: *one\n")
    with pytest.raises(SystemExit) as ended:
        main([*small, "--config=a.yaml", "--print_config"])
    assert ended.value.code == 0 and capsys.readouterr().out.count("epochs: 5") == 2
