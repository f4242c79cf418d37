"""What a supervisor is: anything that answers questions, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from w2s.tasks.base import Question, Variation

__all__ = ["Answer", "Batch", "Prompt", "Supervisor"]


class Prompt(NamedTuple):
    """One question in one variation.

    Attributes:
        question: The question.
        variation: How it is asked of a student.
        before: What stands before the variation's prompt for this supervisor alone, such as examples.
    """

    question: Question
    variation: Variation
    before: str = ""

    @property
    def text(self) -> str:
        """What the supervisor is asked."""
        return self.before + self.variation.prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a supervisor answered to one variation.

    Attributes:
        response: As the supervisor gave it.
        answer: The canonical answer; None where none could be parsed.
        position: Where the prompt names the chosen option, from 0; None where it names none.
        choice_logprobs: (choices,) in nats, in the order of the question's choices; None where not known.
    """

    response: str
    answer: str | None
    position: int | None = None
    choice_logprobs: list[float] | None = None


class Batch(NamedTuple):
    """Prompts that are answered together.

    Attributes:
        rows: Their indices among all prompts.
        answer: Answers them, in the order of `rows`.
    """

    rows: list[int]
    answer: Callable[[], list[Answer]]


class Supervisor(Protocol):
    """Anything that answers."""

    @property
    def name(self) -> str:
        """What the answers table calls it."""

    def plan(self, prompts: Sequence[Prompt]) -> list[Batch]:
        """Batches that cover every prompt once; the same ones for the same prompts."""
