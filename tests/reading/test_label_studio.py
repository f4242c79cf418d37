"""Label Studio's exports: annotators' choices, and what is no annotator's answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.exports import annotation, export_of, task, write_json
from w2s.errors import InputError

TEXT = {"text": "Good case, excellent value."}


def answers(long: Any) -> list[tuple[str, str, str | None]]:
    return [(row["question_id"], row["annotator"], row["answer"]) for row in long.table.to_pylist()]


def test_each_annotation_is_an_answer_of_whoever_completed_it(tmp_path: Path) -> None:
    path = write_json(
        tmp_path / "project-1.json",
        [
            task(7, TEXT, annotation(10, "Positive"), annotation({"id": 11, "email": "bob@x.org"}, "Negative")),
            task(8, {"text": "Meh"}, annotation(10, "Neutral")),
        ],
    )
    long = export_of(path)
    assert answers(long) == [("7", "10", "Positive"), ("7", "bob@x.org", "Negative"), ("8", "10", "Neutral")]
    assert long.notes[0] == "read as a Label Studio export: 2 tasks, 2 annotators"


def test_what_is_skipped_is_missing_and_ground_truth_and_predictions_are_nobodys(tmp_path: Path) -> None:
    rows = [
        task(
            *(1, TEXT, annotation(10, None, was_cancelled=True), annotation(11, "Positive")),
            *(annotation(12, "Negative", ground_truth=True), annotation(None, "Positive")),
            predictions=[{"model_version": "m", "result": annotation(0, "Negative")["result"]}],
        )
    ]
    long = export_of(write_json(tmp_path / "a.json", rows))
    assert answers(long) == [("1", "10", None), ("1", "11", "Positive")]
    assert long.notes[0] == (
        "read as a Label Studio export: 1 task, 2 annotators, 1 predictions left out, 1 skipped, "
        "1 marked as ground truth left out, 1 of nobody left out"
    )


def test_several_labels_in_one_annotation_are_no_answer_and_counted(tmp_path: Path) -> None:
    rows = [task(1, TEXT, annotation(10, ["Positive", "Neutral"]), annotation(11, ["Positive"]))]
    long = export_of(write_json(tmp_path / "a.json", rows))
    assert answers(long) == [("1", "10", None), ("1", "11", "Positive")]
    assert "1 with several labels in one" in long.notes[0]


def test_a_comment_beside_the_choice_is_no_answer_but_may_be_asked_for(tmp_path: Path) -> None:
    one = annotation(10, "Positive")
    one["result"].append({"value": {"text": ["because"]}, "from_name": "why", "type": "textarea"})
    path = write_json(tmp_path / "a.json", [task(1, TEXT, one)])
    assert answers(export_of(path))[0][2] == "Positive"
    assert answers(export_of(path, columns={"answer": "why"}))[0][2] == "because"


def test_two_controls_are_refused_until_one_is_named(tmp_path: Path) -> None:
    one = annotation(10, "Positive")
    one["result"].append({"value": {"rating": 4}, "from_name": "stars", "type": "rating"})
    path = write_json(tmp_path / "a.json", [task(1, TEXT, one)])
    with pytest.raises(InputError, match=r"columns\.answer to name one of sentiment, stars"):
        export_of(path)
    assert answers(export_of(path, columns={"answer": "stars"})) == [("1", "10", "4")]
    with pytest.raises(InputError, match="'star' is none of its controls"):
        export_of(path, columns={"answer": "star"})


def test_labels_of_an_annotator_who_labels_a_task_twice_are_numbered_and_it_is_said_what_they_count(
    tmp_path: Path,
) -> None:
    path = write_json(tmp_path / "a.json", [task(1, TEXT, annotation(10, "Positive"), annotation(10, "Negative"))])
    long = export_of(path)
    assert long.table["variation"].to_pylist() == [0, 1]
    assert "labels by somebody who labelled the question before: 1, each a vote more" in long.notes[-1]


def minimal(id: int, who: Any, label: Any, **fields: Any) -> dict[str, Any]:
    return {"text": f"text {id}", "id": id, "sentiment": label, "annotator": who, "annotation_id": 1, "lead_time": 1.5}


def test_the_minimal_form_needs_to_be_told_which_column_is_the_answer(tmp_path: Path) -> None:
    rows = [minimal(1, 10, "Positive"), minimal(1, "bob@x.org", {"choices": ["Positive", "Neutral"]})]
    path = write_json(tmp_path / "min.json", [*rows, {**minimal(2, {}, None), "annotation_id": None}])
    with pytest.raises(InputError, match=r"columns\.answer to name one of text, sentiment"):
        export_of(path)
    long = export_of(path, columns={"answer": "sentiment"})
    assert answers(long) == [("1", "10", "Positive"), ("1", "bob@x.org", None)]
    assert "does not say what is ground truth" in long.notes[1]


def test_the_csv_form_is_the_same(tmp_path: Path) -> None:
    both = json.dumps({"choices": ["a", "b"]}).replace('"', '""')
    (tmp_path / "a.csv").write_text(
        f'text,id,sentiment,annotator,annotation_id,lead_time\nGood,1,a,x@y.z,5,1\nGood,1,"{both}",10,6,1\n'
    )
    assert answers(export_of(tmp_path / "a.csv", columns={"answer": "sentiment"})) == [
        ("1", "x@y.z", "a"),
        ("1", "10", None),
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([task(1, TEXT)], "it has no controls that answer for a task"),
        ([{"id": 1, "data": "text", "annotations": [annotation(1, "a")]}], "row 1: expected a task with id and data"),
        ([{"id": 1, "data": {}, "annotations": [17]}], "row 1: expected annotations as a list of objects"),
    ],
)
def test_what_is_not_as_label_studio_writes_it_is_named(rows: list[Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        export_of(write_json(tmp_path / "a.json", rows))
