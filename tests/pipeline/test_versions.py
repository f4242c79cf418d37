"""Which versions change the keys of which steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.experiments import (
    ancestors,
)
from support.keys import steps_of, with_settings
from w2s.config import Experiment, ModelSpec, ParaphraseSpec
from w2s.methods import METHODS
from w2s.pipeline.graph import Graph
from w2s.pipeline.steps import KINDS
from w2s.reliability import ESTIMATORS
from w2s.runners.base import order
from w2s.step import Step
from w2s.supervisors import SOURCES
from w2s.tasks import TASKS
from w2s.training.losses import LOSSES


def concerned(steps: list[Step], is_it: Callable[[Step], bool]) -> set[str]:
    """The labels of the steps that are it, or follow from one that is."""
    return {step.label for step in steps if any(is_it(one) for one in ancestors(step))}


def changed_by(
    experiment: Experiment, raise_version: Callable[[], object], is_it: Callable[[Step], bool]
) -> tuple[set[str], set[str]]:
    """The labels of the steps whose key a raised version changes, and of those whose key it should."""
    steps = order(Graph(experiment).targets())
    before = {step.label: step.key for step in steps}
    raise_version()
    after = steps_of(experiment)
    assert before.keys() == after.keys()
    return {label for label in before if before[label] != after[label]}, concerned(steps, is_it)


@pytest.mark.parametrize("kind", KINDS)
def test_a_raised_version_of_a_build_changes_what_it_builds_and_what_follows(
    base: Experiment, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "student.gguf").write_bytes(b"GGUF")
    base = replace(base, strong=ModelSpec(name=str(tmp_path / "student.gguf"), dtype="float32"))
    if kind in ("asked", "judged"):
        base = replace(base, weak=replace(base.weak, source="simulated"))
    if kind == "paraphrases":
        base = replace(base, paraphrases=ParaphraseSpec(count=2, model=replace(base.weak, source="prompted")))
    if kind in ("fold", "joined"):
        base = replace(base, methods=["naive", {"method": "reweighting", "estimator": "calibrated"}])

    def raise_version() -> None:
        monkeypatch.setitem(KINDS, kind, KINDS[kind]._replace(version=99))
        if kind == "model":
            monkeypatch.setattr("w2s.models.prepared.CONVERSION", 99)

    found, expected = changed_by(base, raise_version, lambda step: step.kind == kind)
    assert found == expected != set()


@pytest.mark.parametrize("name", METHODS)
def test_a_raised_version_of_a_method_changes_what_it_selects_and_what_follows(
    base: Experiment, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_version() -> None:
        monkeypatch.setitem(METHODS, name, replace(METHODS[name], version=99))

    found, expected = changed_by(base, raise_version, lambda step: step.settings.get("method") == name)
    assert found == expected
    # The ceiling's selection makes the weak supervisor's training set as well.
    own = {label for label in found if label.startswith(f"{name}:")}
    assert bool(own) == (not name.startswith("zero-shot"))
    assert found == own or name == "ceiling"


def asks(step: Step) -> bool:
    return step.kind in ("answers", "predictions")


PIECES: dict[str, tuple[Callable[[pytest.MonkeyPatch], object], Callable[[Step], bool]]] = {
    "task": (
        lambda patch: patch.setattr(TASKS["file"], "version", 99),
        lambda step: asks(step) or step.kind == "gold",
    ),
    "another task": (lambda patch: patch.setattr(TASKS["geography"], "version", 99), lambda step: False),
    "source": (
        lambda patch: patch.setitem(SOURCES, "trained", replace(SOURCES["trained"], version=99)),
        lambda step: asks(step) and step.label.startswith("weak "),
    ),
    "another source": (
        lambda patch: patch.setitem(SOURCES, "prompted", replace(SOURCES["prompted"], version=99)),
        lambda step: False,
    ),
    "estimator": (
        lambda patch: patch.setitem(ESTIMATORS, "votes", replace(ESTIMATORS["votes"], version=99)),
        lambda step: step.kind == "scored" and step.settings["estimator"] == "votes",
    ),
    "one method's estimator": (
        lambda patch: patch.setitem(ESTIMATORS, "probability", replace(ESTIMATORS["probability"], version=99)),
        lambda step: step.kind == "scored" and step.settings["estimator"] == "probability",
    ),
    "loss": (
        lambda patch: patch.setitem(LOSSES, "cross-entropy", replace(LOSSES["cross-entropy"], version=99)),
        lambda step: step.kind == "training",
    ),
}


@pytest.mark.parametrize("piece", PIECES)
def test_a_raised_version_of_a_piece_changes_the_steps_that_it_decides_and_what_follows(
    base: Experiment, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = replace(base, methods=with_settings(base, "filtering", estimator="probability"))
    raise_version, is_it = PIECES[piece]
    found, expected = changed_by(base, lambda: raise_version(monkeypatch), is_it)
    assert found == expected
    assert bool(found) != piece.startswith("another")
