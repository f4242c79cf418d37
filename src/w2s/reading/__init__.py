"""The one reader of rows and tables: CSV, TSV, JSONL, JSON arrays and Parquet, each of them gzipped as well.

What is text in the file stays text: no "007" becomes 7, no two long ids become one, and nothing structured
becomes Python's way of writing it. Missing are null, NaN and a cell with nothing in it; the words "NA", "null"
and "nan" in a CSV file are words. What cannot be read rightly is refused in one line that says where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from w2s.errors import InputError
from w2s.reading.cells import Rows, guarded, parse_json, text_of, texts_of
from w2s.reading.csv_files import csv_column, csv_columns, csv_rows
from w2s.reading.json_files import json_column, json_rows
from w2s.reading.parquet_files import in_shortest_spelling, parquet_columns, parquet_rows, parquet_table
from w2s.reading.texts import check_encoding, decoded
from w2s.reading.unpacking import EXPECTED, SUFFIXES, stem_of, suffix_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "EXPECTED",
    "SUFFIXES",
    "Rows",
    "check_encoding",
    "columns_of",
    "guarded",
    "parse_json",
    "read_rows",
    "read_table",
    "stem_of",
    "suffix_of",
    "text_of",
]


def read_rows(path: Path, columns: Sequence[str] = (), encoding: str | None = None) -> Rows:
    """Read the rows of a file, by the name's suffix.

    Args:
        path: The file.
        columns: The columns of a CSV file that has no header.
        encoding: Of its text; by default UTF-8, or what a byte order mark says.

    Raises:
        InputError: The file is missing, empty, of another kind or encoding, or broken.
    """
    suffix = _checked(path, encoding)
    if suffix == ".parquet":
        return parquet_rows(path)
    text = decoded(path, suffix, columns, encoding)
    return csv_rows(path, text, columns, suffix) if suffix in (".csv", ".tsv") else json_rows(path, text, suffix)


def columns_of(path: Path, encoding: str | None = None) -> tuple[str, ...]:
    """The columns of a file, without its rows where that can be; of JSONL those of its first row.

    Raises:
        InputError: The file is missing, empty, of another kind or encoding, or broken where it was looked at.
    """
    suffix = _checked(path, encoding)
    if suffix == ".parquet":
        return parquet_columns(path)
    text = decoded(path, suffix, (), encoding)
    if suffix in (".csv", ".tsv"):
        return csv_columns(text, suffix)
    if suffix == ".jsonl" and not text.lstrip().startswith("["):
        begin = len(text) - len(text.lstrip())
        text = text[: max(text.find("\n", begin), 0) or None]
    return json_rows(path, text, suffix).columns


def read_table(path: Path, types: Mapping[str, pa.DataType], encoding: str | None = None) -> pa.Table:
    """Read a file as a table.

    Args:
        path: The file.
        types: Of the columns whose type is known. A text column is one from the first byte on. The others
            get the type that all their cells have; a column of a CSV file only one that loses nothing.
        encoding: As for `read_rows`.

    Raises:
        InputError: The file is missing, empty, of another kind or encoding, or broken.
    """
    import pyarrow as pa

    if _checked(path, encoding) == ".parquet":
        table = parquet_table(path)
        for index, name in enumerate(table.column_names):
            kind, column = types.get(name), table.column(index)
            if kind == pa.string() and column.type != kind:
                column = in_shortest_spelling(column) if pa.types.is_float32(column.type) else column
                table = table.set_column(index, name, texts_of(path, name, column.to_pylist()))
        return table
    rows = read_rows(path, encoding=encoding)
    found = {}
    for name in rows.columns:
        cells = [row.get(name) for row in rows.cells]
        if types.get(name) == pa.string():
            found[name] = texts_of(path, name, cells)
        elif name in types and all(cell is None for cell in cells):
            found[name] = pa.nulls(len(cells), types[name])
        elif rows.typeless:
            found[name] = csv_column(cells, types.get(name, pa.string() if name in rows.quoted else None))
        else:
            found[name] = json_column(cells)
    return pa.table(found)


def _checked(path: Path, encoding: str | None) -> str:
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    if (suffix := suffix_of(path)) not in SUFFIXES:
        raise InputError(f"{path}: expected a file named {EXPECTED}, not {(suffix or path.suffix)!r}")
    if encoding is not None and suffix == ".parquet":
        raise InputError(f"{path} is Parquet, whose texts are always UTF-8: it cannot be read as {encoding}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    return suffix
