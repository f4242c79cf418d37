"""Which estimator ranks the weak answers best: all that a run scored, on the same answers, against ground truth.

For analysis only, and after the run: an estimator that is chosen by the truth of `transfer` was chosen by what a
weak-to-strong experiment does not have. What is found here may be named before another run, on other questions.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.gold import known_rows, right_rows
from w2s.metrics import Measured, SeedAnswers, compare_rankings, measure_names, rank
from w2s.reliability.base import SCORES, check_scored
from w2s.reliability.signal import trust
from w2s.results.plain import check_plain

__all__ = ["CURVE", "ComparedEstimator", "Measure", "compare_estimators"]

logger = logging.getLogger(__name__)

CURVE = tuple(round(0.05 * step, 2) for step in range(1, 21))
"""The coverages at which a record has the error rate, for the figure."""

_KEYS = ("question_id", "variation", "supervisor")  # tell one answer from all others


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure of an estimator's scores, and how far it is from that of the experiment's own estimator.

    None is not defined: an AUROC where all answers are right or all wrong, an interval of two seeds or where nothing
    varies.

    Attributes:
        estimate: The mean over the seeds that have it.
        low: Lower end of the 95% interval.
        high: Upper end of the interval of the estimate.
        difference: From that of the experiment's own estimator, on the same answers.
        difference_low: Lower end of its 95% interval.
        difference_high: Upper end of the interval of the difference.
        seeds: How many have it; None in results of earlier versions.
    """

    estimate: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    seeds: int | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference lies on one side of 0."""
        low, high = self.difference_low, self.difference_high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, kw_only=True)
class ComparedEstimator:
    """How well an estimator ranks the weak answers to transfer, where their truth is known; an unparsed one is wrong.

    Attributes:
        estimator: Its name.
        seed: Seed of the run; None for all seeds together.
        own: Whether it is the experiment's own, which the others are compared with.
        rows: Answers, of all seeds.
        questions: Of these answers.
        auroc: Probability that a right answer has a higher confidence than a wrong one, ties one half.
        auroc_uncertainty: Probability that a right answer is of a less uncertain question than a wrong one.
        aurc: Mean error rate of the answers taken, most confident first, over all coverages; lower is better.
        accuracy_25: Share of right answers among the most confident quarter.
        accuracy_50: Among the most confident half.
        accuracy_75: Among the most confident three quarters.
        risk: Error rate of the answers taken at each coverage of `CURVE`.
    """

    estimator: str
    seed: int | None
    own: bool
    rows: int
    questions: int
    auroc: Measure
    auroc_uncertainty: Measure
    aurc: Measure
    accuracy_25: Measure
    accuracy_50: Measure
    accuracy_75: Measure
    risk: list[float]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            TypeError: A field is missing, is not one, or is of another type.
        """
        if missing := {field.name for field in fields(cls)} - set(data):
            raise TypeError(f"an estimator has no {min(missing)!r}")
        measures = {name: Measure(**data[name]) for name in (*_OF_CONFIDENCE, "auroc_uncertainty")}
        found = cls(**{**data, **measures})
        check_plain(found, cls, "an estimator")
        return found


_OF_CONFIDENCE = tuple(measure_names())


def compare_estimators(
    scored: Sequence[Mapping[str, pa.Table]], gold: Mapping[str, str], *, seeds: Sequence[int]
) -> list[ComparedEstimator]:
    """Compare estimators on the same answers, each seed alone and, where there are several, all together.

    Args:
        scored: Of each seed the answers as each estimator scored them, by its name; the experiment's own first.
        gold: Ground truth, the canonical answer by question id. Questions that it lacks are left out.
        seeds: Of the runs.

    Returns:
        One record an estimator and seed, those of all seeds together last; none of seeds whose truth is not known.
    """
    together = [_comparable(tables) for tables in scored]
    ids = pa.chunked_array([part for own in together for part in next(iter(own.values()))["question_id"].chunks])
    answers = [_known(tables, gold, ids.unique()) for tables in together]
    known = {seed: own for seed, own in zip(seeds, answers, strict=True) if np.size(own[0].question)}
    if not known:
        return []
    for seed in seeds:
        if seed not in known:
            logger.warning("seed %s has no ground truth of transfer: estimators are compared without it", seed)
    found = [record for seed, own in known.items() for record in _records([own], seed)]
    return found if len(seeds) == 1 else [*found, *_records(list(known.values()), None)]


def _comparable(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables in one order of their rows; one that has other rows than the first cannot be compared with it."""
    ordered = {}
    for name, table in tables.items():
        table = check_scored(table)
        table = table.select([one for one in (*_KEYS, "answer", *SCORES) if one in table.column_names])
        keys = [(key, "ascending") for key in _KEYS if key in table.column_names]
        ordered[name] = table.sort_by(keys)
    first = next(iter(ordered.values()))
    for name, table in list(ordered.items()):
        columns = [key for key in _KEYS if key in first.column_names]
        if table.num_rows != first.num_rows or any(table[key] != first[key] for key in columns):
            logger.warning("estimator %s scored other rows than the experiment's own: it is not compared", name)
            del ordered[name]
    return ordered


def _known(tables: Mapping[str, pa.Table], gold: Mapping[str, str], ids: pa.Array) -> tuple[SeedAnswers, SeedAnswers]:
    """The answers whose truth is known, with the confidence of each estimator, and with its certainty.

    A question is known by its place among the `ids` of all.
    """
    first = next(iter(tables.values()))
    known = known_rows(first, gold)
    correct = right_rows(first, gold)[known]
    question = pc.index_in(first["question_id"], value_set=ids).to_numpy()[known]
    confidence, certainty = (
        SeedAnswers(question, correct, {name: trust(table, score)[known] for name, table in tables.items()})
        for score in ("confidence", "uncertainty")
    )
    return confidence, certainty


def _records(answers: Sequence[tuple[SeedAnswers, SeedAnswers]], seed: int | None) -> list[ComparedEstimator]:
    shared = [name for name in answers[0][0].scores if all(name in one.scores for one, _ in answers)]
    confidence, certainty = (
        [one[part]._replace(scores={name: one[part].scores[name] for name in shared}) for one in answers]
        for part in (0, 1)
    )
    own = shared[0]
    by_confidence, by_certainty = compare_rankings(confidence, own), compare_rankings(certainty, own, coverages=())
    return [
        ComparedEstimator(
            estimator=name,
            seed=seed,
            own=name == own,
            rows=sum(np.size(one.question) for one in confidence),
            questions=len(np.unique(np.concatenate([one.question for one in confidence]))),
            auroc_uncertainty=_measure(by_certainty[name]["auroc"]),
            risk=_risk(confidence, name),
            **{measure: _measure(value) for measure, value in by_confidence[name].items()},
        )
        for name in shared
    ]


def _measure(value: Measured) -> Measure:
    # Rounded, so that equal rankings differ by 0 and not by what adding up leaves.
    numbers = value._asdict()
    seeds = numbers.pop("seeds")
    return Measure(
        seeds=seeds, **{name: round(one, 12) + 0.0 if math.isfinite(one) else None for name, one in numbers.items()}
    )


def _risk(answers: Sequence[SeedAnswers], name: str) -> list[float]:
    """The error rate at each coverage of `CURVE`, the mean over seeds."""
    found = [list(rank(one.scores[name], one.correct, CURVE).values())[-len(CURVE) :] for one in answers]
    return [float(risk) for risk in 1 - np.mean(found, axis=0)]
