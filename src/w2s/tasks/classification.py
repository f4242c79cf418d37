"""Classification: texts, and one set of labels for all of them."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import cast, get_args

from w2s.config import TaskSpec
from w2s.errors import InputError, unknown_name
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Pool, Question
from w2s.tasks.records import Record, content_id, records_of

__all__ = ["TASK", "Classification"]

logger = logging.getLogger(__name__)

TEMPLATES = {
    "letter": """\
Which label fits the text? Reply with its letter.

Text: {question}
{options}
Label:""",
    "text": """\
Which label fits the text? Reply with the label, word for word.

Text: {question}
Labels:
{options}
Label:""",
}

_MOST_FOUND = 26  # labels that are taken from the data; more are more likely to be something else


class Classification(MultipleChoice):
    """Texts to be labelled, from one file: tickets, reviews, comments.

    A record, in JSONL and in CSV; only `text` is needed:

        {"id": "t1", "text": "My card was charged twice.", "label": "billing", "split": "test"}

        id,text,label
        t1,My card was charged twice.,billing

    * `TaskSpec.labels`: all labels; without them they are those that the file has, in alphabetical order.
    * `label`: one of them, whatever its case and outer space. A row without one goes to the split "transfer": there
      labels come from the weak supervisor.
    * `split`: train (weak_train and transfer), weak_train, transfer or test; empty means any.
    * `id`: by default a hash of the text.

    Variations name the labels in other orders.
    """

    name = "classification"
    summary = "your own texts and one set of labels: tickets, reviews, comments"
    source = "the file given as data"
    licence = "yours"
    templates = TEMPLATES
    takes_labels = True
    names_splits = True
    text_is = "text"

    def __init__(self, spec: TaskSpec) -> None:
        """With data, read it: the labels decide in how many orders they can be named."""
        super().__init__(spec)
        if spec.data is None:
            return
        if spec.num_variations is None:
            self.num_variations = min(self.num_variations, math.factorial(min(len(self.labels), 10)))

    @cached_property
    def records(self) -> list[Record]:
        """The rows of the file."""
        if self.spec.data is None:
            raise InputError("task classification needs data: a JSONL, CSV or Parquet file with text and label")
        path = Path(self.spec.data).expanduser()
        if path.is_dir():
            raise InputError(f"data={self.spec.data!r} is a folder: task classification reads one file")
        return records_of(path, encoding=self.spec.encoding)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, as they are spelled in answers."""
        labels = [label.strip() for label in self.spec.labels]
        if not labels:
            labels = sorted({record.optional("label") for record in self.records} - {""})
            if not labels:
                raise InputError(f"{self.spec.data} has no labels: expected task.labels, such as [billing, shipping]")
            if len(labels) > _MOST_FOUND:
                raise InputError(f"{self.spec.data} has {len(labels)} labels: expected task.labels to name them")
            logger.info("%s: the labels are %s", self.spec.data, ", ".join(labels))
        seen: dict[str, str] = {}
        for label in labels:
            if not label:
                raise InputError("one of task.labels is empty")
            if (other := seen.setdefault(label.casefold(), label)) is not label:
                raise InputError(f"labels {other!r} and {label!r} differ by case alone: expected task.labels, one each")
        if len(labels) < 2:
            raise InputError(f"labels are {labels}: expected two or more")
        return tuple(labels)

    def examples(self) -> Iterator[Example]:
        """All rows of the file, in its order."""
        ids: dict[str, int] = {}
        for record in self.records:
            text = record.text("text")
            if (id := record.optional("id")) and (first := ids.setdefault(id, record.number)) != record.number:
                raise record.error("id", f"{id!r} is the id of row {first} as well")
            label = self._label(record)
            question = Question(id=id or content_id(text), text=text, choices=self.labels)
            yield Example(question=question, answer=label, pool=_pool(record, label))

    def _label(self, record: Record) -> str | None:
        given = record.optional("label")
        if not given:
            return None
        for label in self.labels:
            if label.casefold() == given.casefold():
                return label
        near = difflib.get_close_matches(given, self.labels, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise record.error("label", f"{given!r} is no label: expected one of {', '.join(self.labels)}{hint}")


def _pool(record: Record, label: str | None) -> Pool:
    split = record.optional("split") or ("any" if label is not None else "transfer")
    if split not in get_args(Pool):
        known = [pool for pool in get_args(Pool) if pool != "any"]
        raise record.error("split", str(unknown_name("split", split, known)))
    if label is None and split != "transfer":
        raise record.error("label", f"nothing in it, in split {split}: only transfer needs none")
    return cast(Pool, split)


TASK = Classification
