"""Soft labels: the student learns how likely the weak supervisor finds each option, not one answer.

Burns et al. (2023), arXiv 2312.09390, train on the weak supervisor's distribution throughout; as knowledge distillation
it is from Hinton, Vinyals and Dean (2015), arXiv 1503.02531. Several supervisors (`--weak.source pooled`) teach the
mean of their distributions: a weak ensemble without weights (with weights: EnsemW2S, arXiv 2410.04571).
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from w2s.methods.base import Method, Round, Settings, Stages, Student
from w2s.methods.options import soft_training_set
from w2s.methods.selection import TrainingSet, candidates_from, first_rows

__all__ = ["METHODS", "soft_labels", "soft_method"]


def soft_labels(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take each question in its original wording, with all its options weighted by the estimator's posterior.

    With estimator `probability`, the default, the posterior is the mean over the variations, and over the supervisors
    if there are several, of the probability of each option. Of `transfer` it reads the weak answers alone.

    Args:
        scored: Scored answers with a `posterior`.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts, or has no posterior.
    """
    candidates = candidates_from(scored)
    first = candidates.keep(first_rows(candidates), otherwise="other_variations")
    return soft_training_set(first, "all options of each question, weighted by their probability")


def soft_method(name: str, *, loss: str, summary: str, settings: Mapping[str, float]) -> Method:
    """A method that learns soft labels by a loss of its own.

    Args:
        name: Of the method.
        loss: A loss that compares options.
        summary: One line for `w2s methods`.
        settings: The loss's own, with their defaults.
    """

    def steps(stages: Stages, resolved: Settings) -> Student:
        training_set = stages.select("soft_labels", {"scored": stages.scored}, {})
        return Student((Round(training_set, stages.train(training_set, loss=loss, loss_settings=resolved)),))

    return Method(
        name=name,
        summary=summary,
        steps=steps,
        settings=settings,
        role="baseline",
        selectors={"soft_labels": soft_labels},
        selector=None if settings else soft_labels,
        estimator="probability",
        needs_options=True,
        version=2,
    )


METHODS = (
    soft_method(
        "soft-labels",
        loss="soft-cross-entropy",
        summary="the weak supervisor's mean probability of each option",
        settings={},
    ),
)
