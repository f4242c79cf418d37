"""Questions without options, varied by the wording of the instruction or of the question itself."""

from __future__ import annotations

from typing import ClassVar

from w2s.config import AnswerFormat, Mode
from w2s.errors import InputError
from w2s.tasks.base import Task
from w2s.tasks.questions import Question, Variation
from w2s.tasks.variations import rng_for

__all__ = ["FreeAnswer"]


class FreeAnswer(Task):
    """A task whose answers are free.

    Variation 0 asks with the template "wording_0". The others use other wordings, in an order drawn for
    each question; or, with `TaskSpec.paraphrases`, the same wording and the paraphrases of the question in
    the order of the file: JSONL rows such as

        {"question": "Ann has 3 apples and eats 1. How many are left?", "paraphrases": ["If Ann …", …]}

    Where there are too few, and `TaskSpec.missing_paraphrases` is "fill", the others use other wordings.
    """

    modes: tuple[Mode, ...] = ("generate",)
    answer_format: AnswerFormat = "text"
    answer_formats: ClassVar[tuple[AnswerFormat, ...]] = ("text",)
    takes_paraphrases = True

    def vary(self, question: Question, num_variations: int, seed: int) -> list[Variation]:
        """Ask a question in several wordings; the first is the question as it stands."""
        texts = self.wordings(question, num_variations) if question.paraphrases else [question.text]
        others = self._wordings(question, 1 + num_variations - len(texts), seed)[1:]
        wordings = [("wording_0", text) for text in texts] + [(wording, question.text) for wording in others]
        return [
            Variation(
                question_id=question.id,
                variation=number,
                prompt=self.templates[wording].format(**{**question.fields, "question": text}),
            )
            for number, (wording, text) in enumerate(wordings)
        ]

    def complete(self, answer: str, question: Question, variation: Variation) -> str:
        """The answer itself."""
        return f" {answer}"

    def _wordings(self, question: Question, count: int, seed: int) -> list[str]:
        first, *others = [name for name in self.templates if name.startswith("wording_")]
        if count > 1 + len(others):
            raise InputError(
                f"num_variations is {count}: task {self.name} has {1 + len(others)} wordings; pass paraphrases for more"
            )
        return [first, *rng_for(seed, question.id).sample(others, count - 1)]
