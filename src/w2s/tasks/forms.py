"""The forms that files of questions come in, brought to one: a question, its choices, and the right one."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from w2s.errors import InputError, unknown_name
from w2s.reading import suffix_of
from w2s.tasks.parsing import LETTERS
from w2s.tasks.questions import Pool
from w2s.tasks.records import Record, refuse

__all__ = ["COLUMNS", "MAX_CHOICES", "ParsedRow", "parse_row", "right_choices"]

_log = logging.getLogger(__name__)

COLUMNS = (
    "question",
    "question_stem",
    "messages",
    "choices",
    "answer",
    "answerKey",
    "answers",
    "aliases",
    "id",
    "split",
)
"""What is read here; templates may name any other column."""

MAX_CHOICES = 1000

_MANY = 20  # answers: so many indices without a 0 among them may count from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRow:
    """One row, in whatever form.

    Attributes:
        record: The row.
        text: What is asked.
        choices: The texts to choose from; empty where the answer is free.
        labels: What the row calls them, such as A, B, C; empty where it does not.
        column: Where the answer is.
        answer: As the row has it, a text, a label or an index; None where there is none.
        numeric: Whether the answer is a number and the choices are texts: then it can only be an index.
        aliases: The other answers that the row takes for right.
        pool: The splits that it may go to.
    """

    record: Record
    text: str
    choices: tuple[str, ...]
    labels: tuple[str, ...]
    column: str
    answer: str | None
    numeric: bool
    aliases: tuple[str, ...]
    pool: Pool


def parse_row(record: Record) -> ParsedRow:
    """Read a row.

    Raises:
        InputError: It is of none of the forms.
    """
    text, cell, said = _question(record)
    choices, labels, texts = _choices(record, cell)
    pool = _pool(record)
    given = [column for column in ("answer", "answerKey", "answers") if record.row.get(column) is not None]
    column = given[0] if given else next((c for c in ("answer", "answerKey", "answers") if c in record.row), "answer")
    raw = record.row.get(column) if said is None or given else said
    answers = _answers(record, column, raw)
    if answers and not choices:
        answers += _answers(record, "aliases", record.row.get("aliases"))
    if len(answers) > 1 and choices:
        raise record.error(column, f"{len(answers)} answers to a question with choices: expected one")
    if not answers and pool != "transfer":
        if column not in record.row:
            record.text(column)
        raise record.error(column, "nothing in it")
    return ParsedRow(
        record=record,
        text=text,
        choices=choices,
        labels=labels,
        column=column,
        answer=answers[0] if answers else None,
        numeric=texts and isinstance(raw, int | float) and not isinstance(raw, bool),
        aliases=tuple(answers[1:]),
        pool=pool,
    )


def _question(record: Record) -> tuple[str, Any, str | None]:
    """The question, the cell with its choices, and the answer that a chat ends with."""
    cell, choices = record.row.get("question"), record.row.get("choices")
    if isinstance(cell, dict):  # CommonsenseQA: the choices lie beside the stem
        if not (text := record.as_text("question", cell.get("stem"))):
            raise record.error("question", "an object without the text 'stem'")
        return text, cell.get("choices") if choices is None else choices, None
    if "messages" in record.row and not {"question", "question_stem"} & set(record.row):
        text, said = _chat(record)
        return text, choices, said
    return record.text("question", "question_stem"), choices, None


def _chat(record: Record) -> tuple[str, str | None]:
    """What the system and the user say, and what the assistant answers."""
    cell = record.row["messages"]
    turns = record.structured("messages", cell) if isinstance(cell, str) else cell
    if not isinstance(turns, list) or not all(isinstance(turn, dict) and "role" in turn for turn in turns):
        raise record.error("messages", "expected a list of objects with 'role' and 'content'")
    roles = [record.as_text("messages", turn["role"]) for turn in turns]
    if roles not in (["user"], ["system", "user"], ["user", "assistant"], ["system", "user", "assistant"]):
        said = ", ".join(roles) or "none"
        raise record.error("messages", f"turns of {said[:80]}: expected one of the user, and of the others one at most")
    contents = {role: record.as_text("messages", turn.get("content")) for role, turn in zip(roles, turns, strict=True)}
    if not contents["user"]:
        raise record.error("messages", "nothing in the user's turn")
    asked = [contents[role] for role in ("system", "user") if contents.get(role)]
    return "\n\n".join(asked), contents.get("assistant")


def _choices(record: Record, cell: Any) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The choices, their labels if they have any, and whether the file has them as texts."""
    if isinstance(cell, str):
        cell = record.structured("choices", cell)
    if isinstance(cell, str):
        cell = _cut(record, cell) if cell.strip() else []
    labels: list[Any] = []
    if isinstance(cell, dict):  # ARC: {"text": [...], "label": [...]}
        cell, labels = cell.get("text"), cell.get("label") or []
        if not isinstance(cell, list) or not isinstance(labels, list) or len(labels) not in (0, len(cell)):
            raise record.error("choices", "an object: expected the list 'text' in it, and 'label' of the same length")
    elif isinstance(cell, list) and cell and all(isinstance(item, dict) for item in cell):
        if not all("text" in item for item in cell):
            raise record.error("choices", "a list of objects: expected 'text' in each, and perhaps 'label'")
        labels = [item["label"] for item in cell if "label" in item]
        if len(labels) not in (0, len(cell)):
            raise record.error("choices", "a list of objects: expected 'label' in each or in none")
        cell = [item["text"] for item in cell]
    if cell is not None and not isinstance(cell, list):
        raise record.error("choices", f"expected a list, not {record.as_text('choices', cell)[:40]}")
    items: list[Any] = cell or []
    if len(items) > MAX_CHOICES:
        raise record.error("choices", f"{len(items)} of them: expected {MAX_CHOICES} at most")
    choices = tuple(record.as_text("choices", item) for item in items)
    named = tuple(record.as_text("choices", label) for label in labels)
    if len(choices) == 1:
        raise record.error("choices", f"expected two or more, not only {choices[0]!r}")
    for what, texts in (("", choices), ("label ", named)):
        if "" in texts:
            raise record.error("choices", f"{what or 'one of them '}is empty")
        if len(set(texts)) < len(texts):
            again = next(text for text in texts if texts.count(text) > 1)
            raise record.error("choices", f"{what}{again!r} is there more than once")
    return choices, named, all(isinstance(item, str) for item in items)


def _cut(record: Record, cell: str) -> list[str]:
    """A text cut at its bars, none of which may belong to a choice."""
    parts = cell.split("|")
    if cell.lstrip()[:2] in ('["', "[{", '{"'):
        raise record.error("choices", f"it begins as JSON does, and is none: {cell[:40]!r}")
    if _is_bracketed(cell) and not all(map(_is_bracketed, parts)):
        raise record.error("choices", f"a bar stands between brackets: expected a JSON list, not {cell[:40]!r}")
    return parts


def _is_bracketed(text: str) -> bool:
    """Whether every bracket in a text has its other half."""
    begun: list[str] = []
    for mark in text:
        if mark in "([{":
            begun.append(mark)
        elif mark in ")]}" and (not begun or begun.pop() + mark not in ("()", "[]", "{}")):
            return False
    return not begun


def _answers(record: Record, column: str, cell: Any) -> list[str]:
    """All right answers of a row; a student learns the first."""
    several = column in ("answers", "aliases")
    if isinstance(cell, str) and (several or suffix_of(Path(record.source)) in (".csv", ".tsv")):
        parsed = record.structured(column, cell)
        # In a column of answers, a text such as "[1, 2]" is an answer unless it is in a form that holds several.
        cell = parsed if several or (isinstance(parsed, dict) and {"value", "text"} & set(parsed)) else cell
    if isinstance(cell, dict):
        if "value" in cell:  # TriviaQA
            aliases = cell.get("aliases") or []
            cell = [cell["value"], *(aliases if isinstance(aliases, list) else [aliases])]
        elif "text" in cell:  # SQuAD
            cell = cell["text"]
        else:
            raise record.error(column, "an object: expected 'value' or 'text' in it")
    texts = [record.as_text(column, item) for item in (cell if isinstance(cell, list) else [cell])]
    return [text for text in texts if text]


def _pool(record: Record) -> Pool:
    split = record.optional("split") or "any"
    for pool in get_args(Pool):
        if split == pool:
            return cast(Pool, pool)
    unknown = unknown_name("split", split, [pool for pool in get_args(Pool) if pool != "any"])
    raise record.error("split", str(unknown))


# The right choice


def _by_text(asked: ParsedRow) -> str | None:
    return asked.answer if asked.answer in asked.choices and not asked.numeric else None


def _by_label(asked: ParsedRow) -> str | None:
    lettered = asked.column == "answerKey" or (asked.column == "answer" and _by_text(asked) is None)
    labels = asked.labels or (LETTERS if lettered and not asked.numeric else ())
    named = dict(zip(labels, asked.choices, strict=False))
    return named.get(asked.answer or "")


def _by_index(asked: ParsedRow) -> str | None:
    answer = asked.answer or ""
    if asked.column != "answer" or not (answer.isascii() and answer.isdecimal()) or len(answer) > len(str(MAX_CHOICES)):
        return None
    return asked.choices[int(answer)] if int(answer) < len(asked.choices) else None


_READINGS: Mapping[str, Callable[[ParsedRow], str | None]] = {
    "text": _by_text,
    "label": _by_label,
    "index from 0": _by_index,
}


def right_choices(rows: Sequence[ParsedRow]) -> Iterator[str | None]:
    """The right choice of every row; whether answers are texts, labels or indices is decided once, for all rows.

    Raises:
        InputError: An answer names no choice, or it is not clear which one.
    """
    answered = [(asked, {name: read(asked) for name, read in _READINGS.items()}) for asked in rows if asked.answer]
    fitting = list(_READINGS)
    refuse([(asked.record, _no_choice(asked)) for asked, found in answered if not any(found.values())])
    for asked, found in answered:
        if not (still := [name for name in fitting if found[name] is not None]):
            here = " or ".join(name for name in _READINGS if found[name] is not None)
            raise asked.record.error(
                asked.column,
                f"{asked.answer!r} is the {here} of a choice, and earlier answers are each the {' or '.join(fitting)}: "
                "expected the same in the whole file",
            )
        fitting = still
    reading = fitting[0]
    doubtful = [(asked, found) for asked, found in answered if len(set(found.values()) - {None}) > 1]
    clear = sum(list(found.values()).count(None) == len(found) - 1 for _, found in answered)
    if doubtful and (len(fitting) > 1 or clear < len(doubtful)):
        asked, found = doubtful[0]
        ways = " and ".join(f"as {name} {choice!r}" for name, choice in found.items() if choice is not None)
        raise asked.record.error(
            asked.column, f"{asked.answer!r} may mean two choices: {ways}: write letters, in a column answerKey"
        )
    right = [_READINGS[reading](asked) if asked.answer else None for asked in rows]
    for asked, choice in zip(rows, right, strict=True):
        _check_key(asked, choice)
    if answered:
        source = answered[0][0].record.source
        _log.info("%s: every answer is read as the %s of a choice", source, reading)
        if reading == "index from 0" and len(answered) >= _MANY and all(asked.answer != "0" for asked, _ in answered):
            _log.warning(
                "%s: answers are read as indices from 0, and none is 0: if they count from 1, each is one too far; "
                "letters in a column answerKey leave no doubt",
                source,
            )
    return iter(right)


def _check_key(asked: ParsedRow, choice: str | None) -> None:
    """Make sure that a label beside the answer names the same choice."""
    key = asked.record.row.get("answerKey")
    if asked.column != "answer" or key is None:
        return
    other = _by_label(replace(asked, column="answerKey", answer=asked.record.as_text("answerKey", key)))
    if other is not None and other != choice:
        raise asked.record.error("answerKey", f"{key!r} is the choice {other!r}, and answer says {choice!r}")


def _no_choice(asked: ParsedRow) -> InputError:
    answer, choices = (
        asked.answer or "",
        asked.labels if asked.column == "answerKey" and asked.labels else asked.choices,
    )
    near = difflib.get_close_matches(answer, choices, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(choices[:20]) + (", …" if len(choices) > 20 else "")
    index = ", or its letter, or its index from 0" if asked.column == "answer" else ""
    return asked.record.error(asked.column, f"{answer!r} is no choice: expected one of {known}{index}{hint}")
