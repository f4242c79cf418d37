"""The estimators of an experiment, and answers of one seed scored by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from w2s.config import Experiment
from w2s.errors import InputError
from w2s.models.prepared import PreparedModel
from w2s.pipeline.lay import Lay
from w2s.pipeline.specs import MethodSpec
from w2s.reliability import ESTIMATORS, resolve_estimator
from w2s.step import Step
from w2s.supervisors import Supervision
from w2s.tables import Unparsed
from w2s.tasks import Task, questions_of

__all__ = ["Scoring", "estimators_of"]


def estimators_of(experiment: Experiment, methods: Sequence[MethodSpec], task: Task) -> dict[str, dict[str, Any]]:
    """The settings of each estimator that the run uses, by its name, the experiment's own first.

    Raises:
        InputError: There is no such estimator or setting, or the temperature is given twice.
    """
    spec = experiment.reliability
    named = [spec.estimator, *(one.estimator for one in methods if one.estimator is not None), *spec.compare]
    return {name: _settings(experiment, name, task) for name in dict.fromkeys(named)}


def _settings(experiment: Experiment, name: str, task: Task) -> dict[str, Any]:
    """The settings of an estimator: those given are of the experiment's own."""
    spec = experiment.reliability
    given = dict(spec.settings) if name == spec.estimator else {}
    told = spec.temperature if name in ("votes", spec.estimator) else None
    if told is not None and given.setdefault("temperature", float(told)) != told:
        raise InputError(
            f"reliability.temperature is {told} and reliability.settings has temperature {given['temperature']}: "
            "expected one of them"
        )
    if name == "votes":
        given.setdefault("temperature", float(task.temperature))
    return resolve_estimator(name, given)


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What answers of one seed are scored with.

    Attributes:
        experiment: The settings.
        estimators: Those of each estimator that the run uses, by its name.
        unparsed: What an answer that could not be parsed counts as.
        strong: The student, of whom some estimators ask a second view.
        lay: Lays the steps of the seed's splits.
        supervision: What the weak source laid.
        seed: The seed.
    """

    experiment: Experiment
    estimators: Mapping[str, Mapping[str, Any]]
    unparsed: Unparsed
    strong: PreparedModel
    lay: Lay
    supervision: Supervision
    seed: int

    def weak(self, name: str | None = None) -> Step:
        """The weak answers to the transfer questions, scored by an estimator; None is the experiment's own."""
        own = name in (None, self.experiment.reliability.estimator)
        label = f"reliability · seed {self.seed}" if own else f"reliability by {name} · seed {self.seed}"
        return self.of(self.supervision.answers, label, name)

    def of(self, answers: Step, label: str, estimator: str | None = None) -> Step:
        """Answers, scored by an estimator, which gets what it asks for; None is the experiment's own."""
        name = estimator or self.experiment.reliability.estimator
        needs = ESTIMATORS[name].needs
        if ESTIMATORS[name].compares:
            self._check_supervisors(name, answers)
        calibration = self.calibration(f"estimator {name!r}") if "calibration" in needs else None
        second = None
        if "second_view" in needs:
            second = self.lay.answers(
                f"untrained student's answers · seed {self.seed}",
                self.strong,
                replace(self.experiment.answering, samples=1),
                split="transfer",
                seed=self.seed,
            )
        return self.lay.scored(
            label, answers, name, self.estimators[name], self.unparsed, calibration=calibration, second_view=second
        )

    def calibration(self, who: str) -> Step:
        """The source's answers to `weak_train`, for who needs them."""
        source, folds = self.experiment.weak.source, self.experiment.weak.folds
        if self.supervision.calibration is None:
            raise InputError(f"{who} needs answers to weak_train, and source {source} gives none")
        count = len(questions_of(self.lay.splits.questions, "weak_train"))
        if count < folds:
            raise InputError(
                f"{who} needs answers to weak_train, asked in weak.folds {folds}: "
                f"expected as many questions, weak_train has {count}"
            )
        return self.supervision.calibration

    def _check_supervisors(self, estimator: str, answers: Step) -> None:
        """Refuse an estimator that compares supervisors where there is one, if that is known before anything runs."""
        known = self.supervision.supervisors
        if answers is self.supervision.answers and (known is None or len(known) > 1):
            return
        whose = f"source {self.experiment.weak.source} has {'none' if not known else f'one, {known[0]!r}'}"
        if answers is not self.supervision.answers:
            whose = "a student's answers are those of one"
        raise InputError(
            f"estimator {estimator!r} compares supervisors, and {whose}: expected two or more, as source pooled or a "
            "table with several annotators has, or estimator votes"
        )
