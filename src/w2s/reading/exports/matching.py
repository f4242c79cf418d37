"""Which question of a task an export's item is: by an id that came with it, or by the text of the question."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase
from typing import Literal, NamedTuple

from w2s.errors import InputError, unknown_name
from w2s.reading.exports.base import Format, Item

__all__ = ["Known", "Way", "match", "own_ids", "unmatched_note", "way_for", "wording"]

_IDS = ("question_id", "id", "custom_id")
"""Fields that may hold the ids of the task's questions."""

_SHOWN = 3  # of what matches nothing


class Known(NamedTuple):
    """A question of the task."""

    id: str
    text: str
    choices: tuple[str, ...] = ()


class Way(NamedTuple):
    """How items become questions.

    Attributes:
        by: By an id, or by the question's text.
        field: Where that stands; an empty name is the export's own id, or the text of any field.
        options: Whether the options must be the question's as well, since several questions have one text.
    """

    by: Literal["id", "text"]
    field: str
    options: bool = False


def way_for(items: Sequence[Item], known: Sequence[Known], form: Format, field: str | None, where: str) -> Way:
    """The way by which most items are questions of the task.

    Args:
        items: What was asked.
        known: The task's questions.
        form: The export's.
        field: The one that the user named: with ids or, where none of it is one, with texts.
        where: The file, for the message.

    Raises:
        InputError: No item is a question of the task, there is no such field, or an id and a text are of two questions.
    """
    names = dict.fromkeys(name for item in items for name in item.fields)
    shared = len(_by_text(known)) < len(known)
    if field is None:
        ways = [*(Way("id", name) for name in _IDS if name in names), Way("text", "", shared)]
    elif field == form.own and field not in names:
        ways = [Way("id", "")]
    else:
        _check_field(field, items, form, where)
        ways = [Way("id", field), Way("text", field, shared)]
    found: dict[Way, list[str | None]] = {}
    ambiguous: list[InputError] = []
    for way in ways:
        try:
            found[way] = match(items, known, way)
        except InputError as error:  # which matters only where there are no ids
            found[way] = []
            ambiguous.append(error)
    best = max(ways, key=lambda way: sum(id is not None for id in found[way]))  # of equals the first
    if not any(found[best]) and ambiguous:
        raise ambiguous[0]
    if not any(found[best]):
        theirs = items[0].fields.get(ways[0].field, items[0].own)[:60]
        ours = f"{known[0].id!r}, {known[0].text[:60]!r}"
        raise InputError(
            f"{where}: none of its {form.asked} is a question of the task by {' or '.join(map(_told, ways))}: the "
            f"first has {theirs!r}, the task has {ours}: expected columns.question_id to name the field with the ids "
            f"or the texts, one of {', '.join(dict.fromkeys([*names, form.own]))}"
        )
    if best.by == "id" and field is None:
        _check_texts(items, known, found[best], best, where)
    return best


def match(items: Sequence[Item], known: Iterable[Known], way: Way) -> list[str | None]:
    """The id of each item's question; None where it is none of these.

    Raises:
        InputError: An item has the texts of two questions.
    """
    questions = list(known)
    if way.by == "id":
        ids = {one.id for one in questions}
        values = [_value(item, way.field) for item in items]
        return [value if value in ids else None for value in values]
    index = _by_text(questions)
    found: list[str | None] = []
    for item in items:
        texts = [item.fields[way.field]] if way.field in item.fields else [] if way.field else item.fields.values()
        hits = {one.id for text in texts for one in index.get(_key(text), ()) if _fits(item, one, way)}
        if len(hits) > 1:
            raise InputError(
                f"{item.own!r} has the text of several questions, {', '.join(sorted(hits)[:_SHOWN])}: "
                "expected columns.question_id to name the field with their ids"
            )
        found.append(hits.pop() if hits else None)
    return found


def own_ids(items: Sequence[Item], form: Format, field: str | None, where: str) -> list[str | None]:
    """What stands for the questions' ids where there is no task: a field's values, or the export's own ids."""
    if field is None:
        return [item.own for item in items]
    if field == form.own and not any(field in item.fields for item in items):
        return [item.own for item in items]
    _check_field(field, items, form, where)
    return [item.fields.get(field) for item in items]


def wording(item: Item, choices: Sequence[str]) -> tuple[str, ...]:
    """An item's options in the words of the question's choices, if it has them; else in words rather than letters."""
    wanted = set(map(_folded, choices))
    for words in item.options:
        if set(map(_folded, words)) == wanted:
            return words
    return next((words for words in item.options if not _are_letters(words)), item.options[0])


def unmatched_note(
    items: Sequence[Item], ids: Sequence[str | None], known: Sequence[Known], way: Way, form: Format
) -> str:
    """A sentence on how items became questions, on those that did not, and on the question nearest to the first."""
    own = {item.own for item in items}
    lost = {item.own: item for item, id in zip(items, ids, strict=True) if id is None}
    if not lost:
        return f"all {form.asked} are questions of the task, by {_told(way)}"
    near = [_nearest(item, known, way) for item in list(lost.values())[:_SHOWN]]
    shown = "; ".join(near)
    return f"{len(lost):,} of {len(own):,} {form.asked} are no question of these splits, by {_told(way)}: {shown}"


def _nearest(item: Item, known: Sequence[Known], way: Way) -> str:
    if way.by == "id":
        value = _value(item, way.field) or ""
        near = difflib.get_close_matches(value, [one.id for one in known], n=1)
        return f"{value!r}" + (f", nearest {near[0]!r}" if near else "")
    value = item.fields.get(way.field) or max(item.fields.values(), key=len, default=item.own)
    texts = {_key(one.text): one.id for one in known}
    near = difflib.get_close_matches(_key(value), texts, n=1, cutoff=0.7)
    shown = value if len(value) <= 60 else f"{value[:59]}…"
    return f"{shown!r}" + (f", nearest {near[0][:60]!r} ({texts[near[0]]})" if near else "")


def _check_texts(
    items: Sequence[Item], known: Sequence[Known], ids: Sequence[str | None], way: Way, where: str
) -> None:
    """Make sure that no item has the id of one question and the text of another: such ids are of something else."""
    index = _by_text(known)
    for item, id in zip(items, ids, strict=True):
        hits = {one.id for text in item.fields.values() for one in index.get(_key(text), ())}
        if id is not None and hits and id not in hits:
            raise InputError(
                f"{where}: {item.own!r} has the {way.field} of question {id!r} and the text of {min(hits)!r}: "
                f"expected columns.question_id to name the field with the ids or the texts, one of "
                f"{', '.join(item.fields)}"
            )


def _check_field(field: str, items: Sequence[Item], form: Format, where: str) -> None:
    names = dict.fromkeys([*(name for item in items for name in item.fields), form.own])
    if not any(field in item.fields for item in items):
        raise unknown_name(f"field of {where},", field, names)


def _value(item: Item, field: str) -> str | None:
    return item.fields.get(field) if field else item.own


def _by_text(known: Iterable[Known]) -> Mapping[str, list[Known]]:
    index: dict[str, list[Known]] = {}
    for one in known:
        index.setdefault(_key(one.text), []).append(one)
    return index


def _fits(item: Item, question: Known, way: Way) -> bool:
    """Whether the options may be the question's, where they must be."""
    if not way.options:
        return True
    words = [words for words in item.options if not _are_letters(words)]
    wanted = set(map(_folded, question.choices))
    return not words or not wanted or any(set(map(_folded, one)) == wanted for one in words)


def _are_letters(words: Sequence[str]) -> bool:
    return "".join(word.strip("().").upper() for word in words) == ascii_uppercase[: len(words)]


def _folded(text: str) -> str:
    return _key(text).casefold()


def _key(text: str) -> str:
    """A text without differences that nobody sees: of composed letters, and of space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _told(way: Way) -> str:
    if way.by == "id":
        return f"the id in {way.field!r}" if way.field else "the export's own id"
    return f"the text in {way.field!r}" if way.field else "the question's text"
