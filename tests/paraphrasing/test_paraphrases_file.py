"""The file of rewordings: whole, read by `task.paraphrases`, and never in the place of somebody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from w2s.errors import InputError
from w2s.paraphrasing.files import check_out, write_paraphrases
from w2s.tasks import load_task

ROWS = {"How much is 1 + 1?": ["What is 1 + 1?", "Wie viel ist 1 + 1, Jürgen?"], "And 2?": []}
# Of each of these Python, but not JSON, would make two lines.
LINES = {"One\u2028question?": ["The\u0085same?"]}


@pytest.mark.parametrize("encoding", [None, "windows-1252", "utf-16"])
def test_what_is_written_is_read_by_a_task_in_its_own_encoding(encoding: str | None, tmp_path: Path) -> None:
    file, data = tmp_path / "p.jsonl", tmp_path / "d.jsonl"
    write_paraphrases(file, ROWS, by="me", encoding=encoding)
    rows = [{"question": question, "answer": "2"} for question in ROWS]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding=encoding or "utf-8")
    task = load_task("file", data=str(data), paraphrases=str(file), encoding=encoding)
    found = {one.question.text: list(task.paraphrased(one).question.paraphrases) for one in task.examples()}
    assert found == ROWS
    write_paraphrases(file, {}, by="me", encoding=encoding)  # its own is replaced


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("What is", "What's"),
        lambda text: text + '{"question": "Mine?", "paraphrases": ["My own?"]}\n',
        lambda text: "my notes",
        lambda text: '{"question": "Mine?", "paraphrases": ["My own?"]}\n',
    ],
)
def test_a_file_of_somebody_else_or_that_was_edited_is_left_as_it_is(edit: object, tmp_path: Path) -> None:
    assert callable(edit)
    file = tmp_path / "p.jsonl"
    write_paraphrases(file, ROWS, by="me")
    file.write_text(text := edit(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.jsonl is there, and not as w2s paraphrase wrote it"):
        write_paraphrases(file, ROWS, by="me")
    assert file.read_text(encoding="utf-8") == text


def test_its_own_file_is_replaced_whatever_breaks_of_lines_a_question_has(tmp_path: Path) -> None:
    write_paraphrases(tmp_path / "p.jsonl", LINES, by="me")
    write_paraphrases(tmp_path / "p.jsonl", ROWS, by="me")
    assert len((tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for name, said in (("p.csv", r"ends in \.jsonl"), ("folder.jsonl", "choose another name")):
        with pytest.raises(InputError, match=said):
            check_out(tmp_path / name)
