"""Two tasks of a few questions: one with options, one without."""

from __future__ import annotations

from collections.abc import Iterable

from w2s.config import TaskSpec
from w2s.tasks.base import Example, Question, Task, Variation
from w2s.tasks.free_answer import FreeAnswer
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.parsing import first_line, first_number

__all__ = ["Choice", "Number", "choice_task", "number_task", "questions_and_gold"]

_COUNTRIES = ("France", "Norway", "Peru", "Kenya")


class Choice(MultipleChoice):
    """Which country a city is in."""

    name, summary, source, licence = "choice", "a test", "nowhere", "none"
    templates = {"letter": "{question}\n{options}\nAnswer:", "text": "{question}\n{options}\nAnswer:"}  # noqa: RUF012

    def examples(self) -> Iterable[Example]:
        cities = ("Lyon", "Bergen", "Lima", "Kisumu", "the city by the sea that is called Nice", "Oslo")
        answers = ("France", "Norway", "Peru", "Kenya", "France", "Norway")
        for city, answer in zip(cities, answers, strict=True):
            question = Question(id=city[:6], text=f"Which country is {city} in?", choices=_COUNTRIES)
            yield Example(question=question, answer=answer)


class Number(FreeAnswer):
    """Sums."""

    name, summary, source, licence = "number", "a test", "nowhere", "none"
    templates = {  # noqa: RUF012
        "wording_0": "Question: what is {question}?\nAnswer:",
        "wording_1": "{question} =",
        "wording_2": "The answer to {question} is",
    }

    def examples(self) -> Iterable[Example]:
        for number in range(5):
            question = Question(id=f"sum{number}", text=f"12 plus {number}")
            yield Example(question=question, answer=str(12 + number))

    def parse(self, text: str, question: Question, variation: Variation) -> str | None:
        return first_number(first_line(text))


def choice_task(answer_format: str = "letter") -> Choice:
    return Choice(TaskSpec(name="choice", answer_format=answer_format))  # type: ignore[arg-type]


def number_task() -> Number:
    return Number(TaskSpec(name="number"))


def questions_and_gold(task: Task) -> tuple[list[Question], dict[str, str | None]]:
    examples = list(task.examples())
    return [example.question for example in examples], {example.question.id: example.answer for example in examples}
