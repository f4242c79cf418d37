"""The paper's estimator: an answer is trusted as far as the other answers to its question agree with it.

Guo and Yang (2024), arXiv 2406.19032.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.errors import InputError
from w2s.reliability.base import Codes, Floats, add_scores, codes, estimator_from

__all__ = ["ESTIMATORS", "Votes", "agreement", "count_votes", "votes"]


class Votes(NamedTuple):
    """How the answers to each question divide.

    A class is one distinct answer to one question; an unparsed answer is one as well.

    Attributes:
        question: (rows,) a number for each question.
        class_of_row: (rows,)
        question_of_class: (classes,)
        share: (classes,) of the question's answers.
        by_count: (classes,) the classes of each question together, the rarest first: sums in this order give
            equal bits for equal votes.
        starts: (questions,) the first class of each question.
    """

    question: Codes
    class_of_row: Codes
    question_of_class: Codes
    share: Floats
    by_count: Codes
    starts: Codes


def count_votes(answers: pa.Table) -> Votes:
    """Count how often each answer was given to its question: every row is a vote, whoever gave it."""
    question, num_questions = codes(answers["question_id"])
    answer, num_answers = codes(answers["answer"])
    # The code of a class sorts by question.
    classes, class_of_row, count = np.unique(question * num_answers + answer, return_inverse=True, return_counts=True)
    question_of_class = classes // max(num_answers, 1)
    share = count / np.bincount(question, minlength=num_questions)[question_of_class]
    by_count: npt.NDArray[np.int64] = np.lexsort((count, question_of_class))
    starts = np.flatnonzero(np.diff(question_of_class, prepend=-1))
    return Votes(question, class_of_row, question_of_class, share, by_count, starts)


def agreement(found: Votes) -> tuple[Floats, Floats]:
    """The vote share of each row's answer, and the entropy of its question's answers in nats, (rows,) each."""
    share = found.share
    entropy = 0.0 - np.add.reduceat((share * np.log(share))[found.by_count], found.starts)  # 0 where unanimous, not −0
    return share[found.class_of_row], entropy[found.question]


def votes(answers: pa.Table, *, temperature: float = 0.2) -> pa.Table:
    """Add to each answer its vote share, its question's entropy and its reliability.

    With p(a) the share of a question's answers that equal a (compared as exact strings):
    entropy `H = −Σ p(a) ln p(a)` over the distinct answers, in nats, and
    reliability `r(a) = exp(p(a)/T) / Σ_b exp(p(b)/T)`, a softmax over the distinct answers that were given.
    The scores of a question depend on nothing but how often its answers occur: neither the order of rows nor
    the names of the answers changes a bit. Confidence is the reliability, uncertainty the entropy.

    Args:
        answers: Checked answers (`check_answers`).
        temperature: T of the softmax; smaller trusts the majority more.

    Raises:
        InputError: The temperature is not above 0.
    """
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: expected a number above 0")
    found = count_votes(answers)
    share = found.share
    highest = np.maximum.reduceat(share, found.starts)[found.question_of_class]
    with np.errstate(over="ignore"):  # a tiny T: the exponent is −inf, its power 0, as it should be
        power = np.exp((share - highest) / temperature)
    reliability = power / np.add.reduceat(power[found.by_count], found.starts)[found.question_of_class]
    trust = reliability[found.class_of_row]
    vote_share, entropy = agreement(found)
    return add_scores(
        answers, vote_share=vote_share, entropy=entropy, reliability=trust, confidence=trust, uncertainty=entropy
    )


ESTIMATORS = (
    estimator_from("votes", votes, summary="how far the answers to a question agree (the paper's)", reads=()),
)
