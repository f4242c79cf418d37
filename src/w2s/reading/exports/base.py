"""What a file of another tool holds, in one form: what was asked, who answered, and what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from w2s.errors import InputError
from w2s.reading.cells import Rows, text_of
from w2s.reading.unpacking import stem_of

__all__ = [
    "Export",
    "File",
    "Format",
    "Given",
    "Item",
    "Wanted",
    "one_of",
    "reading_row",
    "row_error",
    "single_text",
    "texts_in",
]


class File(NamedTuple):
    """A file to read.

    Attributes:
        path: Where it is.
        name: What a supervisor is called that the file does not name.
        rows: What is in it.
    """

    path: Path
    name: str
    rows: Rows


class Wanted(NamedTuple):
    """What the user says of an export.

    Attributes:
        answer: Which of its answers, where it has several.
        who: The column that names the supervisor, where the export has no place of its own for it.
    """

    answer: str | None = None
    who: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What was asked.

    Attributes:
        own: The export's own id of it.
        fields: The texts that come with it, by name: among them the question's id or its text.
        options: What was chosen among, in one order; several wordings of it, as a letter and what stands there.
    """

    own: str
    fields: Mapping[str, str]
    options: tuple[tuple[str, ...], ...] = ()


class Given(NamedTuple):
    """One answer.

    Attributes:
        item: The index of what was asked.
        who: The annotator, or the model.
        answer: A label or a text; None where there is none.
        chosen: The index of the option that was chosen, in place of `answer`.
        logprobs: (options,) in nats, where they are known.
    """

    item: int
    who: str
    answer: str | None
    chosen: int | None = None
    logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Export:
    """What the files of one tool hold.

    Attributes:
        items: What was asked.
        answers: All answers.
        counts: What else there is to count, such as how many were skipped, in words.
        notes: What else a reader should know, a sentence each.
        written: Whether answers are texts that a model wrote, from which an answer must be parsed.
    """

    items: Sequence[Item]
    answers: Sequence[Given]
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()
    written: bool = False


@dataclass(frozen=True, kw_only=True)
class Format:
    """A form that a tool exports its answers in.

    Attributes:
        name: What users call it.
        title: With its article, for a sentence.
        asked: What it calls what was asked, in the plural.
        own: The column of its own id.
        by_people: Whether annotators answered, or else models.
        recognizes: Whether a file with these columns is one.
        read: Reads the files.
        called: What a supervisor is called that the file at a path does not name.
        is_nested: Whether a file with these columns is of the nested kind, of a tool that writes flat files as well.
        flat: Whether a CSV file with these columns is one; of lists in its cells nothing but their looks would be left.
        version: Raised when a change of its code changes the results.
    """

    name: str
    title: str
    asked: str
    own: str
    by_people: bool
    recognizes: Callable[[Collection[str]], bool]
    read: Callable[[Sequence[File], Wanted], Export]
    called: Callable[[Path], str] = stem_of
    is_nested: Callable[[Collection[str]], bool] = lambda columns: True
    flat: Callable[[Collection[str]], bool] = lambda columns: False
    version: int = 1


@contextmanager
def reading_row(file: File, number: int) -> Iterator[None]:
    """What is read in this block is one row: where it is not as the tool writes it, the error says which.

    Raises:
        InputError: Something in the row is of another type than the tool writes.
    """
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{file.path}, row {number}: not as the tool writes it: {error}") from error


def row_error(file: File, number: int, expected: str) -> InputError:
    """An error for a row that is not as the format has it; numbers count from 1."""
    return InputError(f"{file.path}, row {number}: expected {expected}")


def texts_in(cells: Mapping[str, Any]) -> dict[str, str]:
    """The cells that say something and are neither lists nor objects, as texts."""
    return {
        str(name): text
        for name, cell in cells.items()
        if not isinstance(cell, list | tuple | dict | bytes) and (text := text_of(cell)) and text.strip()
    }


def single_text(value: Any) -> str | None:
    """A value as a text, also where it is alone in a list; None where there is none, or several.

    Raises:
        ValueError: It is an object.
    """
    if isinstance(value, list | tuple):
        return single_text(value[0]) if len(value) == 1 else None
    return text_of(value)


def one_of(files: Sequence[File], found: Sequence[str], wanted: str | None, *, what: str) -> str:
    """The one that the user named, or the only one.

    Raises:
        InputError: There is none, none of that name, or several of which none was named.
    """
    if wanted in found and wanted is not None:
        return wanted
    if wanted is not None or len(found) > 1:
        said = f"{wanted!r} is none of its" if wanted is not None else "it has several"
        raise InputError(f"{files[0].path}: {said} {what}: expected columns.answer to name one of {', '.join(found)}")
    if not found:
        raise InputError(f"{files[0].path}: it has no {what}")
    return found[0]
