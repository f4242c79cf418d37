"""Questions made from what an installed package holds: no file, no hub, the same on every machine."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import ClassVar

from w2s.config import AnswerFormat
from w2s.errors import InputError
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example
from w2s.tasks.variations import rng_for

__all__ = ["OPTIONS", "PackagedTask", "as_many_of_each", "options_for"]

OPTIONS = 4


class PackagedTask(MultipleChoice):
    """A task with four options whose data is a package's. A subclass says which, and makes the examples of it.

    Attributes:
        package: The module that has the data.
        install: The arguments of `pip install` that bring it.
    """

    # Short, because a CPU has to read it thousands of times.
    templates: Mapping[str, str] = {
        "text": """\
{question}
Options:
{options}
Answer:""",
        "letter": """\
{question}
{options}
Answer:""",
    }
    answer_format: AnswerFormat = "text"
    package: ClassVar[str]
    install: ClassVar[str]

    @classmethod
    @abstractmethod
    def make_examples(cls) -> list[Example]:
        """All examples, from the package, which is there: the same whenever they are asked for."""

    def examples(self) -> Iterator[Example]:
        """All examples, in an order that the package decides.

        Raises:
            InputError: The spec names data, or the package is not installed.
        """
        if self.spec.data is not None:
            raise InputError(
                f"data={self.spec.data!r}: task {self.name} reads no data but its package's; see task file"
            )
        if importlib.util.find_spec(self.package) is None:
            raise InputError(f"task {self.name}: package {self.package} is not installed: pip install {self.install}")
        return iter(_made(type(self)))


@cache
def _made(task: type[PackagedTask]) -> tuple[Example, ...]:
    """A task's examples, made once a process: each stage of an experiment asks for them anew."""
    return tuple(task.make_examples())


def as_many_of_each(found: Mapping[str, Sequence[str]], most: int) -> list[tuple[str, str]]:
    """Pairs of a label and something found for it: the first of each label, of every label as many.

    Args:
        found: By label, the best first.
        most: How many of a label at most; fewer where one label has fewer.
    """
    each = min(most, *map(len, found.values()))
    return [(label, item) for label, items in found.items() for item in items[:each]]


def options_for(label: str, labels: Sequence[str], key: str) -> list[str]:
    """A label and three of the others, in an order that is drawn too.

    Where every label is right equally often and all of them are drawn alike, each of the four options shown is right
    with the same probability, whatever is known of labels and options: who does not read the question is right on .25.

    Args:
        label: The right one.
        labels: All that may be shown.
        key: Of the question; decides the draw.
    """
    rng = rng_for(0, key)
    options = [label, *rng.sample([other for other in labels if other != label], OPTIONS - 1)]
    rng.shuffle(options)
    return options
