"""Texts and one set of labels: where the labels come from, and rows that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from w2s.errors import InputError
from w2s.tasks import gold_of, load_task, questions_of

ROWS = [
    {"text": "My card was charged twice.", "label": "billing"},
    {"text": "Where is my parcel?", "label": " Shipping "},
    {"text": "It does not start.", "label": "broken"},
    {"text": "Nobody has labelled this.", "label": None},
]
LABELS = ["billing", "shipping", "broken"]


def task(tmp_path: Path, rows: list[dict[str, Any]], **fields: Any) -> Any:
    path = tmp_path / "tickets.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_task("classification", data=str(path), **fields)


def test_labels_are_one_whatever_their_case_and_unlabelled_rows_are_for_the_supervisor(tmp_path: Path) -> None:
    found = list(task(tmp_path, ROWS, labels=LABELS).examples())
    assert [example.answer for example in found] == ["billing", "shipping", "broken", None]
    assert [example.pool for example in found] == ["any", "any", "any", "transfer"]
    assert {example.question.choices for example in found} == {tuple(LABELS)}


def test_labels_that_are_not_given_are_those_of_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert task(tmp_path, ROWS).labels == ("Shipping", "billing", "broken")
    assert "the labels are Shipping, billing, broken" in caplog.text


def test_a_text_is_asked_with_the_labels_in_several_orders_and_read_back(tmp_path: Path) -> None:
    made = task(tmp_path, ROWS, labels=LABELS)
    question = next(iter(made.examples())).question
    variations = made.vary(question, made.num_variations, 0)
    assert len({variation.prompt for variation in variations}) == 5
    assert variations[0].prompt.endswith("A. billing\nB. shipping\nC. broken\nLabel:")
    for variation in variations:
        for label in LABELS:
            assert made.parse(made.complete(label, question, variation), question, variation) == label


def test_two_labels_have_two_orders(tmp_path: Path) -> None:
    assert task(tmp_path, ROWS[:1], labels=["billing", "other"]).num_variations == 2


def test_splits_are_drawn_with_the_unlabelled_rows_in_transfer(tmp_path: Path) -> None:
    rows = [{"text": f"Ticket {n}", "label": LABELS[n % 3] if n < 12 else None} for n in range(20)]
    made = task(tmp_path, rows, labels=LABELS, weak_train=0, transfer=8, test=12)
    splits = made.splits()
    transfer = questions_of(splits.questions, "transfer")
    assert {question.text for question in transfer} == {f"Ticket {n}" for n in range(12, 20)}
    assert set(gold_of(splits.gold, "transfer").values()) == {None}


@pytest.mark.parametrize(
    ("rows", "fields", "said"),
    [
        ([{"text": "a", "label": "biling"}], {"labels": LABELS}, "'biling' is no label: .* did you mean 'billing'"),
        ([{"text": "", "label": "billing"}], {"labels": LABELS}, "row 1, column 'text': nothing in it"),
        ([{"label": "billing"}], {"labels": LABELS}, "no such column"),
        ([{"text": "a", "label": None, "split": "test"}], {"labels": LABELS}, "nothing in it, in split test"),
        ([{"text": "a", "label": "billing", "split": "tset"}], {"labels": LABELS}, "did you mean 'test'"),
        ([{"text": "a", "label": "x", "id": "1"}, {"text": "b", "label": "y", "id": "1"}], {}, "id of row 1 as well"),
        ([{"text": "a", "label": "x"}, {"text": "b", "label": "X"}], {}, "'X' and 'x' differ by case alone"),
        ([{"text": "a", "label": "x"}], {}, r"labels are \['x'\]: expected two or more"),
        ([{"text": "a", "label": None}], {}, "has no labels: expected task.labels"),
        ([{"text": str(n), "label": str(n)} for n in range(27)], {}, "27 labels: expected task.labels to name them"),
        (ROWS, {"labels": ["a", " "]}, "one of task.labels is empty"),
        (ROWS, {"labels": LABELS, "num_variations": 7}, "in 6 orders at most"),
    ],
)
def test_what_does_not_fit_is_refused(
    rows: list[dict[str, Any]], fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        made = task(tmp_path, rows, **fields)
        for example in made.examples():
            made.vary(example.question, made.num_variations, 0)


def test_labels_are_for_this_task_alone() -> None:
    with pytest.raises(InputError, match="the questions of task geography bring their options along"):
        load_task("geography", labels=LABELS)
    with pytest.raises(InputError, match="needs data"):
        list(load_task("classification").examples())
