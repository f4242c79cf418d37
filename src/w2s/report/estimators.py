"""Several estimators of the same answers beside each other, as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from w2s.report import words
from w2s.report.tables import heading, plain_table
from w2s.results.comparison import ComparedEstimator, Measure

__all__ = ["estimators_table"]

_COLUMNS = ["estimator:", "AUROC [95%]", "AURC", "right at 25%", "at 50%", "at 75%", "AUROC, against the first"]


def estimators_table(found: Sequence[ComparedEstimator]) -> Group:
    """Each estimator's ranking of the answers: overall, and the share of right ones among the most confident."""
    rows = [
        [
            one.estimator,
            f"{words.share(one.auroc.estimate)} {words.interval(one.auroc.low, one.auroc.high)}".rstrip(),
            *(words.share(measure.estimate) for measure in (one.aurc, one.accuracy_25, one.accuracy_50)),
            words.share(one.accuracy_75.estimate),
            "" if one.own else _difference(one.auroc),
        ]
        for one in found
    ]
    answers = f"{found[0].rows:,} answers to {found[0].questions:,} questions with a known right answer"
    note = "AURC: error rate of the most confident answers, the mean over all coverages; lower is better"
    return Group(heading(f"estimators on {answers}"), plain_table(_COLUMNS, rows), Text(note))


def _difference(measure: Measure) -> str:
    sign = "+" if (measure.difference or 0) >= 0 else ""
    ends = words.interval(measure.difference_low, measure.difference_high, sign=True)
    return f"{sign}{words.share(measure.difference)} {ends}".rstrip() if measure.difference is not None else "–"
