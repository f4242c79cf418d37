"""Asking a supervisor: the table that comes back, and the journal that survives a kill."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tasks import choice_task, number_task, questions_and_gold
from w2s.supervisors.asking import answer_questions, gold_answers, predict
from w2s.supervisors.base import Answer, Batch, Prompt
from w2s.tables import ANSWERS, PREDICTIONS

TASK = choice_task()
QUESTIONS, GOLD = questions_and_gold(TASK)
ROWS = 3 * len(QUESTIONS)


class Killed(BaseException):
    """As a kill."""


class Counting:
    """Answers with the choice that a prompt names first, in batches of three, the last ones first."""

    def __init__(self, name: str = "counting", dies_at: int | None = None) -> None:
        self.name = name
        self.asked: list[int] = []
        self._dies_at = dies_at

    def plan(self, asked: Sequence[Prompt]) -> list[Batch]:
        order = list(range(len(asked)))[::-1]
        groups = [order[start : start + 3] for start in range(0, len(order), 3)]
        return [Batch(rows, lambda rows=rows: self._answer(asked, rows)) for rows in groups]  # type: ignore[misc]

    def _answer(self, asked: Sequence[Prompt], rows: list[int]) -> list[Answer]:
        if len(self.asked) == self._dies_at:
            raise Killed
        self.asked += rows
        answers = []
        for row in rows:
            question, variation, before = asked[row]
            assert asked[row].text == before + variation.prompt
            first = variation.positions.index(0)
            logprobs = [-0.1 * (row + 1) - choice for choice in range(4)]
            given = Answer(response=" A, surely", answer=question.choices[first], position=0, choice_logprobs=logprobs)
            answers.append(Answer(response=" …", answer=None) if row == 4 else given)
        return answers


def ask(supervisor: Counting, journal: Path | None = None, **changes: Any) -> pa.Table:
    return answer_questions(supervisor, TASK, QUESTIONS, journal=journal, **{"num_variations": 3, "seed": 0, **changes})


def ask_noting(supervisor: Counting, journal: Path) -> tuple[pa.Table, list[str]]:
    """The table, and what was said."""
    said: list[str] = []
    handler, logger = logging.Handler(logging.INFO), logging.getLogger("w2s.supervisors.asking")
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        return ask(supervisor, journal), said
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


WHOLE = ask(Counting())


def test_rows_are_in_the_order_of_questions_and_variations_whatever_the_batches() -> None:
    assert WHOLE.schema == ANSWERS and WHOLE.num_rows == ROWS
    expected = [(question.id, variation) for question in QUESTIONS for variation in range(3)]
    assert list(zip(WHOLE["question_id"].to_pylist(), WHOLE["variation"].to_pylist(), strict=True)) == expected
    asked = [variation for question in QUESTIONS for variation in TASK.vary(question, 3, 0)]
    assert WHOLE["prompt"].to_pylist() == [variation.prompt for variation in asked]
    answers = [question.choices[v.positions.index(0)] for question in QUESTIONS for v in TASK.vary(question, 3, 0)]
    answers[4] = None  # type: ignore[call-overload]
    assert WHOLE["answer"].to_pylist() == answers
    assert [row[0] if row else None for row in WHOLE["choice_logprobs"].to_pylist()] == [
        None if row == 4 else pytest.approx(-0.1 * (row + 1)) for row in range(ROWS)
    ]
    assert set(WHOLE["supervisor"].to_pylist()) == {"counting"}


def test_an_answer_that_could_not_be_read_is_null_and_keeps_its_text() -> None:
    row = WHOLE.slice(4, 1).to_pylist()[0]
    assert (row["answer"], row["position"], row["choice_logprobs"], row["completion"]) == (None, None, None, " …")
    assert row["response"] == " …" and row["asked"] is None


def test_a_row_holds_the_choices_and_how_a_student_writes_each() -> None:
    variations = [(question, v) for question in QUESTIONS for v in TASK.vary(question, 3, 0)]
    for row, (question, variation) in zip(WHOLE.to_pylist(), variations, strict=True):
        assert row["choices"] == list(question.choices) and row["completions"] == list(variation.completions)
    free = number_task()
    table = gold_answers(free, *questions_and_gold(free))
    assert table["choices"].null_count == table["completions"].null_count == 5


def test_what_stands_before_a_prompt_is_for_the_supervisor_alone() -> None:
    table = ask(Counting(), before="Example: 1\n\n")
    assert table["prompt"].equals(WHOLE["prompt"]) and table["answer"].equals(WHOLE["answer"])
    assert table["asked"].to_pylist() == ["Example: 1\n\n" + prompt for prompt in WHOLE["prompt"].to_pylist()]
    variations = [(question, v) for question in QUESTIONS for v in TASK.vary(question, 3, 0)]
    for row, (question, variation) in zip(table.to_pylist(), variations, strict=True):
        # Asked just the prompt, a supervisor's own words are what a student learns; asked otherwise, the task's are.
        written = " …" if row["answer"] is None else TASK.complete(row["answer"], question, variation)
        assert row["completion"] == written
    assert [row["response"] for row in table.to_pylist()] == [row["response"] for row in WHOLE.to_pylist()]
    assert set(table["completion"].to_pylist()) == {" A", " …"} != set(WHOLE["completion"].to_pylist())


def test_progress_counts_answers() -> None:
    told: list[tuple[object, ...]] = []
    ask(Counting(), progress=lambda *step: told.append(step))
    assert told == [(done, ROWS, "answers") for done in range(3, ROWS + 1, 3)]


@given(st.integers(0, ROWS // 3 - 1))
def test_a_killed_try_is_gone_on_from_without_asking_again(
    tmp_path_factory: pytest.TempPathFactory, batches: int
) -> None:
    journal = tmp_path_factory.mktemp("journal") / "answers.jsonl"
    first, second = Counting(dies_at=3 * batches), Counting()
    with pytest.raises(Killed):
        ask(first, journal)
    table, said = ask_noting(second, journal)
    assert table.equals(WHOLE)
    assert sorted(first.asked + second.asked) == list(range(ROWS))
    assert said == ([f"{3 * batches} of {ROWS} answers are there already"] if batches else [])


def test_a_finished_journal_needs_no_supervisor(tmp_path: Path) -> None:
    ask(Counting(), tmp_path / "journal")
    again = Counting()
    assert ask(again, tmp_path / "journal").equals(WHOLE) and again.asked == []


@given(st.data())
def test_a_journal_torn_at_any_byte_gives_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    journal = tmp_path_factory.mktemp("journal") / "answers.jsonl"
    ask(Counting(), journal)
    content = journal.read_bytes()
    kept = data.draw(st.integers(0, len(content) - 1))
    journal.write_bytes(content[:kept])
    whole_lines = content[:kept].count(b"\n")
    again = Counting()
    assert ask(again, journal).equals(WHOLE)
    assert len(again.asked) == ROWS - 3 * whole_lines
    assert journal.read_bytes() == content, "the torn line was not cut off"


@pytest.mark.parametrize("other", ["name", "seed", "num_variations", "before"])
def test_a_journal_of_other_questions_is_not_used(tmp_path: Path, other: str) -> None:
    journal = tmp_path / "journal"
    supervisor = Counting(name="other" if other == "name" else "counting")
    changes: dict[str, Any] = {"seed": 7, "num_variations": 2, "before": "Example: 1\n\n"}
    ask(supervisor, journal, **{name: value for name, value in changes.items() if name == other})
    again = Counting()
    table, said = ask_noting(again, journal)
    assert table.equals(WHOLE) and sorted(again.asked) == list(range(ROWS)) and said == []
    assert ask(Counting(dies_at=0), journal).equals(WHOLE), "the journal is not of these questions now"


@pytest.mark.parametrize("content", [b"no json\n", b"\n", b"[1]\n", b'"of"\n', b'{"of": 1}\n', b"\xff\xfe\n"])
def test_a_journal_that_is_none_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "journal"
    journal.write_bytes(content)
    assert ask(Counting(), journal).equals(WHOLE)
    assert all(json.loads(line)["of"] for line in journal.read_text().splitlines())


def test_no_questions_give_an_empty_table(tmp_path: Path) -> None:
    table = answer_questions(Counting(), TASK, [], num_variations=3, seed=0, journal=tmp_path / "journal")
    assert table.num_rows == 0 and table.schema == ANSWERS


def test_gold_answers_are_the_questions_as_they_stand_rightly_answered() -> None:
    table = gold_answers(TASK, QUESTIONS, {**GOLD, "Lima": None})
    assert table.schema == ANSWERS
    rows = table.to_pylist()
    assert [row["question_id"] for row in rows] == [question.id for question in QUESTIONS if question.id != "Lima"]
    for row in rows:
        assert row["answer"] == GOLD[row["question_id"]] and row["variation"] == 0
    assert rows[0]["prompt"] == TASK.vary(QUESTIONS[0], 1, 0)[0].prompt
    assert rows[0]["completion"] == " A"


def test_gold_answers_of_free_questions_are_written_out() -> None:
    task = number_task()
    questions, gold = questions_and_gold(task)
    assert gold_answers(task, questions, gold)["completion"].to_pylist() == [f" {12 + n}" for n in range(5)]


def edit_line(edit: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def edited(line: bytes) -> bytes:
        entry = json.loads(line)
        edit(entry)
        return json.dumps(entry).encode() + b"\n"

    return edited


@pytest.mark.parametrize(
    "edit",
    [
        lambda line: line.replace(b"Norway", b"France", 1),
        edit_line(lambda entry: next(iter(entry["answers"].values())).update(answer="Peru")),
        edit_line(lambda entry: entry["answers"].update({"99": next(iter(entry["answers"].values()))})),
        edit_line(lambda entry: entry.pop("sha256")),
    ],
)
def test_a_journal_that_was_damaged_is_used_up_to_the_damage(tmp_path: Path, edit: Callable[[bytes], bytes]) -> None:
    journal = tmp_path / "journal.jsonl"
    ask(Counting(), journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    index = next(number for number, line in enumerate(lines) if b"Norway" in line)
    damaged = edit(lines[index])
    assert damaged != lines[index]
    journal.write_bytes(b"".join([*lines[:index], damaged, *lines[index + 1 :]]))
    again = Counting()
    assert ask(again, journal).equals(WHOLE)
    assert len(again.asked) == ROWS - 3 * index
    assert journal.read_bytes() == b"".join(lines)


# A test


def test_predictions_are_compared_with_what_is_known(tmp_path: Path) -> None:
    gold = {**GOLD, "Lima": None}
    del gold["Oslo"]
    told: list[tuple[object, ...]] = []
    journal = tmp_path / "journal"
    table = predict(Counting(), TASK, QUESTIONS, gold, journal=journal, progress=lambda *step: told.append(step))
    assert table.schema == PREDICTIONS
    known = [question for question in QUESTIONS if question.id not in ("Lima", "Oslo")]
    rows = table.to_pylist()
    assert [row["question_id"] for row in rows] == [question.id for question in known]
    for number, (row, question) in enumerate(zip(rows, known, strict=True)):
        first = TASK.vary(question, 1, 0)[0].positions.index(0)
        assert row["answer"] == question.choices[first] and row["completion"] == " A, surely"
        assert row["correct"] == (row["answer"] == GOLD[question.id])
        assert row["choice_logprobs"][0] == pytest.approx(-0.1 * (number + 1))
    assert {row["correct"] for row in rows} == {True, False}
    assert told == [(3, 4, "questions"), (4, 4, "questions")]
    again = Counting(dies_at=0)
    assert predict(again, TASK, QUESTIONS, gold, journal=journal).equals(table), "asked again"
    shown = predict(Counting(), TASK, QUESTIONS, gold, before="Example: 1\n\n")
    assert shown.equals(table)
