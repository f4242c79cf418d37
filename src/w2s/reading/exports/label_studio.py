"""Label Studio: its JSON export, a task a row with all annotations; JSON_MIN and CSV, an annotation a row.

A task is `{"id", "data": {…}, "annotations": [{"completed_by", "was_cancelled", "ground_truth", "result":
[{"from_name", "type", "value"}]}], "predictions": […]}`; JSON_MIN has the data and the results beside `id`,
`annotator`, `annotation_id` and `lead_time`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from w2s.reading.cells import parse_json, text_of
from w2s.reading.exports.base import (
    Export,
    File,
    Format,
    Given,
    Item,
    Wanted,
    one_of,
    reading_row,
    row_error,
    single_text,
    texts_in,
)

__all__ = ["FORMAT"]

_VALUES = {"choices": "choices", "rating": "rating", "number": "number", "pairwise": "selected", "textarea": "text"}
"""The types of result that answer for a whole task, and where their value lies."""

_OF_ROW = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
_UNMARKED = (
    "this form leaves out what was skipped and does not say what is ground truth: where a task has some, "
    "the JSON export does"
)


def _is_tasks(columns: Collection[str]) -> bool:
    return {"id", "data", "annotations"} <= set(columns)


def _recognizes(columns: Collection[str]) -> bool:
    return _is_tasks(columns) or {"id", "annotator", "annotation_id", "lead_time"} <= set(columns)


def _read(files: Sequence[File], wanted: Wanted) -> Export:
    return (_tasks if _is_tasks(files[0].rows.columns) else _annotations)(files, wanted)


def _tasks(files: Sequence[File], wanted: Wanted) -> Export:
    """The JSON export."""
    control = _control(files, wanted)
    items: list[Item] = []
    answers: list[Given] = []
    counts: Counter[str] = Counter()
    for file in files:
        for number, row in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                own, data = text_of(row.get("id")), row.get("data")
                if own is None or not isinstance(data, dict):
                    raise row_error(file, number, "a task with id and data")
                items.append(Item(own=own, fields=texts_in(data)))
                counts["predictions left out"] += len(row.get("predictions") or ())
                for annotation in _annotations_of(file, number, row):
                    answer, problem = _answer(annotation, control)
                    counts[problem] += bool(problem)
                    if problem in (_GROUND_TRUTH, _NOBODY):
                        continue
                    answers.append(Given(len(items) - 1, str(_who(annotation)), answer))
    return Export(items=items, answers=answers, counts=counts)


_SKIPPED, _GROUND_TRUTH, _NOBODY = "skipped", "marked as ground truth left out", "of nobody left out"
_SEVERAL = "with several labels in one"


def _answer(annotation: Mapping[str, Any], control: str) -> tuple[str | None, str]:
    """The answer in an annotation, and what is the matter with it: an empty text where nothing is."""
    if annotation.get("ground_truth"):
        return None, _GROUND_TRUTH
    if _who(annotation) is None:
        return None, _NOBODY
    if annotation.get("was_cancelled") or annotation.get("skipped"):
        return None, _SKIPPED
    values: list[Any] = []
    for result in _results(annotation):
        if result.get("from_name") == control:
            value = result["value"].get(_VALUES[result["type"]])
            values += value if isinstance(value, list) else [value]
    return single_text(values), _SEVERAL if len(values) > 1 else ""


def _who(annotation: Mapping[str, Any]) -> str | None:
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    return None if isinstance(who, list | dict) else text_of(who)


def _annotations_of(file: File, number: int, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    annotations = row.get("annotations") or []
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise row_error(file, number, "annotations as a list of objects: the export of whole annotations, not of ids")
    return annotations


def _results(annotation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The results that answer for the whole task."""
    for result in annotation.get("result") or ():
        if isinstance(result, dict) and result.get("type") in _VALUES and isinstance(result.get("value"), dict):
            yield result


def _control(files: Sequence[File], wanted: Wanted) -> str:
    """The control whose values are the answers: the only one that is no comment, unless the user names one."""
    types: dict[str, str] = {}
    for file in files:
        for number, row in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                for annotation in _annotations_of(file, number, row):
                    types |= {str(result.get("from_name")): result["type"] for result in _results(annotation)}
    chosen = [name for name, kind in types.items() if kind != "textarea"]
    found = list(types) if wanted.answer is not None else chosen or list(types)
    return one_of(files, found, wanted.answer, what=f"controls that answer for a task ({', '.join(_VALUES)})")


def _annotations(files: Sequence[File], wanted: Wanted) -> Export:
    """JSON_MIN, or CSV."""
    names = dict.fromkeys(name for file in files for name in file.rows.columns if name not in _OF_ROW)
    control = one_of(files, list(names), wanted.answer, what="columns that may be the answer")
    items: list[Item] = []
    answers: list[Given] = []
    counts: Counter[str] = Counter()
    for file in files:
        for number, row in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                if (own := text_of(row.get("id"))) is None:
                    raise row_error(file, number, "a row with the id of its task")
                items.append(Item(own=own, fields=texts_in({name: row.get(name) for name in names if name != control})))
                if row.get("annotation_id") is None:  # a task that nobody annotated
                    continue
                who = row.get("annotator")
                if isinstance(who, list | dict) or text_of(who) is None:
                    counts[_NOBODY] += 1
                    continue
                values = _shortened(row.get(control))
                counts[_SEVERAL] += len(values) > 1
                answers.append(Given(len(items) - 1, str(text_of(who)), single_text(values)))
    return Export(items=items, answers=answers, counts=counts, notes=(_UNMARKED,))


def _shortened(value: Any) -> list[Any]:
    """The values of a control: a text where there is one, else an object or a list, which in CSV are JSON.

    A label that looks like JSON and is none of these is a label.
    """
    if isinstance(value, str) and value[:1] in "[{":
        try:
            value = parse_json(value)
        except (ValueError, json.JSONDecodeError):
            return [value]
    if isinstance(value, dict):
        value = next((value[key] for key in _VALUES.values() if key in value), None)
    if isinstance(value, list):
        return [inner for one in value for inner in _shortened(one)]
    return [] if value is None else [value]


FORMAT = Format(
    name="label-studio",
    title="a Label Studio export",
    asked="tasks",
    own="id",
    by_people=True,
    recognizes=_recognizes,
    read=_read,
    is_nested=_is_tasks,
    flat=lambda columns: not _is_tasks(columns),
)
