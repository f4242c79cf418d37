"""Questions with options, varied by the order in which the options stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from w2s.errors import InputError
from w2s.tasks.base import Task
from w2s.tasks.parsing import LETTERS, parse_letter, parse_option
from w2s.tasks.questions import Question, Variation
from w2s.tasks.variations import permutations

__all__ = ["MultipleChoice"]


class MultipleChoice(Task):
    """A task whose questions have options.

    A canonical answer is the text of an option, never its letter. The template is the one named as the
    answer format ("letter" or "text"), unless `template_of` says otherwise.

    Variations show the options in orders of their own, and, where the question has paraphrases, each shows another of
    them. There may then be more variations than orders: these come again, each time with another wording.
    """

    takes_paraphrases = True

    def template_of(self, question: Question) -> str:
        """The name of the template that asks this question."""
        return self.answer_format

    def shown(self, question: Question) -> Sequence[str]:
        """How the question's choices are worded in the prompt, in their order."""
        return question.choices

    def list_options(self, options: Sequence[str]) -> str:
        """The options as the prompt lists them, from what stands at each position."""
        if self.answer_format == "text":
            return "\n".join(f"- {option}" for option in options)
        return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))

    def vary(self, question: Question, num_variations: int, seed: int) -> list[Variation]:
        """Ask a question with its options in several orders; the first is the question as it stands."""
        shown = self.shown(question)
        if self.answer_format == "letter" and len(shown) > len(LETTERS):
            raise InputError(f"question {question.id!r} has {len(shown)} options: expected {len(LETTERS)} at most")
        template = self.templates[self.template_of(question)]
        texts = self.wordings(question, num_variations) if question.paraphrases else [question.text]
        texts += [question.text] * (num_variations - len(texts))
        reworded = len(set(texts)) == len(texts)
        count = min(num_variations, math.factorial(min(len(shown), 20))) if reworded else num_variations
        orders = permutations(len(shown), count, seed, question.id)
        variations = []
        for number, text in enumerate(texts):
            order = orders[number % count]
            options = self.list_options([shown[choice] for choice in order])
            positions = tuple(order.index(choice) for choice in range(len(order)))
            answers = shown if self.answer_format == "text" else [LETTERS[position] for position in positions]
            variations.append(
                Variation(
                    question_id=question.id,
                    variation=number,
                    prompt=template.format(**question.fields, question=text, options=options),
                    completions=tuple(f" {answer}" for answer in answers),
                    positions=positions,
                )
            )
        return variations

    def parse(self, text: str, question: Question, variation: Variation) -> str | None:
        """The choice that a text names, by its letter in the variation's order or by its words."""
        shown = self.shown(question)
        if self.answer_format == "text":
            choice = parse_option(text, shown)
            return None if choice is None else question.choices[choice]
        order = [variation.positions.index(position) for position in range(len(shown))]
        position = parse_letter(text, [shown[choice] for choice in order])
        return None if position is None else question.choices[order[position]]

    def complete(self, answer: str, question: Question, variation: Variation) -> str:
        """The letter or the words of a choice, as the variation's prompt shows it."""
        return variation.completions[question.choices.index(answer)]
