"""JSONL, and JSON files with an array of all rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError
from w2s.reading.cells import Rows, parse_json, text_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["json_column", "json_rows"]


def json_rows(path: Path, text: str, suffix: str) -> Rows:
    """The rows of a JSON text: an object a line, an array of objects or, in a `.json` file, one object."""
    values: list[Any] = []
    lines: list[int] | None = None
    if text.lstrip()[:1] == "[":  # an array of all rows
        values = _value(path, "", text)
        kind = "row"
    elif suffix == ".json" and (whole := _single(text)) is not None:
        values, kind = [whole], "row"
    else:
        lines, kind = [], "line"
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                values.append(_value(path, f", line {number}", line))
                lines.append(number)
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            at = lines[number - 1] if lines else number
            raise InputError(f"{path}, {kind} {at}: expected a JSON object, not {json.dumps(value)[:40]!r}")
    columns = tuple(dict.fromkeys(name for row in values for name in row))
    return Rows(columns=columns, cells=values, lines=lines)


def _value(path: Path, where: str, text: str) -> Any:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""
        raise InputError(f"{path}{where}: not JSON: {line}{error.msg} at character {error.colno}") from None
    except UnicodeEncodeError:
        raise InputError(f"{path}{where}: an escape such as \\ud800 that is half a character") from None
    except ValueError as error:  # also a number of thousands of digits
        raise InputError(f"{path}{where}: {error}") from None


def _single(text: str) -> dict[str, Any] | None:
    """The object that a whole text is, written on several lines."""
    if "\n" not in text.strip():
        return None
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def json_column(cells: list[Any]) -> pa.Array:
    """A column of the type that all its cells have, or of texts where they have several."""
    import pyarrow as pa

    large = any(isinstance(cell, int) and cell >= 2**63 for cell in cells)  # inference knows signed integers only
    try:
        return pa.array(cells, pa.uint64() if large else None)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        # Of several types: as texts, and what is structured as JSON.
        return pa.array([_json_text(cell) for cell in cells], pa.string())


def _json_text(cell: object) -> str | None:
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else text_of(cell)
