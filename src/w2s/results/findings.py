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
from w2s.metrics import Interval, share_interval
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
    """How often the option at one position was chosen; `expected` if position made no difference to the supervisor.

    The interval is as wide as that of the difference from `expected`, which varies with the supervisor's own answers.
    """

    position: int
    answers: int
    share: Interval
    expected: float


@dataclass(frozen=True, kw_only=True)
class PositionBias:
    """Whether the position of an option decides, of the questions that were asked in several orders.

    Each answer is compared with where the same option stood in the question's other orders: a supervisor that gives
    one answer more often than another shows nothing by that.

    Attributes:
        positions: Each position, from 0.
        chi_square: `d' V⁻ d`: d is the sum of the deviations from expectation, by position; V the sum of the outer
            products of each question's own, since its answers stand or fall together. 0 where nothing deviates.
        p_value: Of that, by as many degrees of freedom as V has ranks.
        effect: 0 = no preference, 1 = always the same position. It is what a mixture would show in which this
            share of the answers goes to one position blindly and position makes no difference to the others.
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
        unanimity_rate: Share of the questions whose answers are all the same, of those with two answers or more.
        unparsed_rate: Share of the answers that could not be parsed.
        accuracy: Share of right answers, among those with ground truth.
        accuracy_unanimous: The same of the questions with two answers or more that are all the same.
        accuracy_split: The same of those whose answers differ.
        auroc: For each score, the probability that a right answer is more trusted by it than a wrong one; empty where
            all answers with ground truth are right, or all wrong.
        score: The score that the verdict is about: the estimator's own.
        position: Of the questions asked in several orders, where the table has `positions`.
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


def measure(scored: pa.Table, gold: Mapping[str, str]) -> Findings:
    """Measure; see `diagnosis.diagnose`."""
    return _Rows(check_scored(scored), gold).findings()


class _Rows:
    """The answers as arrays of one entry a row."""

    def __init__(self, scored: pa.Table, gold: Mapping[str, str]) -> None:
        self.scored = scored
        self.question = codes(scored["question_id"])[0]
        self.num_questions = int(self.question.max(initial=-1)) + 1
        self.answer = scored["answer"]
        self.truth = truths_of(scored["question_id"], gold)
        self.known: Bools = self.truth.is_valid().to_numpy()
        self.correct = right_rows(scored, gold)

    def findings(self) -> Findings:
        """All of them."""
        per_question = np.bincount(self.question, minlength=self.num_questions)
        rows = len(self.question)
        share = self.scored["vote_share"].to_numpy()
        several_row = per_question[self.question] > 1
        split_row = share < 1 - 1e-9
        split = np.zeros(self.num_questions, bool)
        split[self.question] = split_row
        several = per_question > 1
        return Findings(
            checked=bool(self.known.any()),
            rows=rows,
            questions=self.num_questions,
            variations=(int(per_question.min()), int(per_question.max())) if rows else (0, 0),
            unanimity_rate=float(1 - split[several].mean()) if several.any() else math.nan,
            unparsed_rate=self.answer.null_count / rows if rows else math.nan,
            accuracy=_mean(self.correct[self.known]),
            accuracy_unanimous=_mean(self.correct[self.known & several_row & ~split_row]),
            accuracy_split=_mean(self.correct[self.known & split_row]),
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
        fewer = min(len(np.unique(question[correct])), len(np.unique(question[~correct])))
        return Interval(estimate, *share_interval(estimate, _variance(part, question), fewer))

    def _position(self) -> PositionBias | None:
        found = self._options()
        if found is None:
            return None
        at, row, slot, stood = found
        num_positions = stood.shape[1]
        every = np.eye(num_positions)

        def elsewhere(wanted: Bools) -> Floats:
            """(wanted, positions) the shares of the question's other orders in which the option stood at each."""
            others = stood[slot[wanted]] - every[at[wanted]]
            shares: Floats = others / others.sum(axis=1, keepdims=True)
            return shares

        is_chosen = at == self._chosen()[row]
        chosen, question = at[is_chosen], np.unique(self.question[row[is_chosen]], return_inverse=True)[1]
        deviation = every[chosen] - elsewhere(is_chosen)
        by_question = np.stack([np.bincount(question, weights=column) for column in deviation.T], axis=1)
        total, answers, questions = by_question.sum(axis=0), len(chosen), len(by_question)
        values, vectors = np.linalg.eigh(by_question.T @ by_question)
        varies = values > 1e-9 * answers
        chi_square = float(((total @ vectors)[varies] ** 2 / values[varies]).sum())
        favourite = int(np.argmax(total))
        most = (every[favourite] - elsewhere(at == favourite)).sum(axis=0)  # if all answers were at the favourite
        variance = ((by_question - total / questions) ** 2).sum(axis=0) / answers**2 * _few(questions)
        counts = np.bincount(chosen, minlength=num_positions)
        from scipy.special import chdtrc

        return PositionBias(
            positions=tuple(
                Position(
                    index,
                    int(count),
                    Interval(count / answers, *share_interval(count / answers, float(variance[index]), questions)),
                    float(count - total[index]) / answers,
                )
                for index, count in enumerate(counts.tolist())
            ),
            chi_square=chi_square,
            p_value=float(chdtrc(int(varies.sum()), chi_square)) if varies.any() else 1.0,
            effect=min(1.0, float(np.linalg.norm(total) / np.linalg.norm(most))) if most.any() else 0.0,
            favourite=favourite,
        )

    def _chosen(self) -> Ints:
        """(rows,) the position of the answer; −1 where it is not known."""
        position: Ints = pc.fill_null(self.scored["position"].cast(pa.int64()), -1).to_numpy()
        return position

    def _options(self) -> tuple[Ints, Ints, Ints, Floats] | None:
        """Each option of each answer, where the position of the answer is known and the question's orders differ.

        (options of all these rows,) its position, its row, and which option of which question it is; and
        (options of all questions, positions) how often each stood where.
        """
        if not {"position", "positions"} <= set(self.scored.column_names):
            return None
        lists, position = self.scored["positions"], self._chosen()
        sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
        at = pc.fill_null(pc.list_flatten(lists).cast(pa.int64()), -1).to_numpy()
        row = np.repeat(np.arange(len(sizes)), sizes)
        option = np.arange(len(at)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        known = (position >= 0) & (np.bincount(row[at == position[row]], minlength=len(sizes)) == 1)
        kept = known[row] & (at >= 0)
        if not kept.any():
            return None
        at, row, option = at[kept], row[kept], option[kept]
        slots, slot = np.unique(self.question[row] * (int(option.max()) + 1) + option, return_inverse=True)
        stood = np.zeros((len(slots), int(at.max()) + 1))
        np.add.at(stood, (slot, at), 1)
        moved = np.zeros(self.num_questions, bool)
        moved[self.question[row[((stood > 0).sum(axis=1) > 1)[slot]]]] = True
        kept = moved[self.question[row]] & (stood.sum(axis=1) > 1)[slot]
        return (at[kept], row[kept], slot[kept], stood) if kept.any() else None

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
    share, questions = float(hits.mean()), len(np.unique(question))
    variance = _variance((hits - share) / len(hits), question) * _few(questions)
    return Interval(share, *share_interval(share, variance, questions))


def _few(questions: int) -> float:
    """What a variance over so few questions is too small by."""
    return questions / max(questions - 1, 1)


def _variance(part: Floats, question: Ints) -> float:
    """Of a mean, from each row's part in its deviation, rows of one question taken together."""
    return float((np.bincount(question, weights=part) ** 2).sum())
