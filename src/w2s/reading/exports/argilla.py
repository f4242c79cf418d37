"""Argilla 2: records as `to_datasets` and its files have them, or as `to_json` writes them.

Flat, a record has the columns `QUESTION.responses`, `QUESTION.responses.users`, `QUESTION.responses.status` and
`QUESTION.suggestion` beside its fields; nested it is `{"id", "fields", "metadata", "suggestions", "responses":
{QUESTION: [{"value", "user_id"}]}}`, which does not say what was submitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from w2s.reading.cells import text_of
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

_RESPONSES, _USERS, _STATUS, _SUGGESTION = ".responses", ".responses.users", ".responses.status", ".suggestion"
_UNSAID = "not said"
_NO_STATUS = (
    "this form does not say which responses were submitted, so drafts and discarded ones count too: "
    "records.to_datasets() says it"
)


class _Response(NamedTuple):
    who: str | None
    value: Any
    status: str | None


def _is_nested(columns: Collection[str]) -> bool:
    return {"id", "fields", "responses", "suggestions"} <= set(columns)


def _recognizes(columns: Collection[str]) -> bool:
    return _is_nested(columns) or bool(_flat_questions(columns))


def _flat_questions(columns: Collection[str]) -> list[str]:
    names = [name.removesuffix(_RESPONSES) for name in columns if name.endswith(_RESPONSES)]
    return [name for name in names if name + _USERS in columns]


def _read(files: Sequence[File], wanted: Wanted) -> Export:
    nested = _is_nested(files[0].rows.columns)
    question = one_of(files, _questions(files, nested), wanted.answer, what="questions with responses")
    items: list[Item] = []
    answers: list[Given] = []
    counts: Counter[str] = Counter()
    for file in files:
        for number, row in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                if (own := text_of(row.get("id"))) is None:
                    raise row_error(file, number, "a record with an id")
                items.append(Item(own=own, fields=_fields(row, nested)))
                for response in (_nested if nested else _flat)(row, question):
                    given = _given(len(items) - 1, response, counts)
                    answers += [given] if given else []
    unsaid = counts.pop(_UNSAID, 0)
    return Export(items=items, answers=answers, counts=counts, notes=(_NO_STATUS,) if unsaid else ())


def _given(item: int, response: _Response, counts: Counter[str]) -> Given | None:
    """The answer in a response: none in a discarded one; what is not submitted yet is no response."""
    if response.who is None:
        counts["of nobody left out"] += 1
        return None
    if response.status == "discarded":
        counts["discarded"] += 1
        return Given(item, response.who, None)
    if response.status not in ("submitted", _UNSAID):
        counts["not submitted left out"] += 1
        return None
    counts[_UNSAID] += response.status == _UNSAID
    several = isinstance(response.value, list | dict) and len(response.value) != 1
    counts["with several labels in one"] += several
    return Given(item, response.who, None if several else single_text(_valued(response.value)))


def _valued(value: Any) -> Any:
    """What is ranked or marked, of an object with more to it."""
    if isinstance(value, list):
        return [_valued(one) for one in value]
    return value.get("value", value.get("label")) if isinstance(value, dict) else value


def _questions(files: Sequence[File], nested: bool) -> list[str]:
    """The questions that somebody responded to."""
    found: dict[str, None] = {}
    for file in files:
        if nested:
            for number, row in enumerate(file.rows.cells, start=1):
                with reading_row(file, number):
                    found |= dict.fromkeys(name for name, given in (row.get("responses") or {}).items() if given)
        else:
            names = _flat_questions(file.rows.columns)
            found |= {name: None for name in names if any(row.get(name + _RESPONSES) for row in file.rows.cells)}
    return list(found)


def _nested(row: Mapping[str, Any], question: str) -> list[_Response]:
    given = (row.get("responses") or {}).get(question) or ()
    return [_Response(text_of(one.get("user_id")), one.get("value"), one.get("status") or _UNSAID) for one in given]


def _flat(row: Mapping[str, Any], question: str) -> list[_Response]:
    values = row.get(question + _RESPONSES) or []
    users = row.get(question + _USERS) or []
    status = row[question + _STATUS] or [] if question + _STATUS in row else [_UNSAID] * len(values)
    return [_Response(text_of(who), value, state) for value, who, state in zip_longest(values, users, status)]


def _fields(row: Mapping[str, Any], nested: bool) -> dict[str, str]:
    if nested:
        own = texts_in({"id": row["id"]})
        return {**texts_in(row.get("metadata") or {}), **texts_in(row.get("fields") or {}), **own}
    return texts_in({name: cell for name, cell in row.items() if _RESPONSES not in name and _SUGGESTION not in name})


FORMAT = Format(
    name="argilla",
    title="an Argilla export",
    asked="records",
    own="id",
    by_people=True,
    recognizes=_recognizes,
    read=_read,
    is_nested=_is_nested,
)
