"""What scores say: how far the answers agree, and, where the truth is known, whether a score tells right from wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s import metrics
from w2s.errors import InputError
from w2s.gold import known_rows, right_rows
from w2s.reliability.base import SCORES, check_scored, codes, scores_in

__all__ = [
    "AgreementSignal",
    "EntropyCount",
    "ReliabilitySummary",
    "SignalLevel",
    "agreement_signal",
    "entropy_of",
    "summarize",
    "trust",
]

# Entropies nearer than this are the same value: a table may come back from text with fewer digits.
_ENTROPY_DECIMALS = 9

Floats = npt.NDArray[np.float64]


class EntropyCount(NamedTuple):
    """How many questions have one value of the entropy (nats)."""

    entropy: float
    questions: int


@dataclass(frozen=True, kw_only=True)
class ReliabilitySummary:
    """How much the answers of a scored table agree. Rates and means of an empty table are nan.

    Attributes:
        questions: Distinct questions.
        rows: Answers.
        variations: The fewest and the most answers that a question has. Where a question has only one,
            its agreement says nothing.
        unanimity_rate: Share of the questions whose answers are all the same, of those with two answers or more.
        mean_vote_share: Mean over rows of the share of the question's answers that equal the row's.
        entropies: Every value of the entropy, lowest first, with the number of its questions.
        unparsed_rate: Share of the rows whose answer could not be parsed; 0 where scoring dropped them.
    """

    questions: int
    rows: int
    variations: tuple[int, int]
    unanimity_rate: float
    mean_vote_share: float
    entropies: tuple[EntropyCount, ...]
    unparsed_rate: float


class SignalLevel(NamedTuple):
    """The answers to the questions of one entropy (nats), and how many of them are correct."""

    entropy: float
    questions: int
    rows: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Share of the rows that are correct."""
        return self.correct / self.rows


@dataclass(frozen=True, kw_only=True)
class AgreementSignal:
    """Whether agreement told right answers from wrong ones. Rows are answers, an unparsed one is wrong.

    Attributes:
        levels: The rows by the entropy of their question, lowest first.
        questions: Questions with a gold answer; the others are left out of everything here.
        questions_without_gold: How many those others are.
        accuracy: Share of the rows that are correct.
        auroc: For each score, the probability that a correct row is more trusted by it than a wrong one, ties
            one half: .5 says nothing, nan where all rows are correct or all wrong.
    """

    levels: tuple[SignalLevel, ...]
    questions: int
    questions_without_gold: int
    accuracy: float
    auroc: Mapping[str, float]


def summarize(scored: pa.Table) -> ReliabilitySummary:
    """Summarize how much the answers agree.

    Args:
        scored: A table that `score_answers` made.

    Raises:
        InputError: The table is not one of scored answers.
    """
    scored = check_scored(scored)
    rows = scored.num_rows
    question, num_questions = codes(scored["question_id"])
    answers = np.bincount(question)
    several = answers > 1
    entropy = entropy_of(scored)[np.unique(question, return_index=True)[1]]
    values, counts = np.unique(entropy, return_counts=True)
    return ReliabilitySummary(
        questions=num_questions,
        rows=rows,
        variations=(int(answers.min()), int(answers.max())) if rows else (0, 0),
        unanimity_rate=float(np.mean(entropy[several] == 0)) if several.any() else np.nan,
        mean_vote_share=float(np.mean(scored["vote_share"].to_numpy())) if rows else np.nan,
        entropies=tuple(EntropyCount(float(value), int(n)) for value, n in zip(values, counts, strict=True)),
        unparsed_rate=scored["answer"].null_count / rows if rows else np.nan,
    )


def agreement_signal(scored: pa.Table, gold: Mapping[str, str]) -> AgreementSignal:
    """Compare agreement with correctness: does it tell right answers from wrong ones?

    For analysis only: a student must not be trained on anything derived from it.

    Args:
        scored: A table that `score_answers` made.
        gold: Ground truth, the canonical answer by question id. Questions that it lacks are left out.

    Raises:
        InputError: The table is not one of scored answers, or no question of it has a gold answer.
    """
    scored = check_scored(scored)
    num_questions = codes(scored["question_id"])[1]
    needed = ["question_id", "answer", *(score for score in SCORES if score in scored.column_names)]
    scored = scored.select(needed).filter(known_rows(scored, gold))
    if not scored.num_rows:
        raise InputError(f"gold answers to {len(gold)} questions: expected some of the {num_questions} that are scored")

    correct = right_rows(scored, gold)
    question, num_known = codes(scored["question_id"])
    values, level = np.unique(entropy_of(scored), return_inverse=True)
    level_of_question = level[np.unique(question, return_index=True)[1]]
    counts = zip(
        values.tolist(),
        np.bincount(level_of_question, minlength=len(values)).tolist(),
        np.bincount(level).tolist(),
        np.bincount(level, weights=correct).astype(int).tolist(),
        strict=True,
    )
    return AgreementSignal(
        levels=tuple(SignalLevel(*row) for row in counts),
        questions=num_known,
        questions_without_gold=num_questions - num_known,
        accuracy=float(correct.mean()),
        auroc={name: metrics.auroc(trust(scored, name), correct) for name in scores_in(scored)},
    )


def entropy_of(scored: pa.Table) -> Floats:
    """The entropy of each row (nats), rounded so that equal votes compare equal; −0 becomes 0."""
    rounded: Floats = np.round(scored["entropy"].to_numpy(), _ENTROPY_DECIMALS) + 0.0
    return rounded


def trust(scored: pa.Table, score: str) -> Floats:
    """A score of each row with the sign that makes more of it more trusted, rounded so that ties stay ties."""
    rounded: Floats = SCORES[score] * np.round(scored[score].to_numpy(), _ENTROPY_DECIMALS) + 0.0
    return rounded
