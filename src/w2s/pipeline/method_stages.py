"""What a method may build on, laid as steps of one seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from w2s.errors import InputError
from w2s.methods.base import Settings
from w2s.pipeline.scoring import Scoring
from w2s.pipeline.specs import MethodSpec
from w2s.reliability import ESTIMATORS
from w2s.step import Step

__all__ = ["MethodStages"]


class MethodStages:
    """What a method may build on; see `methods.base.Stages`."""

    def __init__(self, scoring: Scoring, spec: MethodSpec) -> None:
        self._scoring = scoring
        self._experiment = scoring.experiment
        self._strong = scoring.strong
        self._lay = scoring.lay
        self._seed = scoring.seed
        self._spec = spec

    def _label(self, what: str, part: str) -> str:
        return f"{self._spec.label}: {part + ': ' if part else ''}{what} · seed {self._seed}"

    @property
    def scored(self) -> Step:
        return self._scoring.weak(self._spec.estimator)

    @property
    def answers(self) -> Step:
        return self._scoring.supervision.answers

    @property
    def calibration(self) -> Step:
        return self._scoring.calibration(f"method {self._spec.method.name}")

    @property
    def gold_answers(self) -> Step:
        if not self._spec.method.uses_gold:
            raise InputError(f"method {self._spec.method.name} asks for ground truth: it must say uses_gold")
        return self._lay.gold("transfer")

    @property
    def weak_gold(self) -> Step:
        if not self._lay.question_ids("weak_train"):
            raise InputError(f"method {self._spec.label} needs ground truth of weak_train, and weak_train is 0")
        return self._lay.gold("weak_train")

    def select(self, selector: str, inputs: Mapping[str, Step], settings: Settings, *, part: str = "") -> Step:
        label = self._label("training set", part)
        return self._lay.training_set(label, self._spec.method.name, selector, inputs, settings, self._seed)

    def train(
        self,
        training_set: Step,
        *,
        loss: str | None = None,
        loss_settings: Settings | None = None,
        init: Step | None = None,
        part: str = "",
    ) -> Step:
        spec = self._experiment.student_training
        if loss is not None:
            spec = replace(spec, loss=loss, loss_settings=dict(loss_settings or {}))
        label = self._label("training", part)
        return self._lay.training(label, self._strong, spec, training_set, seed=self._seed, init=init)

    def answer(
        self,
        training: Step | None,
        *,
        split: str = "transfer",
        fold: Step | None = None,
        without: Step | None = None,
        choose: bool = False,
        part: str = "",
    ) -> Step:
        spec = replace(self._experiment.answering, samples=1)
        what = "answers" if split == "transfer" else f"answers to {split}"
        # Of the untrained student by no method's name: all of them share these.
        label = self._label(what, part) if training else f"untrained student's {what} · seed {self._seed}"
        return self._lay.answers(
            label,
            self._strong,
            replace(spec, mode="choose") if choose else spec,
            split=split,
            seed=self._seed,
            adapter=training,
            without=without,
            fold=fold,
        )

    def folds(self, count: int, *, split: str = "transfer") -> Sequence[Step]:
        there = len(self._lay.question_ids(split))
        if there < count:
            raise InputError(
                f"method {self._spec.method.name} divides {split} into {count} parts, and it has {there} questions"
            )
        return self._lay.folds(count, self._seed, split)

    def join(self, answers: Sequence[Step], *, supervisors: Sequence[str] = (), part: str = "") -> Step:
        return self._lay.joined(self._label("answers", part), answers, supervisors)

    def score(self, answers: Step, *, part: str = "") -> Step:
        name = self._spec.estimator or self._experiment.reliability.estimator
        if "calibration" in ESTIMATORS.find(name).needs:
            raise InputError(
                f"method {self._spec.label} scores a student's answers, and estimator {name!r} is fitted to those of "
                "the weak supervisor: expected another estimator"
            )
        label = self._label("reliability", part)
        return self._scoring.of(answers, label, self._spec.estimator)
