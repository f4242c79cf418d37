"""What a supervisor is: anything that answers questions, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from w2s.tasks.base import Question, Variation

__all__ = ["Answer", "Batch", "Prompt", "Supervisor"]


class Prompt(NamedTuple):
    """One question in one variation."""

    question: Question
    variation: Variation


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a supervisor answered to one variation.

    Attributes:
        completion: As the supervisor gave it.
        answer: The canonical answer; None where none could be parsed.
        position: Where the prompt names the chosen option, from 0; None where it names none.
        choice_logprobs: (choices,) in nats, in the order of the question's choices; None where not known.
    """

    completion: str
    answer: str | None
    position: int | None = None
    choice_logprobs: list[float] | None = None


class Batch(NamedTuple):
    """Rows that are answered together.

    Attributes:
        rows: Their indices in what was asked.
        answer: Answers them, in the order of `rows`.
    """

    rows: list[int]
    answer: Callable[[], list[Answer]]


class Supervisor(Protocol):
    """Anything that answers."""

    @property
    def name(self) -> str:
        """What the answers table calls it."""

    def plan(self, asked: Sequence[Prompt]) -> list[Batch]:
        """Batches that cover every row once; the same ones whenever the same is asked."""
