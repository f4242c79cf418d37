"""A training set with texts that look like something else."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet
import pytest

from w2s.tables import TRAINING_SET


@pytest.fixture
def training_set() -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "prompt": 'Question: "why, or\nwhy not?"\nAnswer:',
                "completion": " 42",
                "weight": 0.5,
                "question_id": "007",
                "variation": 0,
                "answer": "2024-02-30",
            },
            {
                "prompt": "é",
                "completion": " true",
                "weight": 1.0,
                "question_id": "1e5",
                "variation": 1,
                "answer": "NA",
            },
        ],
        schema=TRAINING_SET,
    )
