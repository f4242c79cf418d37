"""Whether a supervisor agrees with itself, and with another beyond what chance would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from w2s.reliability.ballots import Ballots
from w2s.reliability.base import Codes, Floats, codes
from w2s.reliability.options import Options

__all__ = ["Modal", "PairAgreement", "modal_answers"]

_ALL = 1 - 1e-12  # agreement that chance gives where there is but one answer to give


class PairAgreement(NamedTuple):
    """Two supervisors on the questions that both answered.

    Attributes:
        share: Of the questions to which both gave the same answer most often.
        kappa: (share − chance) / (1 − chance); None where chance alone would always agree.
    """

    share: float
    kappa: float | None


@dataclass(frozen=True, kw_only=True)
class Modal:
    """The answer that each supervisor gave most often to each question that it answered, (cells,).

    Attributes:
        options: What was chosen among.
        supervisor: Ascending.
        question: Ascending within a supervisor.
        label: The answer; of those given as often, the one of the first variation.
        alike: The share of the pairs of the supervisor's answers to the question that are the same; NaN where there
            is one answer.
    """

    options: Options
    supervisor: Codes
    question: Codes
    label: Codes
    alike: Floats

    def self_agreement(self, num_supervisors: int) -> list[float | None]:
        """Of each supervisor, the mean of `alike` over the questions that it answered more than once; None for none."""
        several = ~np.isnan(self.alike)
        count = np.bincount(self.supervisor[several], minlength=num_supervisors)
        total = np.bincount(self.supervisor[several], self.alike[several], num_supervisors)
        return [float(total[i] / count[i]) if count[i] else None for i in range(num_supervisors)]

    def agreement(self, first: int, second: int) -> PairAgreement:
        """How often two supervisors who share a question agree.

        What chance gives is Cohen's (1960): the product of how often each gives a label on these questions, over the
        labels. Where questions state other options each, a label is none of its own, and chance is that of two who
        guess among the question's options (Brennan and Prediger 1981).
        """
        one, other = self._of(first), self._of(second)
        questions, own, others = np.intersect1d(
            self.question[one], self.question[other], assume_unique=True, return_indices=True
        )
        left, right = self.label[one][own], self.label[other][others]
        share = float((left == right).mean())
        if self.options.stated and not self.options.fixed:
            chance = float((1 / self.options.num_options[questions]).mean())
        else:
            count = len(self.options.labels)
            chance = float(np.bincount(left, minlength=count) @ np.bincount(right, minlength=count)) / len(left) ** 2
        return PairAgreement(share, None if chance > _ALL else (share - chance) / (1 - chance))

    def _of(self, supervisor: int) -> slice:
        return slice(*np.searchsorted(self.supervisor, [supervisor, supervisor + 1]).tolist())


def modal_answers(answers: pa.Table, ballots: Ballots) -> Modal:
    """The most frequent answers in the table that the ballots were made of."""
    options = ballots.options
    names = {name: number for number, name in enumerate(ballots.annotators)}
    who = np.array([names[name] for name in answers["supervisor"].unique().to_pylist()], np.int64)
    cell = who[codes(answers["supervisor"])[0]] * options.num_questions + options.question
    key = cell * len(options.labels) + options.label_of_row
    variation = answers["variation"].to_numpy()
    order = np.lexsort((variation, key))
    given, first, count = np.unique(key[order], return_index=True, return_counts=True)
    of = given // len(options.labels)
    ranked = np.lexsort((variation[order][first], -count, of))
    begins = np.flatnonzero(np.diff(of[ranked], prepend=-1))
    total = np.add.reduceat(count, begins)
    pairs = np.add.reduceat((count * (count - 1))[ranked], begins)  # ranked by cell, as `of` is
    cells = of[ranked][begins]
    return Modal(
        options=options,
        supervisor=cells // options.num_questions,
        question=cells % options.num_questions,
        label=given[ranked][begins] % len(options.labels),
        alike=np.where(total > 1, pairs / np.maximum(total * (total - 1), 1), np.nan),
    )
