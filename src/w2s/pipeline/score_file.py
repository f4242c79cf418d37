"""Scores a file of answers that need not fit into memory: only what the estimator reads is there as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from w2s.reliability import ESTIMATORS, score_answers
from w2s.reliability.base import IDENTITY
from w2s.tables import read_columns, read_table, write_table, write_tables

__all__ = ["score_file"]

_ROW = "row"  # of the answers in their file, while they are scored
_ROWS = 1 << 16  # written at once


def score_file(answers: Path, out: Path, *, estimator: str, **given: Any) -> None:
    """Score the answers in a Parquet file, and write them with their scores; see `score_answers`.

    Args:
        answers: The file, as a step wrote it.
        out: The file to write.
        estimator: Its name.
        **given: All else that `score_answers` takes.
    """
    reads = ESTIMATORS.find(estimator).reads
    if reads is None:
        write_table(score_answers(read_table(answers), estimator=estimator, **given), out)
        return
    narrow = read_columns(answers, (*IDENTITY, *reads))
    narrow = narrow.append_column(_ROW, pa.array(np.arange(narrow.num_rows)))
    scored = score_answers(narrow, estimator=estimator, **given)
    scores = scored.drop_columns(narrow.column_names)
    rows = scored[_ROW].to_numpy()
    with pyarrow.parquet.ParquetFile(answers) as file:
        columns = [name for name in file.schema_arrow.names if name not in scores.column_names]
        schema = pa.schema([*(file.schema_arrow.field(name) for name in columns), *scores.schema])
        write_tables(_beside(file, columns, rows, scores), schema, out)


def _beside(file: pyarrow.parquet.ParquetFile, columns: list[str], rows: Any, scores: pa.Table) -> Iterator[pa.Table]:
    """The file's answers that were scored, some at a time, with their scores; `rows` ascend."""
    start = 0
    for batch in file.iter_batches(_ROWS, columns=columns):
        first, last = np.searchsorted(rows, (start, start + batch.num_rows))
        kept = pa.Table.from_batches([batch]).take(pa.array(rows[first:last] - start))
        for name in scores.column_names:
            kept = kept.append_column(name, scores[name].slice(first, last - first))
        yield kept
        start += batch.num_rows
