"""A small training set, and a run on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from safetensors.torch import load_file
from torch import Tensor

from w2s.config import LoraSpec, TrainingSpec
from w2s.models.load import LanguageModel
from w2s.progress import Progress, no_progress
from w2s.tables import TRAINING_SET
from w2s.training.student import TrainingReport, train_student

__all__ = ["CITIES", "Run", "adapter_of", "loss_of", "paired", "same", "train", "training_set"]

CITIES = [
    ("Lyon", "France"),
    ("Bergen", "Norway"),
    ("Porto", "Portugal, a country by the sea"),
    ("Arica", "Chile"),
    ("Which city is the city of Nice, in the south", "France"),
    ("Oslo", "Norway"),
    ("Lima", "Peru. It is acceptable"),
    ("Vigo", "Spain"),
    ("Lille", "not Kenya"),
    ("Kisumu", "Kenya"),
]


def training_set(weights: Sequence[float] | None = None, rows: Sequence[tuple[str, str]] = CITIES) -> pa.Table:
    weights = [1.0] * len(rows) if weights is None else weights
    return pa.Table.from_pylist(
        [
            {
                "prompt": f"Which country is {city} in?\nAnswer:",
                "completion": f" {country}",
                "weight": weight,
                "question_id": f"q{number}",
                "variation": 0,
                "answer": country,
            }
            for number, ((city, country), weight) in enumerate(zip(rows, weights, strict=True))
        ],
        schema=TRAINING_SET,
    )


def paired(table: pa.Table) -> pa.Table:
    """The same completions and weights as options of half as many prompts, two each."""
    first = pa.array([row - row % 2 for row in range(table.num_rows)], pa.int64())
    for column in ("prompt", "question_id"):
        table = table.set_column(table.column_names.index(column), column, table[column].take(first))
    return table.set_column(table.column_names.index("group"), "group", first)


def settings(**changes: Any) -> TrainingSpec:
    """Few steps with a rate that moves the adapter well past rounding."""
    lora = {"rank": 4, "alpha": 8, **changes.pop("lora", {})}
    return TrainingSpec(**{"epochs": 2, "batch_size": 4, "learning_rate": 1e-2, **changes, "lora": LoraSpec(**lora)})


class Run:
    """What a training run left behind."""

    def __init__(self, out: Path, report: TrainingReport, said: list[str], how: str) -> None:
        self.out, self.report, self.said, self.how = out, report, said, how
        self.adapter = adapter_of(out)
        self.log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        self.losses = [entry["loss"] for entry in self.log if "loss" in entry]


class _Listener(logging.Handler):
    """Notes what is said."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


def train(
    lm: LanguageModel,
    out: Path,
    table: pa.Table | None = None,
    *,
    seed: int = 0,
    init: Path | None = None,
    progress: Progress = no_progress,
    **changes: Any,
) -> Run:
    said: list[str] = []
    listener = _Listener(said)
    logger = logging.getLogger("w2s.training")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(listener)
    try:
        report = train_student(
            lm,
            training_set() if table is None else table,
            settings(**changes),
            seed=seed,
            out=out,
            init=init,
            progress=progress,
        )
    finally:
        logger.setLevel(level)
        logger.removeHandler(listener)
    (how,) = [line for line in said if " attention, " in line]
    said.remove(how)
    return Run(out, report, said, how)


def adapter_of(out: Path) -> dict[str, Tensor]:
    return load_file(out / "adapter" / "adapter_model.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float = 0.0) -> bool:
    """Whether two adapters are equal bit by bit, or to a difference relative to the size of each matrix.

    Not relative to each entry: AdamW makes a step out of rounding where a gradient is all but zero.
    """
    assert one.keys() == other.keys() and one
    if tolerance == 0:
        return all(torch.equal(one[name], other[name]) for name in one)
    return all((one[name] - other[name]).norm() <= tolerance * one[name].norm() for name in one)


def loss_of(lm: LanguageModel, ids: Iterable[int], start: int) -> Tensor:
    """(completion tokens,) cross-entropy of a row's completion, in a plain full pass."""
    tokens = torch.tensor([list(ids)])
    logprobs = lm.model(input_ids=tokens, use_cache=False).logits[0].log_softmax(-1)
    return -logprobs[torch.arange(start - 1, tokens.shape[1] - 1), tokens[0, start:]]
