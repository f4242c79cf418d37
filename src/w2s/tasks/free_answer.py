"""Questions without options, varied by the wording of the instruction or of the question itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from w2s.config import AnswerFormat, Mode
from w2s.errors import InputError
from w2s.tasks.base import Task
from w2s.tasks.questions import Question, Variation
from w2s.tasks.records import read_rows
from w2s.tasks.variations import rng_for

__all__ = ["FreeAnswer"]


class FreeAnswer(Task):
    """A task whose answers are free.

    Variation 0 asks with the template "wording_0". The others use other wordings, in an order drawn for
    each question; or, with `TaskSpec.paraphrases`, the same wording and the paraphrases of the question in
    the order of the file: JSONL rows such as

        {"question": "Ann has 3 apples and eats 1. How many are left?", "paraphrases": ["If Ann …", …]}
    """

    modes: tuple[Mode, ...] = ("generate",)
    answer_format: AnswerFormat = "text"
    answer_formats: ClassVar[tuple[AnswerFormat, ...]] = ("text",)
    takes_paraphrases = True

    def vary(self, question: Question, num_variations: int, seed: int) -> list[Variation]:
        """Ask a question in several wordings; the first is the question as it stands."""
        if self.spec.paraphrases is not None:
            texts = self._paraphrases_of(question, num_variations - 1)
            asked = [("wording_0", text) for text in (question.text, *texts)]
        else:
            asked = [(wording, question.text) for wording in self._wordings(question, num_variations, seed)]
        return [
            Variation(
                question_id=question.id,
                variation=number,
                prompt=self.templates[wording].format(**{**question.fields, "question": text}),
            )
            for number, (wording, text) in enumerate(asked)
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

    def _paraphrases_of(self, question: Question, count: int) -> Sequence[str]:
        if count == 0:
            return ()
        paraphrases = self._paraphrases.get(_spaced(question.text), [])
        if len(paraphrases) < count:
            raise InputError(
                f"{self.spec.paraphrases} has {len(paraphrases)} paraphrases of {question.text[:60]!r}: "
                f"expected {count}"
            )
        return paraphrases[:count]

    @cached_property
    def _paraphrases(self) -> dict[str, list[str]]:
        path = Path(str(self.spec.paraphrases))
        found: dict[str, list[str]] = {}
        for number, row in enumerate(read_rows(path), start=1):
            question, paraphrases = row.get("question"), row.get("paraphrases")
            if not isinstance(question, str) or not isinstance(paraphrases, list):
                raise InputError(f"{path}, row {number}: expected the text 'question' and the list 'paraphrases'")
            # A paraphrase that comes twice is one way of asking.
            texts = dict.fromkeys(_spaced(str(text)) for text in paraphrases)
            found[_spaced(question)] = [text for text in texts if text and text != _spaced(question)]
        return found


def _spaced(text: str) -> str:
    return " ".join(text.split())
