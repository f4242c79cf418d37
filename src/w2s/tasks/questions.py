"""What passes between a task and the rest: a question, an example of one, and a way of asking it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

__all__ = ["SPLITS", "Example", "Pool", "Question", "Variation", "without_paraphrases"]

Pool = Literal["any", "train", "weak_train", "transfer", "test"]
SPLITS = ("weak_train", "transfer", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question without its answer.

    Attributes:
        id: Unique within the task, and the same on every machine.
        text: What is asked.
        choices: The canonical answers to choose from; empty where the answer is free.
        fields: What else the task's templates may name.
        paraphrases: Other wordings of the text, to vary the question by.
    """

    id: str
    text: str
    choices: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    paraphrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question with its answer, and the splits that it may go to.

    Attributes:
        question: The question.
        answer: The canonical right answer; None where the data has none (an unlabelled transfer set).
        aliases: Other answers that are right as well; a student learns the first only.
        pool: "train" goes to weak_train or transfer, "any" to every split, a split's own name to that one.
    """

    question: Question
    answer: str | None
    aliases: tuple[str, ...] = ()
    pool: Pool = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One way of asking one question.

    Attributes:
        question_id: The question's id.
        variation: 0 is the question as it stands; the others count up from 1.
        prompt: The text before the answer.
        completions: (choices,) how each of the question's choices is written as an answer, in their order,
            with its leading space; empty where the answer is free.
        positions: (choices,) where the prompt names each choice, from 0.
    """

    question_id: str
    variation: int
    prompt: str
    completions: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()


def without_paraphrases(questions: Iterable[Question]) -> list[Question]:
    """The questions, to be asked in their own words alone: variations are orders of their options."""
    return [replace(question, paraphrases=()) for question in questions]
