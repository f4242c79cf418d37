"""Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2s.errors import InputError
from w2s.reading.cells import Rows, refuse_twice
from w2s.reading.unpacking import bomb, bytes_of, is_zipped, most_unpacked

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet

__all__ = ["in_shortest_spelling", "parquet_columns", "parquet_rows", "parquet_table"]


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        source = pa.BufferReader(bytes_of(path)) if is_zipped(path) else path
        return tuple(pyarrow.parquet.read_schema(source).names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def parquet_rows(path: Path) -> Rows:
    """The rows of a Parquet file; times in it are texts."""
    import pyarrow as pa

    table = parquet_table(path)
    try:
        for index, field in enumerate(table.schema):
            if pa.types.is_temporal(field.type):
                table = table.set_column(index, field.name, table.column(index).cast(pa.string()))
            if pa.types.is_float32(field.type):
                table = table.set_column(index, field.name, in_shortest_spelling(table.column(index)))
        return Rows(columns=tuple(table.column_names), cells=table.to_pylist())
    except (pa.ArrowException, ValueError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def in_shortest_spelling(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A float32 column in float64, as it was written: 0.1, not 0.10000000149011612."""
    import pyarrow as pa

    return column.cast(pa.string()).cast(pa.float64())


def parquet_table(path: Path) -> pa.Table:
    """A Parquet file as a table, with texts of one type, and NaN as null."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet

    try:
        source = pa.BufferReader(bytes_of(path)) if is_zipped(path) else path
        file = pyarrow.parquet.ParquetFile(source)
        _check_size(path, file.metadata)
        table = file.read()
        table.validate(full=True)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    refuse_twice(path, table.column_names)
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        table = table.set_column(index, field.name, column)
    return table


def _check_size(path: Path, metadata: pyarrow.parquet.FileMetaData) -> None:
    """A value that repeats takes no room in a file: some hundred bytes may hold billions of rows."""
    size = path.stat().st_size
    columns = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    for what, held in (
        ("values", sum(column.num_values for column in columns)),
        ("bytes", sum(column.total_uncompressed_size for column in columns)),
    ):
        if held > most_unpacked(size):
            raise InputError(bomb(path, size, what))
