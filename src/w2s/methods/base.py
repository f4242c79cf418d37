"""What a method is: the steps that lead from weak answers to a student."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from w2s.errors import InputError, unknown_name
from w2s.methods.selection import TrainingSet
from w2s.store import Step
from w2s.tables import ANSWERS, SCORED

__all__ = ["Method", "Selector", "Stages", "Student", "select_then_train", "untrained"]

Selector = Callable[..., TrainingSet]
"""Tables to a training set: `(scored, *, seed, **settings)`, or `(scored, gold_answers, …)` for a control."""

Settings = Mapping[str, Any]


class Student(NamedTuple):
    """Where a method ends.

    Attributes:
        training_set: What the student learned from last; None if it learned nothing.
        adapter: The step whose result is the student's adapter; None for the model as it is.
    """

    training_set: Step | None
    adapter: Step | None


class Stages(Protocol):
    """The steps that a method may build on, for one seed. The experiment supplies them."""

    @property
    def scored(self) -> Step:
        """The weak supervisor's answers to the transfer questions, with their reliability."""

    @property
    def gold_answers(self) -> Step:
        """Ground truth of the transfer questions. A method that asks for it must say `uses_gold`."""

    def select(self, name: str, selector: Selector, inputs: Mapping[str, Step], settings: Settings) -> Step:
        """A training set, by a selector that gets the inputs' tables under their names."""

    def train(self, name: str, training_set: Step) -> Step:
        """A student, trained from the untrained strong model on a training set."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way from weak answers to a student.

    Attributes:
        name: What users call it.
        summary: One line for `w2s methods`.
        steps: Lays the steps, given the stages of one seed and the method's settings.
        settings: The method's own settings and their defaults.
        uses_gold: It sees ground truth of the transfer questions, so it is a bound or a control.
        selector: Makes its training set, where the method is one selection and one training.
        check: Refuses settings of values that the method cannot use, before anything is computed.
    """

    name: str
    summary: str
    steps: Callable[[Stages, Settings], Student]
    settings: Settings
    uses_gold: bool = False
    selector: Selector | None = None
    check: Callable[[Settings], object] = dict

    def resolve(self, given: Settings) -> dict[str, Any]:
        """The method's settings, with those given in place of the defaults.

        Raises:
            InputError: The method has no such setting, or the value is of another type or out of range.
        """
        for name, value in given.items():
            if name not in self.settings:
                if not self.settings:
                    raise InputError(f"method {self.name!r} has no settings: {name!r} was given")
                raise unknown_name(f"setting of method {self.name}", name, self.settings)
            default = self.settings[name]
            if isinstance(value, bool) != isinstance(default, bool) or not isinstance(value, (type(default), int)):
                raise InputError(f"{name} of method {self.name} is {value!r}: expected a {type(default).__name__}")
        resolved = {**self.settings, **given}
        self.check(resolved)
        return resolved


def select_then_train(name: str, selector: Selector, *, summary: str) -> Method:
    """A method of one selection and one training.

    The selector's tables are its positional parameters (`scored`, `gold_answers`), its settings the
    keyword-only ones besides `seed`. It is tried on empty tables first, for what it says of its settings.
    """
    parameters = inspect.signature(selector).parameters.values()
    tables = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    settings = {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "seed"
    }

    def steps(stages: Stages, resolved: Settings) -> Student:
        inputs = {table: stages.gold_answers if table == "gold_answers" else stages.scored for table in tables}
        training_set = stages.select(name, selector, inputs, resolved)
        return Student(training_set, stages.train(name, training_set))

    def check(resolved: Settings) -> TrainingSet:
        empty = {"scored": SCORED.empty_table(), "gold_answers": ANSWERS.empty_table()}
        return selector(*(empty[table] for table in tables), seed=0, **resolved)

    return Method(
        name=name,
        summary=summary,
        steps=steps,
        settings=settings,
        uses_gold="gold_answers" in tables,
        selector=selector,
        check=check,
    )


def untrained(name: str, *, summary: str) -> Method:
    """A method that leaves the strong model as it is."""
    return Method(name=name, summary=summary, steps=lambda stages, settings: Student(None, None), settings={})
