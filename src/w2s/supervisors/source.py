"""What a weak source is: the steps that lead to weak answers, whoever gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from w2s.config import AnsweringSpec, WeakSpec
from w2s.errors import InputError
from w2s.progress import Progress, no_progress
from w2s.step import Json, Step
from w2s.tasks.base import Question, Task

__all__ = ["OF_LOCAL_MODEL", "Inquiry", "Source", "SourceStages", "Supervision", "refuse_unused"]

OF_LOCAL_MODEL = ("revision", "quantization", "chat_template")
"""What makes another supervisor of a model on this machine, and is nothing to any other source."""


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
        supervisors: Who answers, by the names in the table of answers; None where that is not known before.
        tests: Where several supervisors answer: what each answered to test questions, or was found to predict there, by
            its name; under "" the answers of those whom a table names. They are for the comparison of the supervisors
            alone, and are there for some even where `predictions` are not.
    """

    answers: Step
    predictions: Step | None = None
    training: Step | None = None
    calibration: Step | None = None
    missing: str = ""
    supervisors: tuple[str, ...] | None = None
    tests: Mapping[str, Step] = field(default_factory=dict)


class SourceStages(Protocol):
    """The steps that a source may use, for one seed. The experiment provides them."""

    @property
    def spec(self) -> WeakSpec:
        """The settings of the weak supervisor."""

    @property
    def task(self) -> Task:
        """The questions' task."""

    def question_ids(self, split: str) -> Sequence[str]:
        """Which questions a split has."""

    def questions(self, split: str) -> Sequence[Question]:
        """The questions of a split, without their answers."""

    @property
    def answering(self) -> AnsweringSpec:
        """How the supervisor answers."""

    @property
    def evaluation(self) -> AnsweringSpec:
        """How it answers the test questions."""

    @property
    def account(self) -> str:
        """Name under which a run's requests are counted against `max_requests` and `max_cost`; its servers share it."""

    @property
    def orders(self) -> int:
        """In how many ways a source that answers by itself is asked each test question."""

    @property
    def gold(self) -> Step:
        """Ground truth of `weak_train`, as answers. The only truth that a source may see."""

    # With the weak model

    def gold_training_set(self, fold: Step | None = None) -> Step:
        """All of `gold` as a training set; with a fold, that of the questions outside it."""

    def train(self, training_set: Step, *, label: str = "") -> Step:
        """The weak model, trained on a training set."""

    def answer(
        self, *, adapter: Step | None, split: str = "transfer", examples: int = 0, fold: Step | None = None
    ) -> Step:
        """The weak model's answers to every variation of a split's questions.

        Args:
            adapter: A training; None for the model as it is.
            split: transfer or weak_train.
            examples: How many questions of `weak_train` are shown with their answers before each prompt.
            fold: Asks the questions of this fold of `weak_train` alone, and takes the examples from outside it.
        """

    def test(self, *, adapter: Step | None, examples: int = 0) -> Step:
        """What the weak model answers on the test split."""

    # With answers from elsewhere

    def ask(
        self,
        settings: Mapping[str, Json],
        *,
        split: str = "transfer",
        num_variations: int | None = None,
        execution: Mapping[str, Json] | None = None,
        sees_gold: bool = False,
    ) -> Step:
        """What `Source.answer` gives for a split's questions.

        Args:
            settings: All that decides the answers besides task, questions, variations and seed.
            split: transfer, weak_train or test.
            num_variations: How many ways each question is asked; by default as the task says.
            execution: From where the answers come; no part of any key.
            sees_gold: Give it the truth of the questions that it is asked: for a supervisor that is simulated.
        """

    def judge(self, *answers: Step) -> Step:
        """The answer to each test question, compared with ground truth.

        It is the one given most often; where `orders` is above 1 and all answers have log-probabilities, the
        likeliest option over the orders.

        Args:
            *answers: Answers to the test questions, or what supervisors predicted there.
        """

    # Of answers

    def folds(self) -> Sequence[Step]:
        """`weak_train`, cut in `spec.folds` parts: to ask each question of a model that did not learn it."""

    def join(self, answers: Sequence[Step], *, label: str, supervisors: Sequence[str] = ()) -> Step:
        """Several answers tables as one; with names, each under that of its supervisor."""

    # Of other sources

    def of(self, member: Mapping[str, Any], name: str) -> Supervision:
        """What another source lays.

        Args:
            member: The fields of its `WeakSpec`.
            name: What it is called.
        """


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What is asked of a source that answers by itself, in the step that computes it.

    Attributes:
        task: Makes the variations and parses what comes back.
        questions: Without their answers.
        settings: As the source gave them to `SourceStages.ask`.
        num_variations: How many ways each question is asked.
        seed: Of the variations.
        gold: Canonical right answers by question id: none but for a source that is simulated.
        execution: As the source gave it to `SourceStages.ask`.
        journal: A file for the answers of a try that may be killed; see `asking.answer_questions`.
        cache: A folder that outlives the step.
        progress: Is told the answers done and the answers in all.
    """

    task: Task
    questions: Sequence[Question]
    settings: Mapping[str, Any]
    num_variations: int
    seed: int
    journal: Path
    cache: Path
    gold: Mapping[str, str] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = no_progress


@dataclass(frozen=True, kw_only=True)
class Source:
    """A way to weak answers.

    Attributes:
        name: What users call it.
        summary: One line for `w2s sources`.
        steps: Lays the steps, given the stages of one seed.
        needs_weak_train: Whether it needs questions of `weak_train`, given the weak supervisor's settings.
        check: Refuses settings that the source cannot use, before anything is computed.
        called: The supervisor's name in tables; by default the name of its model.
        answer: Answers an inquiry (`tables.ANSWERS`), for a source that lays `SourceStages.ask`.
        instant: Whether its answers exist already or are drawn at random, so that they take no time in a plan.
        version: Raised when a change of its code changes the results.
    """

    name: str
    summary: str
    steps: Callable[[SourceStages], Supervision]
    needs_weak_train: Callable[[WeakSpec], bool]
    check: Callable[[WeakSpec], None]
    called: Callable[[WeakSpec], str] = lambda spec: spec.name
    answer: Callable[[Inquiry], pa.Table] | None = None
    instant: bool = False
    version: int = 1


def refuse_unused(spec: WeakSpec, *names: str) -> None:
    """Refuse settings of a weak supervisor that its source does not read.

    Raises:
        InputError: One of them is given.
    """
    unset = WeakSpec()
    for name in names:
        if (value := getattr(spec, name)) != getattr(unset, name):
            raise InputError(f"weak.{name} is {value!r}: source {spec.source} does not read it")
