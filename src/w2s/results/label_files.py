"""What is said of a run's weak labels, from its files: of each the columns that matter, since rows may be many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from w2s.gold import Gold
from w2s.reliability.base import SCORES
from w2s.results.comparison import ComparedEstimator, compare_estimators
from w2s.results.diagnosis import WeakLabelSummary
from w2s.tables import read_columns

__all__ = ["compared_estimators", "weak_labels"]

_RANKED = ("question_id", "variation", "supervisor", "answer", *SCORES)


def weak_labels(seed: int, scored: Path, gold: Gold) -> WeakLabelSummary:
    """Diagnose the weak answers of one seed.

    Args:
        seed: Of the run.
        scored: The file of scored answers.
        gold: Ground truth, as far as it is known.
    """
    return WeakLabelSummary.of(seed, read_columns(scored, (*_RANKED, "position", "positions")), gold)


def compared_estimators(
    scored: Sequence[Mapping[str, Path]], gold: Gold, *, seeds: Sequence[int]
) -> list[ComparedEstimator]:
    """Compare estimators by the files of what each scored; see `compare_estimators`."""
    tables = [{name: read_columns(file, _RANKED) for name, file in own.items()} for own in scored]
    return compare_estimators(tables, gold, seeds=seeds)
