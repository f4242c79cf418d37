"""An option that begins another is never the less probable one: it is said how many questions have one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.config import TaskSpec
from w2s.tasks import task_from
from w2s.tasks.file import File
from w2s.tasks.questions import Question


def said(folder: Path, rows: list[dict[str, Any]], caplog: pytest.LogCaptureFixture, **spec: Any) -> str:
    path = folder / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = task_from(TaskSpec(name="file", data=str(path), weak_train=0, transfer=2, test=1, num_variations=2, **spec))
    with caplog.at_level(logging.WARNING, logger="w2s"):
        task.splits()
    return caplog.text


ROWS = [
    {"question": "How many legs has a spider?", "choices": ["8", "80", "6"], "answer": "8"},
    {"question": "How many has an ant?", "choices": ["6", "8", "10"], "answer": "6"},
    {"question": "Where does it live?", "choices": ["Nigeria", "Niger", "Chad"], "answer": "Chad"},
]


def test_questions_with_such_options_are_counted_and_one_is_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = said(tmp_path, ROWS, caplog, answer_format="text")
    assert "2 of 3 questions have an option that begins another" in text
    assert "'8' and '80'" in text or "'Niger' and 'Nigeria'" in text


def test_one_question_of_many_is_not_worth_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = [{"question": f"What is {n}?", "choices": ["good", "bad"], "answer": "bad"} for n in range(199)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [ROWS[0], *plain]))
    sizes = {"weak_train": 0, "transfer": 100, "test": 100, "num_variations": 2}
    spec = TaskSpec(name="file", data=str(path), answer_format="text", **sizes)
    with caplog.at_level(logging.DEBUG, logger="w2s"):
        task_from(spec).splits()
    [record] = [record for record in caplog.records if "begins another" in record.getMessage()]
    assert record.levelno == logging.DEBUG and record.getMessage().startswith("1 of 200 questions")


def test_letters_begin_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert "begins another" not in said(tmp_path, ROWS, caplog, answer_format="letter")


def test_options_that_merely_share_their_beginning_are_not_meant(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"question": f"Which, {name}?", "choices": ["Austria", "Australia"], "answer": 0} for name in "abc"]
    assert "begins another" not in said(tmp_path, rows, caplog, answer_format="text")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> File:
    path = tmp_path_factory.mktemp("data") / "q.jsonl"
    path.write_text(json.dumps(ROWS[0]))
    return File(TaskSpec(name="file", data=str(path), answer_format="text"))


@given(choices=st.lists(st.text("ab", min_size=1, max_size=4), min_size=2, max_size=6, unique=True))
def test_a_pair_is_found_exactly_where_there_is_one(task: File, choices: list[str]) -> None:
    found = task._prefixed(Question(id="q", text="Which?", choices=tuple(choices)))
    pairs = {(one, other) for one in choices for other in choices if one != other and other.startswith(one)}
    assert found in pairs if pairs else found is None
