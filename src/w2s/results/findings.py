"""What can be measured of a supervisor's answers: their agreement, known faults and, with ground truth, its worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s import metrics
from w2s.gold import right_rows, truths_of
from w2s.metrics import Interval
from w2s.metrics.crossed import Z
from w2s.reliability.base import SCORES, check_scored, codes, scores_in
from w2s.reliability.signal import trust

__all__ = [
    "POSITION_NOTED",
    "POSITION_RULES",
    "AnswerShare",
    "Findings",
    "Position",
    "PositionBias",
    "VariationDisagreement",
    "measure",
    "row_share",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# The share of answers that look as if given by position alone: from the first on it is worth a word, from the
# second on position decides more often than the question does.
POSITION_NOTED, POSITION_RULES = 0.1, 0.5
# With thousands of answers every deviation is significant; with few, a large one may be chance. Both must hold.
SIGNIFICANT = 0.001
# Tasks with this many distinct answers at most choose from a fixed set, if each is given this often or more.
FIXED_ANSWERS, FIXED_ANSWERS_ROWS = 10, 5


class Position(NamedTuple):
    """How often the option at one position was chosen; `expected` if position made no difference."""

    position: int
    answers: int
    share: Interval
    expected: float


@dataclass(frozen=True, kw_only=True)
class PositionBias:
    """Whether the position of an option decides.

    Attributes:
        positions: Each position, from 0.
        chi_square: Pearson's statistic of the answers per position against no preference.
        p_value: P-value of the difference; answers are taken as independent, which exaggerates it a little.
        effect: 0 = no preference, 1 = always the same position. It is what a mixture would show in which this
            share of the answers goes to one position blindly and the others fall on all positions alike.
        favourite: The position chosen most above expectation.
    """

    positions: tuple[Position, ...]
    chi_square: float
    p_value: float
    effect: float
    favourite: int

    @property
    def noted(self) -> bool:
        """Large enough to be named, and no accident."""
        return self.effect >= POSITION_NOTED and self.p_value < SIGNIFICANT


class AnswerShare(NamedTuple):
    """How often one answer of a fixed set is given; `expected` as ground truth has it, None where unknown.

    `checked` is its share of the answers with ground truth, the rows that `expected` is of; None where there are none.
    """

    answer: str
    share: Interval
    expected: float | None
    checked: Interval | None = None

    @property
    def compared(self) -> Interval:
        """The share to compare with `expected`; without ground truth, that of all answers."""
        return self.share if self.checked is None else self.checked


class VariationDisagreement(NamedTuple):
    """How often the answer to one variation is not (one of) the most frequent of its question."""

    variation: int
    answers: int
    share: Interval


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was measured of a supervisor's answers. Rates of an empty table are nan; None = not to be had.

    Attributes:
        checked: Whether there was ground truth for any of the questions.
        rows: Answers.
        questions: Questions of the rows.
        variations: The fewest and the most answers that a question has.
        unanimity_rate: Share of the questions whose answers are all the same.
        unparsed_rate: Share of the answers that could not be parsed.
        accuracy: Share of right answers, among those with ground truth.
        accuracy_unanimous: The same of the questions answered unanimously.
        accuracy_split: The same of the others.
        auroc: For each score, the probability that a right answer is more trusted by it than a wrong one; empty where
            all answers with ground truth are right, or all wrong.
        score: The score that the verdict is about: the estimator's own.
        position: Of answers whose position is known.
        answers: For a fixed small set of answers: the most frequent first.
        disagreement: By variation.
    """

    checked: bool
    rows: int
    questions: int
    variations: tuple[int, int]
    unanimity_rate: float
    unparsed_rate: float
    accuracy: float | None = None
    accuracy_unanimous: float | None = None
    accuracy_split: float | None = None
    auroc: Mapping[str, Interval] = field(default_factory=dict)
    score: str = "confidence"
    position: PositionBias | None = None
    answers: tuple[AnswerShare, ...] = ()
    disagreement: tuple[VariationDisagreement, ...] = ()


def measure(scored: pa.Table, gold: Mapping[str, str], num_choices: Mapping[str, int]) -> Findings:
    """Measure; see `diagnosis.diagnose`."""
    return _Rows(check_scored(scored), gold, num_choices).findings()


class _Rows:
    """The answers as arrays of one entry a row."""

    def __init__(self, scored: pa.Table, gold: Mapping[str, str], num_choices: Mapping[str, int]) -> None:
        self.scored = scored
        self.question = codes(scored["question_id"])[0]
        self.num_questions = int(self.question.max(initial=-1)) + 1
        self.answer = scored["answer"]
        self.truth = truths_of(scored["question_id"], gold)
        self.known: Bools = self.truth.is_valid().to_numpy()
        self.correct = right_rows(scored, gold)
        at = pc.index_in(scored["question_id"], value_set=pa.array(num_choices.keys(), pa.string()))
        self.num_choices: Ints = pc.fill_null(pa.array(num_choices.values(), pa.int64()).take(at), 0).to_numpy()

    def findings(self) -> Findings:
        """All of them."""
        per_question = np.bincount(self.question, minlength=self.num_questions)
        rows = len(self.question)
        share = self.scored["vote_share"].to_numpy()
        unanimous_row = share > 1 - 1e-9
        unanimous = np.zeros(self.num_questions, bool)
        unanimous[self.question] = unanimous_row
        return Findings(
            checked=bool(self.known.any()),
            rows=rows,
            questions=self.num_questions,
            variations=(int(per_question.min()), int(per_question.max())) if rows else (0, 0),
            unanimity_rate=float(unanimous.mean()) if rows else math.nan,
            unparsed_rate=self.answer.null_count / rows if rows else math.nan,
            accuracy=_mean(self.correct[self.known]),
            accuracy_unanimous=_mean(self.correct[self.known & unanimous_row]),
            accuracy_split=_mean(self.correct[self.known & ~unanimous_row]),
            auroc=self._aurocs(),
            score=next(name for name in SCORES if name in scores_in(self.scored)),
            position=self._position(),
            answers=self._answers(),
            disagreement=self._disagreement(share),
        )

    def _aurocs(self) -> dict[str, Interval]:
        found = {name: self._auroc(trust(self.scored, name)) for name in scores_in(self.scored)}
        return {name: interval for name, interval in found.items() if interval is not None}

    def _auroc(self, score: Floats) -> Interval | None:
        score, correct = score[self.known], self.correct[self.known]
        estimate = metrics.auroc(score, correct)
        if math.isnan(estimate):
            return None
        # How often a row wins against the rows of the other kind, ties one half: its part in the estimate
        # (DeLong et al. 1988). Summed by question, since its answers stand or fall together (Obuchowski 1997).
        rights, wrongs = np.sort(score[correct]), np.sort(score[~correct])
        beaten = (np.searchsorted(wrongs, score) + np.searchsorted(wrongs, score, "right")) / (2 * len(wrongs))
        beating = 1 - (np.searchsorted(rights, score) + np.searchsorted(rights, score, "right")) / (2 * len(rights))
        part = np.where(correct, (beaten - estimate) / len(rights), (beating - estimate) / len(wrongs))
        question = self.question[self.known]
        if not part.any():  # no spread to measure: Wilson's, of the questions of whichever kind has fewer
            fewer = min(len(np.unique(question[correct])), len(np.unique(question[~correct])))
            found = metrics.accuracy_interval(np.arange(fewer) < round(estimate * fewer))
            return Interval(estimate, min(found.low, estimate), max(found.high, estimate))
        return _interval(estimate, part, question)

    def _position(self) -> PositionBias | None:
        if "position" not in self.scored.column_names:
            return None
        position = pc.fill_null(self.scored["position"].cast(pa.int64()), -1).to_numpy()
        placed = position >= 0
        if not placed.any():
            return None
        choices = self._choices(position)[placed]
        position, question = position[placed], self.question[placed]
        num_positions = int(choices.max())
        if num_positions < 2:
            return None
        at: Bools = np.arange(num_positions)[:, None] < choices  # (positions, rows): whether the row has that position
        expected = (at / choices).sum(axis=1)
        observed = np.bincount(position, minlength=num_positions)
        chi_square = float(((observed - expected) ** 2 / expected).sum())
        from scipy.special import chdtrc

        favourite, rows = int(np.argmax(observed - expected)), len(position)
        most = rows * (rows / expected[favourite] - 1)  # the statistic of answers that are all at the favourite
        return PositionBias(
            positions=tuple(
                Position(index, int(observed[index]), row_share(position == index, question), expected[index] / rows)
                for index in range(num_positions)
            ),
            chi_square=chi_square,
            p_value=float(chdtrc(num_positions - 1, chi_square)),
            effect=min(1.0, math.sqrt(chi_square / most)),
            favourite=favourite,
        )

    def _choices(self, position: Ints) -> Ints:
        """How many options each row's question has, (rows,)."""
        known = self.num_choices
        if "choice_logprobs" in self.scored.column_names:
            lengths = pc.fill_null(pc.list_value_length(self.scored["choice_logprobs"]), 0).to_numpy()
            known = np.where(known > 0, known, lengths)
        return np.maximum(np.where(known > 0, known, int(position.max()) + 1), position + 1)

    def _answers(self) -> tuple[AnswerShare, ...]:
        if len(pc.drop_null(self.answer.unique())) > FIXED_ANSWERS:
            return ()
        given = _counts(self.answer)
        small = 2 <= len(given) <= FIXED_ANSWERS or (len(given) == 1 and self.num_questions > 1)
        if not small or self.num_questions < FIXED_ANSWERS_ROWS * len(given):
            return ()
        # Ground truth as often as a question is asked, so that it is compared with the answers of the same rows.
        truths, known = _counts(self.truth), self.known
        return tuple(
            AnswerShare(
                answer,
                row_share(hits, self.question),
                truths.get(answer, 0) / sum(truths.values()) if truths else None,
                row_share(hits[known], self.question[known]) if truths else None,
            )
            for answer in sorted(given, key=lambda answer: (-given[answer], answer))
            for hits in [pc.fill_null(pc.equal(self.answer, answer), False).to_numpy()]
        )

    def _disagreement(self, share: Floats) -> tuple[VariationDisagreement, ...]:
        highest = np.zeros(self.num_questions)
        np.maximum.at(highest, self.question, share)
        differs = share < highest[self.question] - 1e-9
        variation = self.scored["variation"].to_numpy()
        return tuple(
            VariationDisagreement(int(number), int(own.sum()), row_share(differs[own], self.question[own]))
            for number in np.unique(variation)
            for own in [variation == number]
        )


def _counts(texts: pa.ChunkedArray) -> dict[str, int]:
    """How often each text is there; null is none."""
    counted = pc.value_counts(pc.drop_null(texts))
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _mean(values: Bools) -> float | None:
    return float(values.mean()) if len(values) else None


def row_share(hits: Bools, question: Ints) -> Interval:
    """The share of rows that are hits, with its 95% interval: answers to one question are one observation."""
    share = float(hits.mean())
    if share in (0.0, 1.0):  # no spread to measure: Wilson's, of the questions
        return metrics.accuracy_interval(np.full(len(np.unique(question)), bool(share)))
    return _interval(share, (hits - share) / len(hits), question)


def _interval(estimate: float, part: Floats, question: Ints) -> Interval:
    """A mean's 95% interval from each row's part in its deviation, rows of one question taken together."""
    half = Z * math.sqrt(float((np.bincount(question, weights=part) ** 2).sum()))
    return Interval(estimate, max(0.0, estimate - half), min(1.0, estimate + half))
