"""The tables that pass from stage to stage: their columns, and how they are read and written.

Arrow in memory, Parquet on disk; CSV and JSONL are read and written as well. A schema here is what a
stage promises to the next one. A table from elsewhere may carry more columns, in any order: `check`
keeps the named ones first and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from w2s.errors import InputError

__all__ = [
    "ANSWERS",
    "GOLD",
    "PREDICTIONS",
    "QUESTIONS",
    "SCORED",
    "TRAINING_SET",
    "Unparsed",
    "check",
    "check_suffix",
    "read_table",
    "write_table",
]

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
GOLD = pa.schema({"question_id": pa.string(), "split": pa.string(), "answer": pa.string()})

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

_SUFFIXES = (".parquet", ".csv", ".jsonl", ".json")
_TEXTS = {field.name: field.type for schema in (SCORED, TRAINING_SET) for field in schema if field.type == pa.string()}


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
            columns[field.name] = table[field.name].cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"{name}, column {field.name!r}: expected {field.type}, {error}") from None
    extra = [column for column in table.column_names if column not in columns]
    return pa.table({**columns, **{column: table[column] for column in extra}})


def check_suffix(path: Path) -> None:
    """Make sure that a name is that of a table.

    Raises:
        InputError: Its suffix is none of those that are read and written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        expected = ", ".join("*" + suffix for suffix in _SUFFIXES)
        raise InputError(f"{path}: expected a file named {expected}, not {path.suffix!r}")


def read_table(path: str | Path) -> pa.Table:
    """Read Parquet, CSV or JSONL, by the name's suffix.

    Text stays text: in a CSV file the columns that a schema here names as such, so that "007" is not 7.

    Raises:
        InputError: The file is missing, empty, of another kind, or broken.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    check_suffix(path)
    try:
        match path.suffix.lower():
            case ".parquet":
                import pyarrow.parquet

                return pyarrow.parquet.read_table(path)
            case ".csv":
                import pyarrow.csv

                return pyarrow.csv.read_csv(
                    path,
                    parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                    convert_options=pyarrow.csv.ConvertOptions(
                        strings_can_be_null=True, quoted_strings_can_be_null=False, column_types=_TEXTS
                    ),
                )
            case _:
                import pyarrow.json

                table = pyarrow.json.read_json(path)
                if dates := [field for field in table.schema if pa.types.is_temporal(field.type)]:
                    schema = pa.schema({field.name: pa.string() for field in dates})
                    return pyarrow.json.read_json(path, parse_options=pyarrow.json.ParseOptions(explicit_schema=schema))
                return table
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write Parquet, CSV or JSONL, by the name's suffix. Lists become JSON text in CSV."""
    path = Path(path)
    check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix.lower():
        case ".parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, path)
        case ".csv":
            import json

            import pyarrow.csv

            for index, field in enumerate(table.schema):
                if pa.types.is_list(field.type):
                    text = [None if cell is None else json.dumps(cell) for cell in table[field.name].to_pylist()]
                    table = table.set_column(index, field.name, pa.array(text, pa.string()))
            pyarrow.csv.write_csv(table, path)
        case _:
            import json

            with path.open("w", encoding="utf-8") as file:
                for batch in table.to_batches(max_chunksize=4096):
                    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
