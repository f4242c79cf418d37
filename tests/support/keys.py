"""The keys of an experiment's steps, and which of them a change moves."""

from __future__ import annotations

from typing import Any

from w2s.config import Experiment
from w2s.pipeline.graph import Graph
from w2s.runners.base import order

__all__ = ["changed", "steps_of", "with_settings"]


def steps_of(experiment: Experiment) -> dict[str, str]:
    """The key of each step, by its label, a model's conversion included."""
    return {step.label: step.key for step in order(Graph(experiment).targets())}


def changed(base: Experiment, other: Experiment) -> set[str]:
    """The labels of the steps that are not the same in both."""
    before, after = steps_of(base), steps_of(other)
    assert before.keys() == after.keys()
    return {label for label in before if before[label] != after[label]}


def with_settings(experiment: Experiment, name: str, **settings: Any) -> list[str | dict[str, Any]]:
    """The methods, one of them with settings of its own."""
    return [{"method": name, **settings} if method == name else method for method in experiment.methods]
