"""The splits of a task as tables: disjoint by question and by duplicate text. `drawing` says who goes where."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.gold import with_aliases
from w2s.tables import GOLD, QUESTIONS
from w2s.tasks.drawing import DRAWING_ORDER, Draw, Drawn, draw, draw_for_seed, draws_of, with_sizes
from w2s.tasks.near_duplicates import repeats, shingles_of
from w2s.tasks.questions import SPLITS, Example, Pool, Question

__all__ = ["Draw", "QuestionPool", "Splits", "gold_of", "questions_of", "split"]

logger = logging.getLogger(__name__)

# Of several copies of a question the first of these stays. A test question must be seen nowhere else.
_KEPT_FIRST: tuple[Pool, ...] = ("test", "weak_train", "transfer", "any", "train")


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The questions of the three splits, and apart from them the answers.

    Attributes:
        questions: A table of `QUESTIONS`, split by split, each in the order in which it was drawn.
        gold: A table of `GOLD`, in the same order; null where the data has no answer.
        dropped: How many examples were left out, by the reason.
        near_duplicates: How many questions nearly repeat one of another split.
    """

    questions: pa.Table
    gold: pa.Table
    dropped: dict[str, int]
    near_duplicates: int


class QuestionPool:
    """What splits are drawn from: the examples of a task, each question once.

    Of several copies of a question one is kept, and none where no answer is right in all of them. Copies are the same
    text and choices but for case, spacing and the order of the choices.

    Args:
        examples: All examples of the task, in any order.
        spec: The sizes: a number, or "all" for an equal share of what the numbers leave; and what becomes of
            near-duplicates.
        made_up: Nobody's questions, of a plan: which of them are alike means nothing.
        own_splits: Whether sizes that the settings leave open are those of the splits that the examples name.

    Raises:
        InputError: The same question is meant for two splits, or an answer is missing.
    """

    def __init__(
        self, examples: Iterable[Example], spec: TaskSpec, *, made_up: bool = False, own_splits: bool = False
    ) -> None:
        self._made_up = made_up
        self._kept, self._dropped = (list(examples), {}) if made_up else _without_duplicates(examples)
        if not made_up and spec.near_duplicates == "drop":
            self._kept, repeated = _without_near_duplicates(self._kept)
            self._dropped |= {"near-duplicate": repeated} if repeated else {}
        self._spec = with_sizes(self._kept, spec, own_splits=own_splits)

    @property
    def sizes(self) -> dict[str, int | str]:
        """How many questions each split is to have: a number, or "all"."""
        return {name: getattr(self._spec, name) for name in SPLITS}

    def draws(self, seeds: Sequence[int]) -> list[Draw]:
        """A draw for each seed, with test splits that share no question while there are enough; see `draws_of`.

        Raises:
            InputError: There are too few examples.
        """
        with self._left_out_said():
            return draws_of(self._kept, self._spec, seeds)

    def splits(self, one: Draw | None = None) -> Splits:
        """The splits of a draw; by default those that all seeds share.

        Raises:
            InputError: There are too few examples.
        """
        with self._left_out_said():
            drawn = draw(self._kept, self._spec) if one is None else draw_for_seed(self._kept, self._spec, one)
        rows = [(name, example) for name in SPLITS for example in drawn[name]]
        questions = pa.Table.from_pylist(
            [
                {
                    "question_id": example.question.id,
                    "split": name,
                    "text": example.question.text,
                    "choices": list(example.question.choices) or None,
                    "fields": json.dumps(dict(example.question.fields), ensure_ascii=False, sort_keys=True),
                    "paraphrases": list(example.question.paraphrases) or None,
                }
                for name, example in rows
            ],
            schema=QUESTIONS,
        )
        gold = pa.Table.from_pylist(
            [{"question_id": example.question.id, "split": name, "answer": example.answer} for name, example in rows],
            schema=GOLD,
        )
        gold = with_aliases(gold, {example.question.id: example.aliases for _, example in rows})
        near_duplicates = 0 if self._made_up else _near_duplicates(drawn)
        return Splits(questions=questions, gold=gold, dropped=self._dropped, near_duplicates=near_duplicates)

    @contextmanager
    def _left_out_said(self) -> Iterator[None]:
        """Has an error of too few examples say how many were left out, and why."""
        try:
            yield
        except InputError as error:
            left_out = "".join(f"; left out: {count} {reason}" for reason, count in self._dropped.items())
            raise InputError(f"{error}{left_out}") from None


def split(examples: Iterable[Example], spec: TaskSpec) -> Splits:
    """Draw the splits that all seeds share; see `QuestionPool`."""
    return QuestionPool(examples, spec).splits()


def questions_of(table: pa.Table, split: str) -> list[Question]:
    """The questions of one split, in the order of the table."""
    return [
        Question(
            id=row["question_id"],
            text=row["text"],
            choices=tuple(row["choices"] or ()),
            fields=json.loads(row["fields"] or "{}"),
            paraphrases=tuple(row["paraphrases"] or ()),
        )
        for row in _rows_of(table, split)
    ]


def gold_of(table: pa.Table, split: str) -> dict[str, str | None]:
    """The answers of one split by question id; None where the data has none."""
    return {row["question_id"]: row["answer"] for row in _rows_of(table, split)}


def _rows_of(table: pa.Table, split: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.filter(pyarrow.compute.equal(table["split"], split)).to_pylist()
    return rows


def _without_duplicates(examples: Iterable[Example]) -> tuple[list[Example], dict[str, int]]:
    """Keep one copy of every question, the same one whatever the order of the examples."""
    dropped: Counter[str] = Counter()
    explicit: dict[str, Pool] = {}
    copies: defaultdict[tuple[str, ...], list[Example]] = defaultdict(list)
    for example in sorted(examples, key=_precedence):
        question = example.question
        if example.answer is None and example.pool != "transfer":
            raise InputError(f"question {question.id!r} has no answer: only one meant for transfer may lack it")
        if example.pool in SPLITS and explicit.setdefault(question.id, example.pool) != example.pool:
            raise InputError(
                f"question {question.id!r} is in {explicit[question.id]} and in {example.pool}: splits must not overlap"
            )
        if len(set(map(_composed, question.choices))) < len(question.choices) or not all(question.choices):
            dropped["equal or empty choices"] += 1
        else:
            copies[_same(question)].append(example)
    kept: dict[str, Example] = {}
    for same in copies.values():
        answered = [_right(example) for example in same if example.answer is not None]
        if answered and not set.intersection(*answered):
            dropped["contradictory answers"] += len(same)  # which of them is right, nobody knows
            continue
        if len(same) > 1:
            dropped["duplicate"] += len(same) - 1
        if kept.setdefault(same[0].question.id, same[0]) is not same[0]:
            raise InputError(f"two different questions have the id {same[0].question.id!r}")
    return list(kept.values()), dict(dropped)


def _without_near_duplicates(examples: Sequence[Example]) -> tuple[list[Example], int]:
    """Those that nearly repeat none before them, and how many do."""
    repeated = repeats([shingles_of(example.question) for example in examples])
    kept = [example for example, other in zip(examples, repeated, strict=True) if other is None]
    return kept, len(examples) - len(kept)


def _near_duplicates(drawn: Drawn) -> int:
    """How many questions nearly repeat one of another split; the first is said."""
    rows = [(name, example.question) for name in DRAWING_ORDER for example in drawn[name]]
    repeated = repeats([shingles_of(question) for _, question in rows], [name for name, _ in rows])
    pairs = [(rows[index], rows[other]) for index, other in enumerate(repeated) if other is not None]
    if pairs:
        (split, question), (other_split, other_question) = pairs[0]
        logger.warning(
            "near-duplicates in different splits: %d, first %r in %s and %r in %s; near_duplicates=drop keeps one",
            *(len(pairs), question.id, split, other_question.id, other_split),
        )
    return len(pairs)


def _precedence(example: Example) -> tuple[int, str, str, tuple[str, ...], str, tuple[str, ...]]:
    question, answer = example.question, example.answer or ""
    pool = _KEPT_FIRST.index(example.pool)
    return (pool, question.id, question.text, question.choices, answer, example.aliases)


def _same(question: Question) -> tuple[str, ...]:
    """What two copies of a question have in common: its words and its choices, in any order."""
    return (_words(question.text), *sorted(map(_words, question.choices)))


def _right(example: Example) -> set[str]:
    """The right answers, each as two copies would have it in common."""
    written = set()
    for answer in (str(example.answer), *example.aliases):
        # Choices that differ in case only, as genotypes do, are different answers.
        alike = [choice for choice in example.question.choices if _words(choice) == _words(answer)]
        written.add(_composed(answer) if len(alike) > 1 else _words(answer))
    return written


def _words(text: str) -> str:
    return " ".join(_composed(_composed(text).casefold()).split())


def _composed(text: str) -> str:
    """A text in one writing: an accented letter may be one character, or a letter and its accent."""
    return unicodedata.normalize("NFC", text)
