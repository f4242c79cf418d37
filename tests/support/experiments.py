"""Small experiments: questions of our own, random models of a few thousand weights, and a run of their steps."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from w2s.config import AnsweringSpec, Experiment, LoraSpec, ModelSpec, TaskSpec, TrainingSpec, WeakSpec
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.running import Result
from w2s.step import Step
from w2s.store import Store

__all__ = [
    "ALONE",
    "SIZES",
    "STAYS",
    "TRAINS",
    "ancestors",
    "asked_in_shards",
    "compute",
    "in_splits",
    "questions",
    "small_experiment",
    "tiny_study",
    "training",
    "without_pages",
    "write_rows",
]

WORDS = ("Oslo", "Lima", "Rome", "Kyiv", "Bonn", "Cork", "Nice", "Pisa")
SIZES = {"weak_train": 8, "transfer": 16, "test": 12}
# A rate at which a few steps move a tiny model, and one at which they do not.
TRAINS, STAYS = 2e-2, 1e-9
ALONE = 1  # token: every prompt is a batch of its own, so that what else is asked changes no bit


def questions(count: int = 36, *, seed: int = 0) -> list[dict[str, Any]]:
    """Multiple-choice questions; the right option stands first nine times of twelve, which is soon learned."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        choices = rng.sample(WORDS, 4)
        right = number % 12 // 3 if number % 3 == 2 else 0
        rows.append(
            {
                "id": f"q{number:02}",
                "question": f"Which is number {number}?",
                "choices": choices,
                "answer": choices[right],
            }
        )
    return rows


def in_splits(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same questions, each in a split of its own: as many of each as `SIZES` says."""
    names = [name for name, size in SIZES.items() for _ in range(size)]
    return [{**row, "split": name} for row, name in zip(rows, names, strict=False)]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def training(learning_rate: float = TRAINS, **fields: Any) -> TrainingSpec:
    lora = LoraSpec(rank=4, alpha=8)
    return TrainingSpec(**{"epochs": 1, "batch_size": 8, "learning_rate": learning_rate, "lora": lora, **fields})


def small_experiment(data: str, weak: Path, strong: Path, **fields: Any) -> Experiment:
    """Seconds from end to end, in float32, so that a second run gives the same numbers."""
    defaults: dict[str, Any] = {
        "task": TaskSpec(name="file", data=data, num_variations=3, **SIZES),
        "weak": WeakSpec(name=str(weak), dtype="float32"),
        "strong": ModelSpec(name=str(strong), dtype="float32"),
        "methods": ["naive", "ceiling"],
        "weak_training": training(),
        "student_training": training(),
    }
    return Experiment(**{**defaults, **fields})


def asked_in_shards(base: Experiment, shard_size: int, **fields: Any) -> Experiment:
    """An experiment with an untrained supervisor, asked in shards."""
    spec = AnsweringSpec(shard_size=shard_size, tokens_per_batch=ALONE, **fields)
    weak = replace(base.weak, source="prompted", examples=0)
    return replace(base, weak=weak, answering=spec, evaluation=spec, methods=["zero-shot", "naive", "ceiling"])


@contextmanager
def without_pages() -> Iterator[None]:
    """Runs and studies end without page and figures, which have tests of their own and take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Result, "save_report", lambda self, path: path.write_text("the page") and path)
        patch.setattr(Result, "save_figures", lambda self, folder, **more: [])
        patch.setattr("w2s.study.running.write_figures", lambda figures, folder, **more: [])
        yield


def tiny_study(folder: Path, weak: Path, strong: Path, **base: Any) -> dict[str, Any]:
    """The settings of a study of two data sets, as its file has them; its grid may be extended."""
    data = {
        name: {"task.data": write_rows(folder / f"{name}.jsonl", in_splits(questions(seed=number)))}
        for number, name in enumerate(("cities", "towns"))
    }
    own = {"epochs": 1, "batch_size": 8, "learning_rate": TRAINS, "lora": {"rank": 4, "alpha": 8}}
    settings = {
        "task": {"name": "file", "num_variations": 2, **SIZES},
        "weak": {"name": str(weak), "dtype": "float32"},
        "strong": {"name": str(strong), "dtype": "float32"},
        "weak_training": own,
        "student_training": own,
        "methods": ["naive", "ceiling"],
        "seeds": [0],
        "split_per_seed": False,
    }
    return {"base": {**settings, **base}, "grid": {"data": data}}


def ancestors(step: Step | None) -> Iterator[Step]:
    """The step, and all that its result is made from."""
    if step is not None:
        yield step
        for before in step.inputs.values():
            yield from ancestors(before)


def compute(experiment: Experiment, store: Store) -> list[str]:
    """Run the graph; the labels of the steps that were computed."""
    done: list[str] = []
    local.run(
        Graph(experiment).targets(),
        store,
        on_event=lambda event: done.append(event.step.label) if event.kind == "finished" else None,
    )
    return done
