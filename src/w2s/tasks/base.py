"""What a task is: questions with known answers, ways to ask each, and a reader for what comes back."""

from __future__ import annotations

import logging
import string
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from w2s.config import AnswerFormat, Mode, TaskSpec, Unparsed
from w2s.errors import InputError, unknown_name
from w2s.hub import may_ask_hub
from w2s.registry import Registry
from w2s.tasks.questions import Example, Pool, Question, Variation
from w2s.tasks.records import Hub, Record, read_records, read_rows
from w2s.tasks.splits import Draw, QuestionPool, Splits, questions_of
from w2s.tasks.stand_in import is_cached, stand_in

__all__ = ["TASKS", "Example", "Question", "Task", "Variation", "fields_of"]

logger = logging.getLogger(__name__)

_FEW = 0.01  # of the questions: what is unlike in no more of them moves no result


class Task(ABC):
    """A data set of questions. A subclass is one file; its docstring shows a sample record.

    Most subclasses start from `MultipleChoice` or `FreeAnswer`, which leave only `examples` to write.

    Attributes:
        name: What users call it.
        summary: One line for `w2s tasks`.
        source: Where the questions come from by default: a hub id or a package.
        licence: Of the data.
        templates: The prompts, by name; `str.format` fields are the question's text, options and fields.
        hub: What `source` is on the hub; None for a task that reads no hub data.
        pools: The splits of the data that are read, and the pool that each goes to.
        csv_columns: The columns of a CSV file that has no header.
        num_variations: How often a question is asked: the task's default, or the spec's number.
        temperature: Of the reliability score, by default.
        unparsed: What becomes of an answer that cannot be parsed, by default.
        modes: Ways of answering that make sense, the default first.
        answer_formats: Ways of writing an answer that the task can do.
        answer_format: Whether an option is answered by its letter or its text.
        takes_paraphrases: Whether a question's paraphrases are used to vary it.
        text_is: What a question's text is called where it is to be reworded.
        takes_numbers: Whether `TaskSpec.answers` may be "numbers".
        names_splits: Whether the data are a user's own, who may have said which questions are in which split.
        takes_labels: Whether `TaskSpec.labels` says what all questions' options are.
        spec: The settings.
        version: Raised when its prompts or variations change, or how it parses what is no option; for options
            `parsing.VERSION` is raised.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str]
    hub: ClassVar[Hub | None] = None
    pools: ClassVar[Mapping[str, Pool]] = {}
    csv_columns: ClassVar[tuple[str, ...]] = ()
    temperature: ClassVar[float] = 0.2
    unparsed: ClassVar[Unparsed] = "class"
    answer_formats: ClassVar[tuple[AnswerFormat, ...]] = ("letter", "text")
    takes_paraphrases: ClassVar[bool] = False
    text_is: ClassVar[str] = "question"
    version: ClassVar[int] = 1
    takes_numbers: ClassVar[bool] = False
    takes_labels: ClassVar[bool] = False
    names_splits: ClassVar[bool] = False
    templates: Mapping[str, str]
    num_variations: int = 5
    modes: tuple[Mode, ...] = ("choose", "generate")
    answer_format: AnswerFormat = "letter"

    def __init__(self, spec: TaskSpec | None = None) -> None:
        """Keep the settings, and check what can be checked without the data.

        Args:
            spec: The settings; the name in them is always this task's.

        Raises:
            InputError: The task has no such template, template field, answer format or number of variations.
        """
        spec = replace(spec or TaskSpec(), name=self.name)
        self.spec = spec
        self._made_up = False
        if spec.num_variations is not None:
            self.num_variations = spec.num_variations
        if self.num_variations < 1:
            raise InputError(f"num_variations is {self.num_variations}: expected 1 or more")
        if spec.answer_format is not None:
            self.answer_format = spec.answer_format
        if self.answer_format not in self.answer_formats:
            raise unknown_name(f"answer_format of task {self.name}", self.answer_format, self.answer_formats)
        if spec.paraphrases is not None and not self.takes_paraphrases:
            raise InputError(f"paraphrases={spec.paraphrases!r}: task {self.name} varies its questions without any")
        if spec.answers == "numbers" and not self.takes_numbers:
            raise InputError(f"answers={spec.answers!r}: task {self.name} knows by itself what its answers are")
        if spec.labels and not self.takes_labels:
            raise InputError(f"labels={spec.labels}: the questions of task {self.name} bring their options along")
        if spec.encoding is not None and spec.data is None:
            raise InputError(f"encoding={spec.encoding!r}: expected data as well, the file that is read so")
        for name in spec.templates:
            self._check_template(name, spec.templates[name])
        self.templates = {**self.templates, **spec.templates}

    def as_spec(self) -> TaskSpec:
        """The settings that this task can be made from again, in this process or another.

        Raises:
            InputError: The class is not registered, or the instance holds more than its settings tell.
        """
        cls = type(self)
        if TASKS.get(self.name) is not cls:
            raise InputError(
                f"task {self.name!r}: its class {cls.__name__} is not registered; write @w2s.register above it, in a "
                "file, which other processes can run"
            )
        made = vars(cls(self.spec))
        held = {name: value for name, value in vars(self).items() if name not in _READ}
        own = sorted(name for name, value in held.items() if name not in made or made[name] != value)
        if own:
            raise InputError(
                f"task {self.name!r} holds {', '.join(own)}, which no other process would know: expected class "
                "attributes, or what examples() reads from spec.data"
            )
        return self.spec

    @abstractmethod
    def examples(self) -> Iterable[Example]:
        """All examples of the data, in its order."""

    @abstractmethod
    def vary(self, question: Question, num_variations: int, seed: int) -> list[Variation]:
        """Ask a question in several ways; the first is the question as it stands.

        The others are distinct, and drawn with a seed of their own for each question: which
        questions are asked, and in which order, changes nothing.

        Raises:
            InputError: The question cannot be asked in that many ways.
        """

    @abstractmethod
    def parse(self, text: str, question: Question, variation: Variation) -> str | None:
        """The canonical answer that a text gives, or None where it gives none."""

    @abstractmethod
    def complete(self, answer: str, question: Question, variation: Variation) -> str:
        """How a canonical answer is written after a variation's prompt, with its leading space."""

    @cached_property
    def pool(self) -> QuestionPool:
        """The examples, without duplicates, as they are when this is first asked for."""
        examples = [self.paraphrased(example) for example in self.examples()]
        return QuestionPool(examples, self.spec, made_up=self._made_up, own_splits=self.names_splits)

    @property
    def sizes(self) -> dict[str, int | str]:
        """How many questions each split is to have, as the settings say, or the data, or by default."""
        return self.pool.sizes

    def splits(self, draw: Draw | None = None, *, rewordings: int = 0) -> Splits:
        """The examples, without duplicates, in their splits.

        Args:
            draw: One of `pool.draws`; by default the draw that all seeds share.
            rewordings: How many paraphrases each question will be given later.

        Raises:
            InputError: There are fewer examples than the spec asks for, or a question of the transfer
                split cannot be asked in as many ways.
        """
        splits = self.pool.splits(draw)
        if self._made_up:
            return splits
        transfer = questions_of(splits.questions, "transfer")
        # Better here than after the weak supervisor has been trained.
        for question in transfer:
            if self._refuses_missing and self.num_variations > 1 and not question.paraphrases:
                raise InputError(f"{self.spec.paraphrases} has no paraphrases of {question.text[:60]!r}")
            reworded = question.paraphrases or tuple(f"{question.text} {number}" for number in range(rewordings))
            self.vary(replace(question, paraphrases=reworded), self.num_variations, seed=0)
        self._tell_missing(splits)
        if self.modes[0] == "choose":
            self._tell_prefixes([*transfer, *questions_of(splits.questions, "test")])
        return splits

    @property
    def _refuses_missing(self) -> bool:
        return self.spec.paraphrases is not None and self.spec.missing_paraphrases == "refuse"

    def _tell_missing(self, splits: Splits) -> None:
        """Say how many questions are asked in other ways for want of paraphrases in the file."""
        if self.spec.paraphrases is None or self.num_variations == 1:
            return
        wanted = 1 if self._refuses_missing else self.num_variations - 1
        for split in ("weak_train", "transfer"):
            questions = questions_of(splits.questions, split)
            if few := sum(len(question.paraphrases) < wanted for question in questions):
                text = "%d of %d questions of %s have fewer than %d paraphrases: they are asked in other ways as well"
                logger.warning(text, few, len(questions), split, wanted)

    def _tell_prefixes(self, questions: Sequence[Question]) -> None:
        """Say how many questions have an option that begins another: chosen by its text, it is never less probable."""
        found = [pair for question in questions if (pair := self._prefixed(question)) is not None]
        if found:
            text = (
                "%d of %d questions have an option that begins another, such as %r and %r: by the probability of its "
                "text the shorter one is never less likely; answer_format letter compares letters"
            )
            level = logging.WARNING if len(found) > _FEW * len(questions) else logging.DEBUG
            logger.log(level, text, len(found), len(questions), *found[0])

    def _prefixed(self, question: Question) -> tuple[str, str] | None:
        """Two options of a question, the first of which begins the second as they are written after its prompt."""
        written = sorted(self.vary(question, 1, seed=0)[0].completions)
        for shorter, longer in pairwise(written):  # what begins others stands right before the first of them
            if longer.startswith(shorter):
                return shorter.strip(), longer.strip()
        return None

    def wordings(self, question: Question, num_variations: int) -> list[str]:
        """The question's text and its paraphrases, at most so many; fewer only where other ways fill them up.

        Raises:
            InputError: There are too few, and nothing else is to take their place.
        """
        texts = [question.text, *question.paraphrases][:num_variations]
        if question.paraphrases and len(texts) < num_variations and self.spec.missing_paraphrases == "refuse":
            raise InputError(
                f"num_variations is {num_variations}: there are {len(question.paraphrases)} paraphrases of "
                f"{question.text[:60]!r}; missing_paraphrases=fill asks it in other ways as well"
            )
        return texts

    def answering_mode(self, wanted: Mode | None) -> Mode:
        """The mode that is wanted, or the task's own.

        Raises:
            InputError: The task cannot be answered in that mode.
        """
        mode = wanted or self.modes[0]
        if mode not in self.modes:
            raise InputError(f"mode {mode!r}: task {self.name} can be answered by {' or '.join(self.modes)} only")
        return mode

    def asking(self) -> dict[str, Any]:
        """What of the task decides its prompts and how answers are parsed, for `task_of`; the questions come apart."""
        fills = {"missing_paraphrases": "fill"} if self.spec.missing_paraphrases == "fill" else {}
        return {
            "name": self.name,
            "templates": dict(self.templates),
            "answer_format": self.answer_format,
            "answers": self.spec.answers,
            **fills,
        }

    def paraphrased(self, example: Example) -> Example:
        """An example whose question brings the paraphrases of it that the spec's file has."""
        if self.spec.paraphrases is None:
            return example
        texts = self._paraphrases.get(_spaced(example.question.text), ())
        return replace(example, question=replace(example.question, paraphrases=tuple(texts)))

    @cached_property
    def _paraphrases(self) -> dict[str, list[str]]:
        path = Path(str(self.spec.paraphrases)).expanduser()
        found: dict[str, list[str]] = {}
        for number, row in enumerate(read_rows(path, encoding=self.spec.encoding), start=1):
            question, paraphrases = row.get("question"), row.get("paraphrases")
            if not isinstance(question, str) or not isinstance(paraphrases, list):
                raise InputError(f"{path}, row {number}: expected the text 'question' and the list 'paraphrases'")
            # A paraphrase that comes twice is one way of asking.
            texts = dict.fromkeys(_spaced(str(text)) for text in paraphrases)
            found[_spaced(question)] = [text for text in texts if text and text != _spaced(question)]
        return found

    @cached_property
    def records(self) -> list[Record]:
        """The rows of `spec.data` if it is given, otherwise those of the hub.

        Within `w2s.hub.without_hub`, made-up ones where the hub's are not in the local cache and their looks are known.
        """
        if (
            self.hub is not None
            and self.spec.data in (None, self.hub.id)
            and not may_ask_hub()
            and not is_cached(self.hub)
        ):
            made = stand_in(self.hub, self.pools, self.spec)
            if made is not None:
                logger.warning("%s is not in the local cache: planned with made-up questions of its size", self.hub.id)
                self._made_up = True
                return made
        return read_records(self.name, self.spec.data, self.hub, self.pools, self.csv_columns, self.spec.encoding)

    def template_fields(self, name: str) -> set[str]:
        """What a template may name: what the task's own template of that name does."""
        return fields_of(name, type(self).templates[name])

    def _check_template(self, name: str, template: str) -> None:
        own = type(self).templates
        if name not in own:
            raise unknown_name(f"template of task {self.name}", name, own)
        allowed = self.template_fields(name)
        fields = fields_of(name, template)
        for field in sorted(fields - allowed):
            raise unknown_name(f"field of template {name!r}", field, sorted(allowed))
        for field in sorted({"question", "options"} & fields_of(name, own[name]) - fields):
            raise InputError(f"template {name!r} leaves out {{{field}}}: every prompt needs it")
        if template != own[name] and (end := template[len(template.rstrip()) :]):
            raise InputError(
                f"template {name!r} ends in {end!r}: expected no space there, since answers begin with one "
                "(in YAML, a block that begins with |- has none)"
            )


_READ = {"pool", "records", "_paraphrases", "_made_up"}  # from the data, once it was asked for


TASKS: Registry[type[Task]] = Registry("task")
"""The data sets: those of the package, which it discovers, and those of plug-ins."""


def _spaced(text: str) -> str:
    return " ".join(text.split())


def fields_of(name: str, template: str) -> set[str]:
    """What a template names in braces.

    Raises:
        InputError: A brace is open, or one holds more than a name: `str.format` would look into what the name
            stands for, or fill it up with millions of spaces.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"template {name!r}: {error}; a brace that is meant as one is written twice") from None
    fields = set()
    for _, field, form, conversion in parts:
        if field is None:
            continue
        if form or conversion or not field or field.isdecimal() or set(field) & set(".["):
            written = field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise InputError(
                f"template {name!r}: {{{written[:60]}}}: expected a plain name in the braces, "
                "such as {question}, with no '.', '[', '!' or ':'"
            )
        fields.add(field)
    return fields
