"""Questions with options, varied by the order in which the options stand."""

from __future__ import annotations

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
    """

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
        """Ask a question with its options in several orders; the first is the order in which they stand."""
        shown = self.shown(question)
        if self.answer_format == "letter" and len(shown) > len(LETTERS):
            raise InputError(f"question {question.id!r} has {len(shown)} options: expected {len(LETTERS)} at most")
        template = self.templates[self.template_of(question)]
        variations = []
        for number, order in enumerate(permutations(len(shown), num_variations, seed, question.id)):
            options = self.list_options([shown[choice] for choice in order])
            positions = tuple(order.index(choice) for choice in range(len(order)))
            answers = shown if self.answer_format == "text" else [LETTERS[position] for position in positions]
            variations.append(
                Variation(
                    question_id=question.id,
                    variation=number,
                    prompt=template.format(**question.fields, question=question.text, options=options),
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
