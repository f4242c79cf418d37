"""How the answers of several annotators agree, in numbers: with each other, and with the majority of the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from w2s.reliability.base import Codes, Floats
from w2s.reliability.options import Options, options_of

__all__ = ["Ballots", "ballots_of"]

_TIE = 1e-9  # of votes: shared ones are fractions


@dataclass(frozen=True, kw_only=True)
class Ballots:
    """The votes of annotators. An annotator has one on each question, which its answers to the question share.

    A class is one distinct answer to one question; classes are in the order of their questions.

    Attributes:
        annotators: Their names, sorted.
        options: The labels and the questions.
        question_of_class: (classes,)
        label_of_class: (classes,)
        starts: (questions,) the first class of each.
        annotator: (ballots,) who gave a vote or a part of one.
        cls: (ballots,) to which class.
        weight: (ballots,) 1, or that part.
    """

    annotators: tuple[str, ...]
    options: Options
    question_of_class: Codes
    label_of_class: Codes
    starts: Codes
    annotator: Codes
    cls: Codes
    weight: Floats

    @cached_property
    def by_annotator(self) -> sparse.csr_array:
        """(annotators, classes) the votes."""
        shape = (len(self.annotators), len(self.question_of_class))
        return sparse.csr_array((self.weight, (self.annotator, self.cls)), shape)

    @cached_property
    def answered(self) -> sparse.csr_array:
        """(annotators, questions) 1 where an annotator answered."""
        question = self.question_of_class[self.cls]
        ones = sparse.csr_array((self.weight, (self.annotator, question)), (len(self.annotators), len(self.starts)))
        ones.data = np.ones_like(ones.data)  # parts of a vote add up to one, but for the rounding
        return ones

    @cached_property
    def votes(self) -> Floats:
        """(classes,)"""
        return np.asarray(self.by_annotator.sum(axis=0)).reshape(-1)

    @cached_property
    def voters(self) -> Floats:
        """(questions,) how many annotators answered."""
        return np.asarray(self.answered.sum(axis=0)).reshape(-1)

    @cached_property
    def majority(self) -> Codes:
        """(questions,) the label of most votes; −1 where two have as many."""
        highest = np.maximum.reduceat(self.votes, self.starts)
        is_highest = self.votes > highest[self.question_of_class] - _TIE
        first = np.flatnonzero(is_highest)[np.searchsorted(np.flatnonzero(is_highest), self.starts)]
        return np.where(np.add.reduceat(is_highest.astype(int), self.starts) == 1, self.label_of_class[first], -1)

    @cached_property
    def entropy(self) -> Floats:
        """(questions,) of the shares of the votes, in nats."""
        share = self.votes / self.voters[self.question_of_class]
        entropy: Floats = 0.0 - np.add.reduceat(share * np.log(np.where(share > 0, share, 1)), self.starts)
        return np.maximum(entropy, 0.0)

    def alpha(self) -> float | None:
        """Krippendorff's alpha for names, over questions that several answered; None where all answers are one.

        Krippendorff (2011), *Computing Krippendorff's Alpha-Reliability*.
        """
        several = self.voters > 1
        both = self.votes**2 - np.bincount(self.cls, self.weight**2, len(self.votes))  # pairs of two annotators
        agreeing = np.add.reduceat(both, self.starts)[several] / (self.voters[several] - 1)
        total = float(self.voters[several].sum())
        counted = several[self.question_of_class]
        by_label = np.bincount(self.label_of_class[counted], self.votes[counted], len(self.options.labels))
        expected = total * (total - 1) - float((by_label * (by_label - 1)).sum())
        if expected <= _TIE:
            return None
        return 1 - (total - 1) * (total - float(agreeing.sum())) / expected

    def with_others(self) -> tuple[Floats, Floats]:
        """(annotators,) the mean share of the others with the same answer, and over how many questions."""
        others = self.voters[self.question_of_class[self.cls]] - 1
        share = self.weight * (self.votes[self.cls] - self.weight) / np.maximum(others, 1)
        return self._per_annotator(share * (others > 0), self.annotator, self.answered @ (self.voters > 1))

    def with_majority_of_others(self) -> tuple[Floats, Floats]:
        """(annotators,) how often an annotator is with the majority of the others, and how often these have one."""
        question = self.question_of_class[self.cls]
        pairs, pair = np.unique(self.annotator * len(self.starts) + question, return_inverse=True)
        who, of = pairs // len(self.starts), pairs % len(self.starts)
        sizes = np.diff(self.starts, append=len(self.votes))[of]
        begins = np.cumsum(sizes) - sizes  # each pair has the classes of its question, one after another
        place = np.repeat(self.starts[of] - begins, sizes) + np.arange(int(sizes.sum()))
        left, own = self.votes[place], np.zeros(len(place))
        own[begins[pair] + self.cls - self.starts[question]] = self.weight
        left -= own
        is_highest = left > np.repeat(np.maximum.reduceat(left, begins), sizes) - _TIE
        decided = (np.add.reduceat(is_highest.astype(int), begins) == 1) & (self.voters[of] > 1)
        with_them = np.add.reduceat(own * is_highest, begins) * decided
        return self._per_annotator(with_them, who, np.bincount(who, decided, len(self.annotators)).astype(np.float64))

    def _per_annotator(self, values: Floats, who: Codes, count: Floats) -> tuple[Floats, Floats]:
        total = np.bincount(who, values, len(self.annotators))
        return total / np.maximum(count, 1), np.asarray(count, np.float64)

    def pairs(self) -> tuple[Codes, Codes, Floats, Floats]:
        """(pairs,) two annotators, the questions that both answered, and on how many of these they agree."""
        shared = sparse.triu(self.answered @ self.answered.T, k=1).tocoo()
        agree = (self.by_annotator @ self.by_annotator.T).tocsr()
        first, second = (np.asarray(index, np.int64) for index in (shared.row, shared.col))
        same = np.asarray(agree[first, second]).reshape(-1) if len(first) else np.zeros(0)
        return first, second, np.asarray(shared.data, np.float64), same


def ballots_of(answers: pa.Table) -> Ballots:
    """The votes in checked answers with a `supervisor` each, and none missing; one row at least."""
    options = options_of(answers)
    count = len(options.labels)
    classes, cls = np.unique(options.question * count + options.label_of_row, return_inverse=True)
    names = sorted(answers["supervisor"].unique().to_pylist())
    who = pc.index_in(answers["supervisor"], value_set=pa.array(names, pa.string())).to_numpy().astype(np.int64)
    key, ballot, rows = np.unique(who * len(classes) + cls, return_inverse=True, return_counts=True)
    _, own, answers_of = np.unique(
        who * options.num_questions + options.question, return_inverse=True, return_counts=True
    )
    of_row = np.empty(len(key))
    of_row[ballot] = answers_of[own]
    return Ballots(
        annotators=tuple(names),
        options=options,
        question_of_class=classes // count,
        label_of_class=classes % count,
        starts=np.flatnonzero(np.diff(classes // count, prepend=-1)),
        annotator=key // len(classes),
        cls=key % len(classes),
        weight=rows / of_row,
    )
