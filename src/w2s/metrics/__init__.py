"""How good a model is, how sure that is, and whether a score tells right from wrong. Arrays only.

`correct` is always an array of booleans (or 0 and 1), of shape (questions,) for one run or
(seeds, questions) for several that were tested on the same questions; where they were not, `question_ids` says
who was tested on what.

`scores` has the point estimates, `intervals` says how sure they are, `power` how sure another study
would be; `ranking` compares scores of the same answers.
"""

from __future__ import annotations

from w2s.metrics.intervals import (
    Difference,
    Interval,
    PgrEstimate,
    Scope,
    accuracy_interval,
    difference_interval,
    difference_over_disjoint,
    exact_test,
    holm,
    pgr_interval,
    share_interval,
    wilson,
)
from w2s.metrics.power import TEST_SETS, Components, TestSets, minimal_effect, power, variance_components
from w2s.metrics.random_effects import Pooled, pool_effects
from w2s.metrics.ranking import COVERAGES, Measured, SeedAnswers, compare_rankings, measure_names, rank
from w2s.metrics.scores import RiskCoverage, accuracy, auroc, pgr, risk_coverage
from w2s.metrics.tested import QuestionIds, Shared, shared_questions

__all__ = [
    "COVERAGES",
    "TEST_SETS",
    "Components",
    "Difference",
    "Interval",
    "Measured",
    "PgrEstimate",
    "Pooled",
    "QuestionIds",
    "RiskCoverage",
    "Scope",
    "SeedAnswers",
    "Shared",
    "TestSets",
    "accuracy",
    "accuracy_interval",
    "auroc",
    "compare_rankings",
    "difference_interval",
    "difference_over_disjoint",
    "exact_test",
    "holm",
    "measure_names",
    "minimal_effect",
    "pgr",
    "pgr_interval",
    "pool_effects",
    "power",
    "rank",
    "risk_coverage",
    "share_interval",
    "shared_questions",
    "variance_components",
    "wilson",
]
