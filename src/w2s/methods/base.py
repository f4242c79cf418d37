"""What a method is: the steps that lead from weak answers to a student."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from w2s.methods.selection import TrainingSet
from w2s.registry import resolve_settings
from w2s.step import Step
from w2s.tables import ANSWERS, SCORED

__all__ = ["Method", "Role", "Round", "Selector", "Stages", "Student", "select_then_train", "untrained"]

Selector = Callable[..., TrainingSet]
"""Tables to a training set: `(scored, *, seed, **settings)`, or `(scored, gold_answers, …)` for a control."""

Settings = Mapping[str, Any]

Role = Literal["method", "baseline", "bound", "control"]
"""What a method is in the table: proposed, what it is compared with, what no method should exceed, or an ablation."""


class Round(NamedTuple):
    """One training of a student: what it learned from, and the training."""

    training_set: Step
    training: Step


class Student(NamedTuple):
    """What a method ends in.

    Attributes:
        rounds: Its rounds of training, the last of which gives the student; none for an untrained one.
        orders: The largest number of orders of the options in which it is tested, by choosing, with the position prior
            divided out; None for the experiment's own setting.
    """

    rounds: tuple[Round, ...] = ()
    orders: int | None = None

    @property
    def adapter(self) -> Step | None:
        """The training whose adapter the student uses; None for the untrained model."""
        return self.rounds[-1].training if self.rounds else None


class Stages(Protocol):
    """The steps that a method may use, for one seed. The experiment provides them."""

    @property
    def scored(self) -> Step:
        """The weak answers to the transfer questions, scored by the method's estimator."""

    @property
    def answers(self) -> Step:
        """The weak answers to the transfer questions, before scoring."""

    @property
    def calibration(self) -> Step:
        """The source's answers to `weak_train`, each by a model that did not learn that question.

        Raises:
            InputError: The source gives none.
        """

    @property
    def gold_answers(self) -> Step:
        """Ground truth of the transfer questions. A method that asks for it must say `uses_gold`."""

    @property
    def weak_gold(self) -> Step:
        """Ground truth of `weak_train`, as answers: what a weak supervisor may learn from.

        Raises:
            InputError: There are no questions in `weak_train`.
        """

    def select(self, selector: str, inputs: Mapping[str, Step], settings: Settings, *, part: str = "") -> Step:
        """A training set, by one of the method's selectors, which gets the inputs' tables under their names.

        Args:
            selector: A name in `Method.selectors`.
            inputs: Scored answers, answers or ground truth, by the selector's parameters.
            settings: The selector's own.
            part: The name of this part of the method, for display.
        """

    def train(
        self,
        training_set: Step,
        *,
        loss: str | None = None,
        loss_settings: Settings | None = None,
        init: Step | None = None,
        part: str = "",
    ) -> Step:
        """A student, trained from the untrained strong model on a training set.

        Args:
            training_set: From `select`.
            loss: Another loss than the experiment's.
            loss_settings: Settings of the loss.
            init: A training whose adapter this one starts from.
            part: The name of this part of the method, for display.
        """

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
        """A student's own answers to every variation of a split's questions.

        Args:
            training: The student; None for the untrained strong model.
            split: transfer or weak_train.
            fold: One of the split's `folds`; only its questions are asked.
            without: A training set whose questions are left out.
            choose: Choose among the options, with the log-probability of each, whatever `answering.mode` is.
            part: The name of this part of the method, for display.
        """

    def folds(self, count: int, *, split: str = "transfer") -> Sequence[Step]:
        """A split's questions, divided into this many parts of sizes as equal as possible.

        A selector that gets one under a name gets the table of its questions (`tables.QUESTIONS`); of `weak_train`,
        ground truth of the questions outside it, as answers.

        Raises:
            InputError: There are fewer questions than parts.
        """

    def join(self, answers: Sequence[Step], *, supervisors: Sequence[str] = (), part: str = "") -> Step:
        """Several tables of answers as one; with `supervisors`, each table is labelled with its supervisor's name."""

    def score(self, answers: Step, *, part: str = "") -> Step:
        """A student's answers, scored by the method's estimator.

        Raises:
            InputError: The estimator is fitted to the weak supervisor's answers to `weak_train`.
        """


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way from weak answers to a student.

    Attributes:
        name: What users call it.
        summary: One line for `w2s methods`.
        steps: Lays the steps, given the stages of one seed and the method's settings.
        settings: The method's own settings and their defaults.
        role: What it is in the table. The first bound among the methods is the ceiling of PGR.
        reference: Whether the other methods are compared with it.
        uses_gold: Whether it sees ground truth of the transfer questions, which makes it a bound or a control.
        estimator: The estimator that it uses if the user names none; None for the experiment's.
        needs_options: Whether it needs options to choose from: it is refused for tasks with free answers.
        selectors: The functions that make its training sets, by name.
        selector: The one selector of a method that is one selection and one training.
        reads: Columns of tables of answers that its selectors read; None is all.
        check: Refuses values of settings that the method cannot use, before anything is computed.
        version: Raised when a change of its code, or of a selector's, changes the results.
    """

    name: str
    summary: str
    steps: Callable[[Stages, Settings], Student]
    settings: Settings
    role: Role = "method"
    reference: bool = False
    uses_gold: bool = False
    selectors: Mapping[str, Selector] = field(default_factory=dict)
    selector: Selector | None = None
    estimator: str | None = None
    needs_options: bool = False
    reads: Collection[str] | None = None
    check: Callable[[Settings], object] = dict
    version: int = 1

    def resolve(self, given: Settings) -> dict[str, Any]:
        """The method's settings, with those given in place of the defaults.

        Raises:
            InputError: The method has no such setting, or the value is of another type or out of range.
        """
        resolved = resolve_settings(f"method {self.name}", self.settings, given)
        self.check(resolved)
        return resolved


def select_then_train(
    name: str,
    selector: Selector,
    *,
    summary: str,
    role: Role = "method",
    reference: bool = False,
    later: Collection[str] = (),
    reads: Collection[str] | None = None,
    version: int = 1,
) -> Method:
    """A method of one selection and one training.

    The selector's tables are its positional parameters (`scored`, `gold_answers`, `weak_gold`), its settings the
    keyword-only ones besides `seed`. It is tried on empty tables first, for what it says of its settings.
    Those that came `later` than the method itself are in the key of its step only where they differ from
    their default, so that what was computed before they came is still found. Of millions of rows only the columns that
    the selector `reads` are in memory, if it says which.
    """
    parameters = inspect.signature(selector).parameters.values()
    tables = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    settings = {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "seed"
    }

    def steps(stages: Stages, resolved: Settings) -> Student:
        inputs = {table: _table_of(stages, table) for table in tables}
        told = {name: value for name, value in resolved.items() if name not in later or value != settings[name]}
        training_set = stages.select(name, inputs, told)
        return Student((Round(training_set, stages.train(training_set)),))

    def check(resolved: Settings) -> TrainingSet:
        empty = {table: (SCORED if table == "scored" else ANSWERS).empty_table() for table in tables}
        return selector(*empty.values(), seed=0, **resolved)

    return Method(
        name=name,
        summary=summary,
        steps=steps,
        settings=settings,
        role=role,
        reference=reference,
        uses_gold="gold_answers" in tables,
        selectors={name: selector},
        selector=selector,
        reads=reads,
        check=check,
        version=version,
    )


def _table_of(stages: Stages, table: str) -> Step:
    match table:
        case "gold_answers":
            return stages.gold_answers
        case "weak_gold":
            return stages.weak_gold
        case _:
            return stages.scored


def untrained(name: str, *, summary: str) -> Method:
    """A method that leaves the strong model as it is."""
    return Method(name=name, summary=summary, steps=lambda stages, settings: Student(), settings={}, role="baseline")
