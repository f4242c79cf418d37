"""Scored answers to select from, and every selector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from w2s import tables
from w2s.methods.ceiling import ceiling
from w2s.methods.controls import augmented, oracle, random_subset
from w2s.methods.filtering import filter_uncertain, filter_uncertain_sampled
from w2s.methods.majority import majority
from w2s.methods.naive import naive
from w2s.methods.relabel import agreed
from w2s.methods.reweighting import reweight, reweight_sampled
from w2s.methods.selection import TrainingSet
from w2s.reliability import score_answers

__all__ = [
    "ANSWERS",
    "SAMPLED",
    "SELECTORS",
    "SPLIT",
    "UNANIMOUS",
    "Answers",
    "Selector",
    "all_selectors",
    "chosen",
    "gold_of",
    "scored_of",
    "with_scores",
]


Answers = Sequence[Sequence[str | None]]
Selector = Callable[..., TrainingSet]


def scored_of(answers: Answers) -> pa.Table:
    """Scored answers; the prompt and the completion tell question, variation and answer."""
    rows = [
        {
            "question_id": f"q{q}",
            "variation": v,
            "prompt": f"prompt {q}.{v}",
            "completion": f"completion {q}.{v} {answer}",
            "answer": answer,
            "supervisor": "weak",
        }
        for q, given_answers in enumerate(answers)
        for v, answer in enumerate(given_answers)
    ]
    return score_answers(tables.check(pa.Table.from_pylist(rows, tables.ANSWERS), tables.ANSWERS, name="answers"))


def gold_of(answers: Answers, truth: str = "a") -> pa.Table:
    return pa.table(
        {
            "question_id": pa.array([f"q{q}" for q in range(len(answers))], pa.string()),
            "variation": pa.array([0] * len(answers), pa.int32()),
            "prompt": pa.array([f"prompt {q}.0" for q in range(len(answers))], pa.string()),
            "answer": pa.array([truth] * len(answers), pa.string()),
        }
    )


def oracle_of_a(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """The oracle, where the truth is always "a"."""
    ids = scored["question_id"].unique()
    columns = {"question_id": ids, "variation": [0] * len(ids), "answer": ["a"] * len(ids)}
    return oracle(scored, pa.table(columns), seed=seed)


def agreed_on_a(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Agreement with a student that always says "a"."""
    ids = scored["question_id"].unique()
    columns = {"question_id": ids, "variation": [0] * len(ids), "answer": ["a"] * len(ids)}
    return agreed(scored, pa.table(columns), seed=seed)


SELECTORS: list[Selector] = [
    naive,
    filter_uncertain,
    filter_uncertain_sampled,
    reweight,
    reweight_sampled,
    majority,
    ceiling,
    random_subset,
    augmented,
    oracle_of_a,
    agreed_on_a,
]
SAMPLED: list[Selector] = [filter_uncertain_sampled, reweight_sampled, augmented, oracle_of_a]

ANSWERS = st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=5), max_size=6)
all_selectors = pytest.mark.parametrize("selector", SELECTORS)

UNANIMOUS: list[list[str | None]] = [["a", "a", "a"], ["b", "b", "b"]]
SPLIT: list[list[str | None]] = [["a", "b", "b"], ["a", "b", "c"]]


def with_scores(scored: pa.Table, **scores: Any) -> pa.Table:
    for name, values in scores.items():
        scored = scored.set_column(scored.column_names.index(name), name, pa.array(values, pa.float64()))
    return scored


def chosen(training: TrainingSet) -> list[tuple[str, int]]:
    return [(row["question_id"], row["variation"]) for row in training.table.to_pylist()]
