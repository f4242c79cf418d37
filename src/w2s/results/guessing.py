"""What test questions give away to who does not read them, and who answers as if it did not: one answer to all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from w2s.results.verdicts import ONE_ANSWER, ONE_ANSWER_EXCESS

__all__ = ["Guessing", "SameAnswer", "TestQuestions", "fixed_classes"]

_MOST_CLASSES = 20  # of free answers; questions with options in common have as many as they have
_PER_CLASS = 5  # questions, at least, for free answers to be classes
_FEWEST = 10  # questions that say something of who answers them


@dataclass(frozen=True, kw_only=True)
class Guessing:
    """Accuracies on the test questions that need no knowledge. None where they are not defined.

    Attributes:
        chance: Of an option drawn at random: the mean over questions of 1 / options.
        constant: The one answer that is right most often: a class, or where options differ from question to question
            the number of an option as the data lists them, "option 2".
        constant_accuracy: How often it is: the accuracy of the majority class.
    """

    chance: float | None = None
    constant: str | None = None
    constant_accuracy: float | None = None


class SameAnswer(NamedTuple):
    """An answer that is given to almost all questions, and the share of them."""

    answer: str
    share: float


def fixed_classes(choices: Sequence[Sequence[str]], truths: Sequence[str]) -> list[str] | None:
    """The classes that all questions choose from; None where options mean something in their own question only.

    Args:
        choices: Of each question; empty where answers are free.
        truths: The right answers.
    """
    sets = {frozenset(own) for own in choices}
    if len(sets) == 1 and (options := next(iter(sets))):
        return sorted(options)
    distinct = set(truths)
    free = sets == {frozenset()}
    return sorted(distinct) if free and len(distinct) <= min(_MOST_CLASSES, len(truths) / _PER_CLASS) else None


class TestQuestions:
    """The questions of a test split, of one seed or of several one after the other.

    Args:
        choices: Of each question; empty where answers are free.
        truths: The right answers.
    """

    __test__ = False  # for pytest

    def __init__(self, choices: Sequence[Sequence[str]], truths: Sequence[str]) -> None:
        self._choices, self._truths = choices, truths
        self._classes = fixed_classes(choices, truths)
        self._shares = self._counted(truths)

    def guessing(self) -> Guessing:
        """What they give away."""
        options = [len(own) for own in self._choices]
        chance = float(np.mean(1 / np.array(options))) if options and all(options) else None
        if not self._shares:
            return Guessing(chance=chance)
        best = min(self._shares, key=lambda name: (-self._shares[name], name))
        return Guessing(chance=chance, constant=best, constant_accuracy=self._shares[best])

    def same_answer(self, answers: Sequence[str | None]) -> SameAnswer | None:
        """The answer that almost all of a model's are, where the truth has it less often; None where there is none.

        Args:
            answers: To these questions, in their order.
        """
        shares = self._counted(answers)
        if not shares or len(answers) < _FEWEST:
            return None
        top = min(shares, key=lambda name: (-shares[name], name))
        if shares[top] < ONE_ANSWER or shares[top] - self._shares.get(top, 0.0) < ONE_ANSWER_EXCESS:
            return None
        return SameAnswer(top, shares[top])

    def _counted(self, answers: Sequence[str | None]) -> Mapping[str, float]:
        """Shares of the classes; of the options' numbers where options differ; nothing where there is neither."""
        if self._classes is not None:
            counts = Counter(answer for answer in answers if answer is not None)
        else:
            pairs = zip(answers, self._choices, strict=True)
            counts = Counter(f"option {own.index(answer) + 1}" for answer, own in pairs if answer in own)
        return {name: count / len(answers) for name, count in counts.items()}
