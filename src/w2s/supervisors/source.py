"""What a weak source is: the steps that lead to weak answers, whoever gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from w2s.config import WeakSpec
from w2s.step import Step

__all__ = ["Source", "SourceStages", "Supervision"]


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """What a source lays.

    Attributes:
        answers: Its answers to every variation of the transfer questions (`tables.ANSWERS`).
        predictions: Its answers to the test questions (`tables.PREDICTIONS`); None where it gives none, and
            then there is no PGR.
        training: The training of a weak supervisor; None where none is trained.
        calibration: Its answers to `weak_train`, each by a model that did not learn that question; None where it
            has none.
        missing: Why there are no predictions.
    """

    answers: Step
    predictions: Step | None = None
    training: Step | None = None
    calibration: Step | None = None
    missing: str = ""


class SourceStages(Protocol):
    """The steps that a source may build on, for one seed."""

    @property
    def spec(self) -> WeakSpec:
        """The settings of the weak supervisor."""

    @property
    def gold(self) -> Step:
        """Ground truth of `weak_train`, as answers. The only truth that a source may see."""

    def train(self, training_set: Step, *, label: str = "") -> Step:
        """The weak model, trained on a training set."""

    def gold_training_set(self) -> Step:
        """All of `gold` as a training set."""

    def answer(self, *, adapter: Step | None, split: str = "transfer", examples: int = 0) -> Step:
        """The weak model's answers to every variation of a split's questions.

        Args:
            adapter: A training; None for the model as it is.
            split: transfer or weak_train.
            examples: How many questions of `weak_train` are shown with their answers before each prompt.
        """

    def test(self, *, adapter: Step | None, examples: int = 0) -> Step:
        """What the weak model answers on the test split."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A way to weak answers.

    Attributes:
        name: What users call it.
        summary: One line for `w2s sources`.
        steps: Lays the steps, given the stages of one seed.
        needs_weak_train: Whether it can do without questions of `weak_train`, given the weak supervisor's settings.
        check: Refuses settings that the source cannot use, before anything is computed.
        version: Raised when its code changes what comes out.
    """

    name: str
    summary: str
    steps: Callable[[SourceStages], Supervision]
    needs_weak_train: Callable[[WeakSpec], bool]
    check: Callable[[WeakSpec], None]
    version: int = 1
