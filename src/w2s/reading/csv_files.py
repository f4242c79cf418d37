"""CSV and TSV, with the mark between their cells found out, and types that lose nothing of the texts."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError
from w2s.reading.cells import NUMBER, Rows, parse_json, refuse_twice, unguarded

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["csv_column", "csv_columns", "csv_rows", "delimiter_of", "is_headed", "split_records"]

_log = logging.getLogger(__name__)

_PLAIN_INTEGER = re.compile(r"0|-?[1-9]\d*")
_PLAIN_FRACTION = re.compile(r"-?\d[\d.e+-]*")


def split_records(text: str, delimiter: str) -> Iterator[tuple[int, list[str | None], set[int]]]:
    """The records of a CSV text: where each begins, its cells, and which of them are in quotes."""
    mark = re.escape(delimiter)
    pattern = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|((?!")[^{mark}\r\n]*))({mark}|\r\n|\r|\n|\Z)')
    start = position = 0
    cells: list[str | None] = []
    quoted: set[int] = set()
    while position < len(text) or cells:
        match = pattern.match(text, position)
        if match is None:
            ends = re.compile(r'"[^"]*(?:""[^"]*)*"').match(text, position)
            what = f"{text[ends.end()]!r} comes after the closing quote" if ends else "a quote is never closed"
            line = text.count("\n", 0, position) + 1
            raise ValueError(f"line {line}, column {len(cells) + 1}: {what}")
        inside, plain, end = match.groups()
        if inside is not None:
            quoted.add(len(cells))
            cells.append(inside.replace('""', '"'))
        else:
            cells.append(plain or None)
        position = match.end()
        if end != delimiter:
            yield start, cells, quoted
            start, cells, quoted = position, [], set()


def delimiter_of(text: str, columns: Sequence[str], suffix: str) -> str:
    """What stands between the cells of the first record: the mark that makes the most of it, or the right number."""
    if suffix == ".tsv":
        return "\t"

    def cells(delimiter: str) -> tuple[bool, int]:
        try:
            _, first, _ = next(split_records(text, delimiter), (0, [], set()))
        except ValueError:
            return False, 0
        return bool(columns) and len(first) == len(columns), len(first)

    return max(",;\t", key=cells)


def csv_columns(text: str, suffix: str) -> tuple[str, ...]:
    """What the first record of a CSV text calls the columns; none where it cannot be read."""
    try:
        records = split_records(text, delimiter_of(text, (), suffix))
        cells, quoted = next(((cells, quoted) for _, cells, quoted in records if any(cells)), ([], set()))
    except ValueError:
        return ()
    return tuple(_names(cells, quoted))


def csv_rows(path: Path, text: str, columns: Sequence[str], suffix: str) -> Rows:
    """The rows of a CSV text, with or without a header."""
    delimiter = delimiter_of(text, columns, suffix)
    if delimiter != "," and suffix == ".csv":
        _log.info("%s: read as cells with %r between them", path, delimiter)
    try:
        # A line with nothing on it is no row.
        records = [record for record in split_records(text, delimiter) if record[1] != [None]]
    except ValueError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not records:
        raise InputError(f"{path} is empty: it has no rows")
    _, first, first_quoted = records[0]
    head = _names(first, first_quoted)
    headed = is_headed(head, columns)
    header = head if headed else list(columns)
    starts, body, quotes = zip(*records[headed:], strict=True) if records[headed:] else ((), (), ())
    lines = _lines(text, starts)
    width = len(header)
    for number, cells in enumerate(body, start=1):
        if len(cells) > width and not any(cells[width:]):
            del cells[width:]  # a spreadsheet's empty cells
        if headed and width > 1 and [(cell or "").lstrip("\ufeff") for cell in cells] == header:
            raise InputError(
                f"{path}, row {number}: it is the header again, as where two files were joined: take it out"
            )
        if len(cells) != width:
            at = f"row {number}" + (f" (line {lines[number - 1]})" if lines[number - 1] != number + headed else "")
            raise InputError(f"{path}, {at}: expected {width} cells, as in the header, not {len(cells)}")
    kept = _named(path, header, body)
    refuse_twice(path, [header[index] for index in kept])
    _take_guards_off(
        path, header, body, quotes if headed and _is_as_we_write(first, first_quoted) else [()] * len(body)
    )
    quoted = set().union(*quotes)
    return Rows(
        columns=tuple(header[index] for index in kept),
        cells=[{header[index]: cells[index] for index in kept} for cells in body],
        lines=None if lines == list(range(1 + headed, 1 + headed + len(lines))) else lines,
        typeless=True,
        quoted=frozenset(header[index] for index in kept if index in quoted),
    )


def _is_as_we_write(header: Sequence[str | None], quoted: Collection[int]) -> bool:
    """Whether all names of the columns are in quotes, as `tables.write_table` has them; few other programs do that."""
    return len(quoted) == len(header)


def _names(header: Sequence[str | None], quoted: Collection[int]) -> list[str]:
    """The names of the columns, without the apostrophe of `guarded` where we may have written it."""
    names = [(cell or "").strip() for cell in header]
    return [unguarded(name) for name in names] if _is_as_we_write(header, quoted) else names


def _take_guards_off(
    path: Path, header: Sequence[str], body: Sequence[list[str | None]], ours: Sequence[Collection[int]]
) -> None:
    """Take the apostrophe of `guarded` off, in place, and say of which columns; what we cannot have written stays.

    Args:
        path: The file.
        header: Its columns.
        body: Its rows.
        ours: Which cells of each row are in quotes, as we write texts; none of a file that is not ours.
    """
    found: dict[tuple[int, bool], list[int]] = {}
    for number, (cells, quoted) in enumerate(zip(body, ours, strict=True), start=1):
        for index, cell in enumerate(cells):
            if cell is None or cell[:1] != "'" or (text := unguarded(cell)) == cell:
                continue
            found.setdefault((index, index in quoted), []).append(number)
            if index in quoted:
                cells[index] = text
    for (index, taken), rows in found.items():
        _log.info(
            "%s: cells of column %r with the apostrophe that w2s puts before formulas: %d, first in row %d: %s",
            *(path, header[index], len(rows), rows[0]),
            "it is taken off" if taken else "it stays, since w2s would have written them in quotes",
        )


def is_headed(first: Sequence[str | None], columns: Sequence[str]) -> bool:
    """Whether the first record names columns: all files have such a header, but for those with known columns."""
    return not columns or bool(set(columns) & set(first))


def _lines(text: str, starts: Sequence[int]) -> list[int]:
    lines, line, position = [], 1, 0
    newline = "\n" if "\n" in text else "\r"
    for start in starts:
        line += text.count(newline, position, start)
        position = start
        lines.append(line)
    return lines


def _named(path: Path, header: Sequence[str], body: Sequence[Sequence[str | None]]) -> list[int]:
    """The columns with a name. Others hold nothing, or the numbers that a data frame puts before its rows."""
    kept = [index for index, name in enumerate(header) if name]
    for index, name in enumerate(header):
        if name:
            continue
        cells = [row[index] for row in body]
        if (
            index == 0
            and kept
            and body
            and cells in ([*map(str, range(len(body)))], [*map(str, range(1, len(body) + 1))])
        ):
            _log.info("%s: the first column has no name and only counts the rows: left out", path)
        elif filled := [number for number, cell in enumerate(cells, start=1) if cell]:
            cell = cells[filled[0] - 1]
            raise InputError(f"{path}: column {index + 1} has no name, and {str(cell)[:40]!r} in row {filled[0]}")
        else:
            _log.info("%s: column %d has no name and nothing in it: left out", path, index + 1)
    if not kept:
        raise InputError(f"{path}: no column has a name")
    return kept


def csv_column(cells: list[str | None], kind: pa.DataType | None) -> pa.Array:
    """A column with the type that it says it has or, where it says none, one that loses nothing of its texts."""
    import pyarrow as pa

    texts = [cell for cell in cells if cell is not None]

    def make(convert: Any, to: pa.DataType) -> pa.Array:
        return pa.array([None if cell is None else convert(cell) for cell in cells], to)

    try:
        if kind is not None:
            if pa.types.is_list(kind):
                return make(_list, kind)
            if pa.types.is_floating(kind) and all(map(NUMBER.fullmatch, texts)):
                return make(float, pa.float64())
        if kind == pa.string() or not texts:
            return pa.array(cells, pa.string())
        if all(map(_PLAIN_INTEGER.fullmatch, texts)):
            return _integers([None if cell is None else int(cell) for cell in cells])
        if all(_PLAIN_FRACTION.fullmatch(text) and repr(float(text)) == text for text in texts):
            return make(float, pa.float64())
        if set(texts) <= {"true", "false"}:
            return make("true".__eq__, pa.bool_())
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    return pa.array(cells, pa.string())


def _integers(cells: list[int | None]) -> pa.Array:
    import pyarrow as pa

    return pa.array(cells, pa.uint64() if any(cell is not None and cell >= 2**63 for cell in cells) else pa.int64())


def _list(cell: str) -> list[Any]:
    value = parse_json(cell)
    if not isinstance(value, list):
        raise ValueError("expected a JSON list")
    return value
