"""HellaSwag: which of four endings goes on with a description of an everyday activity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Pool, Question
from w2s.tasks.records import Hub, Record, content_id

__all__ = ["TASK", "HellaSwag"]

TEMPLATES = {
    "letter": """\
Which ending continues the text best? Reply with its letter.

Topic: {activity}
Text: {question}
{options}
Answer:""",
    "text": """\
Which ending continues the text best? Reply with the ending.

Topic: {activity}
Text: {question}
Endings:
{options}
Answer:""",
}


class HellaSwag(MultipleChoice):
    """HellaSwag (Zellers et al., 2019), as JSONL files of its authors or from the hub.

    A record:

        {"ind": 27024, "activity_label": "Clean and jerk", "split": "val", "label": 2,
         "ctx": "A man is seen kneeling down before a set of weights while another watches on the side. he",
         "endings": ["holds the weights up …", "lifts up the weights one at …", "lifts up …", "pulls off …"]}

    The training split goes to weak_train and transfer, the validation split to test; the test split has no
    labels and is not read. A single file goes anywhere.
    """

    name = "hellaswag"
    summary = "which of four endings continues a text"
    source = "Rowan/hellaswag"
    licence = "MIT"
    templates = TEMPLATES
    text_is = "text"
    hub = Hub(id="Rowan/hellaswag")
    pools: ClassVar[Mapping[str, Pool]] = {"train": "train", "validation": "test"}

    def examples(self) -> Iterator[Example]:
        """All labelled examples of the data, in its order."""
        return map(_example, self.records)


def _example(record: Record) -> Example:
    text, endings = record.text("ctx"), record.texts("endings")
    number, part = record.optional("ind"), record.optional("split")
    question = Question(
        id=f"{part}-{number}" if number and part else content_id(text, *endings),
        text=text,
        choices=endings,
        fields={"activity": record.optional("activity_label")},
    )
    return Example(question=question, answer=record.choice("label", endings), pool=record.pool)


TASK = HellaSwag
