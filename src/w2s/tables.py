"""The tables that pass from stage to stage: their columns, and how they are read and written.

Arrow in memory, Parquet on disk; CSV and JSONL are read and written as well. A schema here is what a
stage promises to the next one. A table from elsewhere may carry more columns, in any order: `check`
keeps the named ones first and leaves the others alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s import reading
from w2s.errors import InputError, unknown_name
from w2s.files import written_beside

__all__ = [
    "ALIASES",
    "ANSWERS",
    "GOLD",
    "PREDICTIONS",
    "QUESTIONS",
    "QUESTIONS_FILE",
    "SCORED",
    "TRAINING_SET",
    "Unparsed",
    "carried",
    "check",
    "check_suffix",
    "csv_text",
    "read_columns",
    "read_table",
    "taken",
    "write_table",
    "write_tables",
]

logger = logging.getLogger(__name__)

QUESTIONS = pa.schema(
    {
        "question_id": pa.string(),
        "split": pa.string(),  # weak_train, transfer or test
        "text": pa.string(),
        "choices": pa.list_(pa.string()),  # canonical answers; null where the answer is free
        "fields": pa.string(),  # a JSON object: what else the task's templates may name
        "paraphrases": pa.list_(pa.string()),  # other wordings of the question; null where there are none
    }
)
QUESTIONS_FILE = "questions.parquet"
"""The file of such a table in the folder of a step."""

GOLD = pa.schema({"question_id": pa.string(), "split": pa.string(), "answer": pa.string()})
ALIASES = pa.field("aliases", pa.list_(pa.string()))  # of gold, where a question has other right answers as well

# No gold column, here or in what follows from it: a student must never see one.
ANSWERS = pa.schema(
    {
        "question_id": pa.string(),
        "variation": pa.int32(),
        "prompt": pa.string(),  # the task's own: what a student is asked
        "completion": pa.string(),  # the answer as a student learns to write it
        "asked": pa.string(),  # what the supervisor was asked, where that is not the prompt
        "response": pa.string(),  # as the supervisor gave it
        "answer": pa.string(),  # canonical; null = could not be parsed
        "position": pa.int32(),  # where the prompt names the chosen option, from 0; null = nowhere
        "choices": pa.list_(pa.string()),  # the question's canonical answers; null where the answer is free
        "completions": pa.list_(pa.string()),  # how a student writes each of them
        "choice_logprobs": pa.list_(pa.float32()),  # in the order of the choices
        "positions": pa.list_(pa.int32()),  # where the prompt names each of the choices, from 0
        "supervisor": pa.string(),
    }
)
SCORED = pa.schema(
    [
        *ANSWERS,
        pa.field("vote_share", pa.float64()),
        pa.field("entropy", pa.float64()),  # of the votes, in nats
        pa.field("reliability", pa.float64()),  # of the votes estimator
        pa.field("confidence", pa.float64()),  # of the row's answer, from 0 to 1
        pa.field("uncertainty", pa.float64()),  # of the question
        pa.field("posterior", pa.list_(pa.float64())),  # over the choices, where the estimator has one
    ]
)
TRAINING_SET = pa.schema(
    {
        "prompt": pa.string(),
        "completion": pa.string(),
        "weight": pa.float32(),
        "question_id": pa.string(),
        "variation": pa.int32(),
        "answer": pa.string(),  # canonical, of the completion: lets analysis count what was kept
        "group": pa.int64(),  # rows of one group are the options of one prompt, weighted; null = alone
    }
)
PREDICTIONS = pa.schema(
    {
        "question_id": pa.string(),
        "answer": pa.string(),
        "correct": pa.bool_(),
        "completion": pa.string(),
        "choice_logprobs": pa.list_(pa.float32()),
    }
)

Unparsed = Literal["class", "drop_question", "drop_answer"]
"""What becomes of an answer that could not be parsed: a class of its own, or it, or its question, is dropped."""

_TYPES = {
    field.name: field.type for schema in (QUESTIONS, [ALIASES], SCORED, TRAINING_SET, PREDICTIONS) for field in schema
}
_TYPES["annotator"] = _TYPES["supervisor"]
_CARRIED = b"w2s."  # what begins so in a table's metadata goes with its rows from stage to stage
_BATCH = 4096  # rows that are made into text at once
_AT_ONCE, _PIECE = 1 << 28, 1 << 18  # bytes of a table of which rows are taken at once; else so many rows


def check(table: pa.Table, schema: pa.Schema, *, name: str, required: Sequence[str] | None = None) -> pa.Table:
    """Cast a table to a schema, or say which column is wrong.

    Args:
        table: Any table; columns that the schema does not name are kept, last.
        schema: The columns expected.
        name: What the table is, for the message ("answers table").
        required: Columns that must be there; others of the schema are filled with nulls.
            By default all of them.

    Returns:
        The table with the schema's columns first, in its order and types.

    Raises:
        InputError: A required column is missing, or cannot be read as its type.
    """
    required = schema.names if required is None else required
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for field in schema:
        if field.name not in table.column_names:
            if field.name in required:
                have = ", ".join(table.column_names) or "none"
                raise InputError(f"{name} has no column {field.name!r}: it has {have}")
            columns[field.name] = pa.nulls(table.num_rows, field.type)
            continue
        try:
            columns[field.name] = _cast(table[field.name], field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"{name}, column {field.name!r}: expected {field.type}, {error}") from None
    extra = [column for column in table.column_names if column not in columns]
    return carried(table, pa.table({**columns, **{column: table[column] for column in extra}}))


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column as another type; a number is true or false where it is 1 or 0, and no other, as Arrow would have it."""
    import pyarrow.compute as pc

    found = column.cast(kind)
    if pa.types.is_boolean(kind) and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        neither = column.filter(pc.not_equal(found.cast(pa.float64()), column.cast(pa.float64())))
        if len(neither):
            raise pa.ArrowInvalid(f"0 or 1, found {neither[0].as_py()!r}")
    return found


def carried(source: pa.Table, table: pa.Table) -> pa.Table:
    """A table made from another, with what that one says of itself (`pipeline.origin`) and no other metadata."""
    said = {key: value for key, value in (source.schema.metadata or {}).items() if key.startswith(_CARRIED)}
    return table.replace_schema_metadata(said or None)


def check_suffix(path: Path) -> None:
    """Make sure that a name is that of a table that can be written.

    Raises:
        InputError: Its suffix is none of those that are written.
    """
    if path.suffix.lower() not in reading.SUFFIXES:
        raise InputError(f"{path}: expected a file named {reading.EXPECTED}, not {path.suffix!r}")


def read_table(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    encoding: str | None = None,
    answers: Collection[str] = (),
) -> pa.Table:
    """Read Parquet, CSV, TSV, JSONL or a JSON array, possibly gzipped, by the suffix of the file name.

    Text stays text: the columns that a schema here names as such from the first byte on, so that "007" is not 7,
    and two long ids are never one. Missing are null, NaN, an empty cell of a CSV file, and an answer of nothing.

    Args:
        path: The file.
        columns: The file's names for the columns, by our names.
        encoding: Of its text; by default UTF-8, or what a byte order mark says.
        answers: The file's columns that are read as `answer` is, such as the annotators' of a wide table.

    Raises:
        InputError: The file is missing, empty, of another kind or encoding, or broken, or has no such column.
    """
    columns = columns or {}
    for ours in columns:
        if ours not in (known := [*ANSWERS.names, "annotator"]):
            raise unknown_name("column", ours, known)
    types = _TYPES | dict.fromkeys(answers, _TYPES["answer"])
    types |= {theirs: _TYPES[ours] for ours, theirs in columns.items()}
    table = _renamed(reading.read_table(Path(path).expanduser(), types, encoding), columns, path)
    return _without_empty_answers(table, ["answer", *answers])


def read_columns(path: Path, names: Collection[str] | None = None) -> pa.Table:
    """Read a Parquet file that `write_table` wrote; for files of millions of rows, of which a few columns matter.

    Args:
        path: The file.
        names: Columns; those that the file lacks are left out. None is all.
    """
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        there = file.schema_arrow.names
        table = file.read(columns=there if names is None else [name for name in there if name in names])
    return _without_empty_answers(table, ["answer"])


def _without_empty_answers(table: pa.Table, columns: Collection[str]) -> pa.Table:
    """An answer of nothing is none."""
    import pyarrow.compute as pc

    for place, name in enumerate(table.column_names):
        if name in columns:
            answer = table[name]
            given = pc.not_equal(pc.utf8_trim_whitespace(answer), "")
            table = table.set_column(place, name, pc.if_else(given, answer, pa.scalar(None, pa.string())))
    return table


def taken(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    """Some rows of a table, in the order of their places.

    Arrow takes from all chunks of a column as one, which has to be copied for that and may hold 2 GiB of text at most.
    Here pieces of the result are made one by one, each from the chunks that it is of.
    """
    if table.nbytes < _AT_ONCE:
        return table.take(pa.array(places))
    batches = table.to_batches()
    ends = np.cumsum([batch.num_rows for batch in batches])
    pieces = []
    for start in range(0, len(places), _PIECE):
        wanted = places[start : start + _PIECE]
        order = np.argsort(wanted, kind="stable")
        cuts = np.searchsorted(wanted[order], ends)
        parts = [
            batch.take(pa.array(wanted[order[begin:end]] - (last - batch.num_rows)))
            for batch, begin, end, last in zip(batches, [0, *cuts[:-1]], cuts, ends, strict=True)
            if end > begin
        ]
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        pieces.append(pa.Table.from_batches(parts).combine_chunks().take(pa.array(back)))
    return pa.concat_tables(pieces) if pieces else table.slice(0, 0)


def _renamed(table: pa.Table, columns: Mapping[str, str], path: str | Path) -> pa.Table:
    """The columns under our names; one of the file's own that has such a name makes room."""
    for ours, theirs in columns.items():
        if theirs not in table.column_names:
            raise unknown_name(f"column of {path},", theirs, table.column_names)
        if list(columns.values()).count(theirs) > 1:
            raise InputError(f"{path}: column {theirs!r} is named twice: expected a column of its own for {ours!r}")
        if ours in table.column_names and ours not in columns.values():
            logger.info("%s: %r is read as %r; its own column %r is left out", path, theirs, ours, ours)
            table = table.drop_columns([ours])
    by_theirs = {theirs: ours for ours, theirs in columns.items()}
    return carried(table, table.rename_columns([by_theirs.get(name, name) for name in table.column_names]))


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write Parquet, CSV, TSV or JSONL, by the name's suffix; `read_table` gives the same table back.

    The file is whole at once, or stays as it was. In CSV, lists and objects are JSON texts, and a text that a
    spreadsheet would take for a formula has an apostrophe before it, which `read_table` takes off. Times are texts
    in CSV and JSONL, and a number that is NaN is missing there. A CSV file of one column has no row for a null.

    Raises:
        InputError: The form has no way to say what is in a column.
    """
    path = Path(path).expanduser()
    check_suffix(path)
    suffix = path.suffix.lower()
    with written_beside(path) as file:
        if suffix == ".parquet":
            _write_parquet(table, file, path)
        else:
            lines = _json_lines(table, path) if suffix in (".jsonl", ".json") else _csv_lines(table, path, suffix)
            file.writelines(line.encode() for line in lines)


def write_tables(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write tables into one Parquet file, one after the other: only one of them need be in memory at a time.

    Args:
        tables: Columns that one of them lacks are null in its rows.
        schema: All columns.
        path: The file; it is whole at once, or stays as it was.
    """
    import pyarrow.parquet

    with written_beside(path) as file, pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for table in tables:
            for field in schema:
                if field.name not in table.column_names:
                    table = table.append_column(field, pa.nulls(table.num_rows, field.type))
            writer.write_table(table.select(schema.names).cast(schema))


def csv_text(table: pa.Table) -> str:
    """A table as the text of a CSV file."""
    return "".join(_csv_lines(table, Path("table.csv"), ".csv"))


def _write_parquet(table: pa.Table, file: BinaryIO, path: Path) -> None:
    import pyarrow.parquet

    try:
        pyarrow.parquet.write_table(table, file)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}; write *.jsonl") from None


def _json_lines(table: pa.Table, path: Path) -> Iterator[str]:
    for rows in _batches(table, path):
        yield "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _csv_lines(table: pa.Table, path: Path, suffix: str) -> Iterator[str]:
    mark = "\t" if suffix == ".tsv" else ","
    yield mark.join(map(_csv_cell, table.column_names)) + "\n"
    for rows in _batches(table, path):
        yield "".join(mark.join(map(_csv_cell, row.values())) + "\n" for row in rows)


def _csv_cell(cell: object) -> str:
    """A cell as CSV: texts are in quotes, so that they are told from numbers, and from what is missing."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    text = json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, list | dict) else str(cell)
    return '"' + reading.guarded(text).replace('"', '""') + '"'


def _batches(table: pa.Table, path: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows in a form that is as well for CSV as for JSON: times as texts, NaN as nothing."""
    import pyarrow.compute as pc

    if again := [name for name in table.column_names if table.column_names.count(name) > 1]:
        raise InputError(f"{path}: two columns are named {again[0]!r}")
    for index, field in enumerate(table.schema):
        if _holds_bytes(field.type):
            raise InputError(f"{path}: column {field.name!r} holds bytes ({field.type}): write *.parquet")
        column = table.column(index)
        if pa.types.is_temporal(field.type):
            table = table.set_column(index, field.name, column.cast(pa.string()))
        elif pa.types.is_floating(field.type):
            nothing = pa.scalar(None, field.type)
            table = table.set_column(index, field.name, pc.if_else(pc.is_nan(column), nothing, column))
    try:
        for batch in table.to_batches(max_chunksize=_BATCH):
            yield batch.to_pylist()
    except ValueError as error:  # a time within a list, finer than Python has any
        raise InputError(f"{path}: {' '.join(str(error).split())}; write *.parquet") from None


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    parts = [kind.field(index).type for index in range(kind.num_fields)]
    return _is_bytes(kind) or any(map(_holds_bytes, parts))


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests)
