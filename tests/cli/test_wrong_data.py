"""Data, models, tables and folders that are wrong: one line on standard error that says what, and no traceback."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.commands import refused
from support.experiments import write_rows
from w2s.cli import main
from w2s.errors import InputError

pytestmark = pytest.mark.usefixtures("here")


CSV = "question,choices,answer\nWhich is a metal?,iron|wool,iron\n"
ROW = {"question": "Which is a metal?", "choices": ["iron", "wool"], "answer": "iron"}


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
        (
            "a.csv",
            "question_id,answer\nq,a\n",
            "a.csv has no column 'variation' or 'annotator' or 'supervisor', it has question_id, answer: --columns",
        ),
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
    monkeypatch.setattr("w2s.pipeline.origin.write_table", fails)
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
