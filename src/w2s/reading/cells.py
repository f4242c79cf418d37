"""What a cell says: as text, as JSON, and kept from being taken for a formula."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MAX_DEPTH",
    "NUMBER",
    "Rows",
    "guarded",
    "parse_json",
    "refuse_twice",
    "text_of",
    "texts_of",
    "unguarded",
    "without_parts",
]

MAX_DEPTH = 64
"""How deeply lists and objects may lie in one another: far more than any data needs, far less than a stack holds."""

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf")
_WHOLE = re.compile(r"(-?\d+)\.0+")
_FORMULA = re.compile(r"'*([=+\-@\t\r].*)", re.DOTALL)
_JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a file.

    Attributes:
        columns: Their names, in the order of the file.
        cells: The rows, by column; a cell of a CSV file is a text, or None where there is nothing in it.
        lines: The line on which each row begins, where that is not simply its number, the header counted.
        typeless: Whether all cells are texts and a table must find out their types: CSV.
        quoted: The columns of a CSV file with a cell in quotes: texts, whatever they look like.
    """

    columns: tuple[str, ...]
    cells: list[dict[str, Any]]
    lines: list[int] | None = None
    typeless: bool = False
    quoted: frozenset[str] = frozenset()


class _Number(float):
    """A number of a JSON file that is no integer, and how it is written there: 3.10 is not 3.1 in an answer."""

    literal: str

    def __new__(cls, literal: str) -> _Number:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def without_parts(content: Any) -> Any:
    """The content of a chat's message as one text, where it is in parts: those of text, and not of thinking."""
    if not isinstance(content, list):
        return content
    parts = [part for part in content if isinstance(part, dict) and part.get("type") in ("text", "output_text")]
    return "".join(str(part.get("text") or "") for part in parts)


def text_of(cell: object) -> str | None:
    """A cell as text, exactly as the file has it; None where it is missing.

    A number without a fraction is the same text whether the file says 8 or, as for a column with gaps, 8.0.

    Raises:
        ValueError: It is a list, an object or bytes.
    """
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        literal = cell.literal if isinstance(cell, _Number) else repr(cell)
        whole = _WHOLE.fullmatch(literal)
        return whole[1] if whole else literal
    if isinstance(cell, list | tuple | dict | bytes):
        kind = {dict: "an object", bytes: "bytes"}.get(type(cell), "a list")
        raise ValueError(f"expected a text, not {kind}")
    return str(cell)


def guarded(text: str) -> str:
    """A text for a CSV file that no spreadsheet takes for a formula: with an apostrophe before it, if need be.

    A number stays as it is. `reading` takes the apostrophe off again, of cells in quotes as `tables` writes them.
    """
    match = _FORMULA.fullmatch(text)
    return text if match is None or NUMBER.fullmatch(match[1]) else f"'{text}"


def unguarded(cell: str) -> str:
    """The text that `guarded` was given; any other cell as it is."""
    return cell[1:] if cell[:1] == "'" and guarded(cell[1:]) == cell else cell


def parse_json(text: str) -> Any:
    """The value of a JSON text; NaN in it is null, and numbers keep their spelling for `text_of`.

    Raises:
        ValueError: It is not JSON, names a key twice, lies too deep, or holds half a character.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH:
        depth = 0
        for token in _JSON_TOKEN.finditer(text):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            if depth > MAX_DEPTH:
                raise ValueError(f"lists and objects lie more than {MAX_DEPTH} deep in one another")
    value = _DECODER.decode(text)
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {again!r} is there twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_Number,
    parse_constant=lambda name: None if name == "NaN" else float(name),
)


def texts_of(path: Path, name: str, cells: Sequence[object]) -> pa.Array:
    """A column of texts.

    Raises:
        InputError: A cell is none.
    """
    import pyarrow as pa

    texts = []
    for number, cell in enumerate(cells, start=1):
        try:
            texts.append(text_of(cell))
        except ValueError as error:
            raise InputError(f"{path}, row {number}, column {name!r}: {error}") from None
    return pa.array(texts, pa.string())


def refuse_twice(path: Path, names: Sequence[str]) -> None:
    """Make sure that every column has a name of its own.

    Raises:
        InputError: Two have the same.
    """
    if again := [name for name in names if names.count(name) > 1]:
        places = [str(place) for place, name in enumerate(names, start=1) if name == again[0]]
        raise InputError(f"{path}: two columns are named {again[0]!r}: columns {' and '.join(places)}")
