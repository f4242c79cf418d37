"""MMLU: exam questions of 57 subjects, each with four options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from w2s.reading.unpacking import stem_of
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Pool, Question
from w2s.tasks.records import Hub, Record, content_id

__all__ = ["MMLU", "TASK"]

TEMPLATES = {
    "letter": """\
An exam question on {subject}. Reply with the letter of the right option.

{question}
{options}
Answer:""",
    "text": """\
An exam question on {subject}. Reply with the right option, word for word.

{question}
Options:
{options}
Answer:""",
}


class MMLU(MultipleChoice):
    """MMLU (Hendrycks et al., 2021), from the hub, or as CSV files: one a subject, or one for all.

    A record, from the hub and from a file:

        {"question": "What is the embryological origin of the hyoid bone?", "subject": "anatomy",
         "choices": ["The first pharyngeal arch", …], "answer": 3}

        question,choice0,choice1,choice2,choice3,answer
        How many human polyomaviruses are known at present?,100,1,10,unknown,0

    The original files, without a header and with the answer as a letter, are read as well. A file
    without a column `subject` has its subject in its name. The data has no training split to speak of, so all labelled
    questions, of test, validation and dev, may go anywhere; the auxiliary training set is other data and is left out.
    """

    name = "mmlu"
    summary = "exam questions of 57 subjects, four options"
    source = "cais/mmlu"
    licence = "MIT"
    templates = TEMPLATES
    hub = Hub(id="cais/mmlu", config="all")
    pools: ClassVar[Mapping[str, Pool]] = {"test": "any", "validation": "any", "dev": "any"}
    csv_columns = ("question", "choice0", "choice1", "choice2", "choice3", "answer")

    def examples(self) -> Iterator[Example]:
        """All labelled examples of the data, in its order."""
        return map(_example, self.records)


def _example(record: Record) -> Example:
    text = record.text("question")
    choices = record.texts("choices") if "choices" in record.row else tuple(record.text(f"choice{i}") for i in range(4))
    question = Question(id=content_id(text, *choices), text=text, choices=choices, fields={"subject": _subject(record)})
    return Example(question=question, answer=record.choice("answer", choices), pool=record.pool)


def _subject(record: Record) -> str:
    subject = record.optional("subject") or stem_of(Path(record.source))
    for split in ("_test", "_dev", "_val", "_validation"):
        subject = subject.removesuffix(split)
    return subject.replace("_", " ")


TASK = MMLU
