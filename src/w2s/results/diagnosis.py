"""What kind of supervisor is this: does its agreement say anything, and which known faults does it show?

Agreement is a measure of trust only where the variations move the supervisor. One that answers the same
whatever the wording agrees with itself and may be wrong all the same; one that answers by the position of an
option disagrees with itself for a reason that has nothing to do with the question. Most of this can be seen
without ground truth; with it, agreement is compared with correctness. For analysis only: nothing that a
student is trained from may come of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s import metrics
from w2s.metrics import Interval
from w2s.reliability.base import SCORES, check_scored, scores_in
from w2s.reliability.signal import agreement_signal, trust
from w2s.results.plain import check_plain

__all__ = [
    "AnswerShare",
    "Diagnosis",
    "Position",
    "PositionBias",
    "VariationDisagreement",
    "Verdict",
    "WeakLabelSummary",
    "diagnose",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Above this unanimity a filter has next to nothing to choose from: at most one question in twenty differs.
UNANIMOUS = 0.95
# An AUROC below this is of no use; from the second on, picking by agreement visibly raises label accuracy.
AUROC_NOTHING, AUROC_USEFUL = 0.55, 0.65
# The share of answers that look as if given by position alone: from the first on it is worth a word, from the
# second on position decides more often than the question does.
POSITION_NOTED, POSITION_RULES = 0.1, 0.5
# With thousands of answers every deviation is significant; with few, a large one may be chance. Both must hold.
SIGNIFICANT = 0.001
# More than half unparsed and the rest is what is left of a failed prompt; more than one in twenty is worth a word.
UNPARSED_NOTED, UNPARSED_MOSTLY = 0.05, 0.5
# One answer to nine questions in ten, and a tenth more often than the truth has it.
ONE_ANSWER, ONE_ANSWER_EXCESS = 0.9, 0.1
# Tasks with this many distinct answers at most choose from a fixed set, if each is given this often or more.
FIXED_ANSWERS, FIXED_ANSWERS_ROWS = 10, 5
# A variation that disagrees this much more often than the mean of the others has a wording worth a look.
VARIATION_NOTED = 0.1
_Z = 1.959963984540054  # of a 95% interval


class Verdict(StrEnum):
    """What the agreement of a supervisor's answers is worth."""

    INFORMATIVE = "informative"
    WEAKLY_INFORMATIVE = "weakly informative"
    UNINFORMATIVE = "uninformative"
    UNCLEAR = "unclear"  # ground truth for too few answers
    UNCHECKED = "unchecked"  # no ground truth, and no fault that shows without it
    UNANIMOUS = "unanimous"
    ONE_ANSWER = "one answer"
    BY_POSITION = "by position"
    UNPARSED = "unparsed"
    TOO_FEW_VARIATIONS = "too few variations"


_TITLES = {
    Verdict.INFORMATIVE: "Agreement tells right answers from wrong ones",
    Verdict.WEAKLY_INFORMATIVE: "Agreement tells a little about right and wrong",
    Verdict.UNINFORMATIVE: "Agreement does not tell right from wrong",
    Verdict.UNCLEAR: "Too few answers to tell what agreement is worth",
    Verdict.UNCHECKED: "Whether agreement means right cannot be checked: there is no ground truth",
    Verdict.UNANIMOUS: "It answers the same whatever the wording: agreement says little",
    Verdict.ONE_ANSWER: "It gives one answer to almost every question",
    Verdict.BY_POSITION: "It answers by position",
    Verdict.UNPARSED: "Most of its answers could not be parsed",
    Verdict.TOO_FEW_VARIATIONS: "Too few variations: agreement cannot be measured",
}


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
        p_value: Its p-value; answers are taken as independent, which exaggerates it a little.
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
    """How often one answer of a fixed set is given; `expected` as ground truth has it, None where unknown."""

    answer: str
    share: Interval
    expected: float | None


class VariationDisagreement(NamedTuple):
    """How often the answer to one variation is not (one of) the most frequent of its question."""

    variation: int
    answers: int
    share: Interval


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What the answers of a supervisor show. Rates of an empty table are nan; None = not to be had.

    Attributes:
        verdict: What agreement is worth.
        title: The verdict in a few words.
        sentence: The numbers behind it, in words.
        notes: What else is worth knowing, a sentence each.
        checked: Whether there was ground truth for any of the questions.
        rows: Answers.
        questions: Their questions.
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

    verdict: Verdict
    title: str
    sentence: str
    notes: tuple[str, ...]
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

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; what is not a number is None."""
        plain: dict[str, Any] = asdict(self)
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in plain.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, also of what came back from JSON."""
        known = {field.name for field in fields(cls)}
        if unknown := set(data) - known:
            raise TypeError(f"a diagnosis has an unknown {min(unknown)!r}")
        if missing := known - set(data):
            raise TypeError(f"a diagnosis has no {min(missing)!r}")
        for name in ("notes", "variations", "answers", "disagreement"):
            check_plain(data[name], list[Any], name)  # a text has items as well
        values = dict(data)
        values["verdict"] = Verdict(data["verdict"])
        values["notes"] = tuple(data["notes"])
        values["variations"] = tuple(data["variations"])
        values["auroc"] = {name: Interval(*value) for name, value in data["auroc"].items()}
        values["answers"] = tuple(AnswerShare(a, Interval(*share), e) for a, share, e in data["answers"])
        values["disagreement"] = tuple(
            VariationDisagreement(number, answers, Interval(*share)) for number, answers, share in data["disagreement"]
        )
        for name in ("unanimity_rate", "unparsed_rate"):
            values[name] = math.nan if data[name] is None else data[name]
        if data["position"] is not None:
            bias = dict(data["position"])
            check_plain(bias["positions"], list[Any], "positions")
            if not bias["positions"]:
                raise ValueError("position has no positions")
            bias["positions"] = tuple(
                Position(n, count, Interval(*share), e) for n, count, share, e in bias["positions"]
            )
            values["position"] = PositionBias(**bias)
        found = cls(**values)
        check_plain(found, cls, "a diagnosis")
        return found


@dataclass(frozen=True, kw_only=True)
class WeakLabelSummary(Diagnosis):
    """What the weak answers to the transfer questions are worth, for one seed; for analysis only.

    Attributes:
        seed: Seed of the run.
        by_entropy: `entropy` (nats), `questions`, `rows` and `accuracy`, lowest entropy first; empty where no ground
            truth is known.
    """

    seed: int
    by_entropy: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def of(
        cls, seed: int, scored: pa.Table, gold: Mapping[str, str], *, num_choices: Mapping[str, int] | None = None
    ) -> WeakLabelSummary:
        """Diagnose one seed's answers; see `diagnose`."""
        found = diagnose(scored, gold, num_choices=num_choices)
        levels = agreement_signal(scored, gold).levels if found.checked else ()
        by_entropy: list[dict[str, float]] = [
            {"entropy": level.entropy, "questions": level.questions, "rows": level.rows, "accuracy": level.accuracy}
            for level in levels
        ]
        return cls(seed=seed, by_entropy=by_entropy, **{f.name: getattr(found, f.name) for f in fields(Diagnosis)})


def diagnose(
    scored: pa.Table, gold: Mapping[str, str] | None = None, *, num_choices: Mapping[str, int] | None = None
) -> Diagnosis:
    """Say what a supervisor's agreement is worth and which known faults it shows.

    Intervals are of 95% and take the answers to one question as one observation.

    Args:
        scored: A table that `score_answers` made; `position` is used where it is there.
        gold: Ground truth, the canonical answer by question id. Without it, or where it knows none of the
            questions, the verdict rests on unanimity and on bias.
        num_choices: How many options each question has. By default the length of `choice_logprobs`, or else
            the highest position that was ever chosen.

    Raises:
        InputError: The table is not one of scored answers.
    """
    rows = _Rows(check_scored(scored), gold or {}, num_choices or {})
    found = rows.findings()
    verdict, sentence = _judge(found)
    return Diagnosis(verdict=verdict, title=_TITLES[verdict], sentence=sentence, notes=tuple(_notes(found)), **found)


class _Rows:
    """The answers as arrays of one entry a row."""

    def __init__(self, scored: pa.Table, gold: Mapping[str, str], num_choices: Mapping[str, int]) -> None:
        self.scored = scored
        self.question = _codes(scored["question_id"])
        self.num_questions = int(self.question.max(initial=-1)) + 1
        ids = scored["question_id"].to_pylist()
        self.answer = scored["answer"].to_pylist()
        self.truth = [gold.get(id) for id in ids]
        self.known: Bools = np.array([truth is not None for truth in self.truth], bool)
        pairs = zip(self.answer, self.truth, strict=True)
        self.correct: Bools = np.array([answer is not None and answer == truth for answer, truth in pairs], bool)
        self.num_choices = [num_choices.get(id) for id in ids]

    def findings(self) -> dict[str, Any]:
        """The fields of a `Diagnosis` that are measured."""
        per_question = np.bincount(self.question, minlength=self.num_questions)
        rows = len(self.question)
        share = self.scored["vote_share"].to_numpy()
        unanimous_row = share > 1 - 1e-9
        unanimous = np.zeros(self.num_questions, bool)
        unanimous[self.question] = unanimous_row
        return {
            "checked": bool(self.known.any()),
            "rows": rows,
            "questions": self.num_questions,
            "variations": (int(per_question.min()), int(per_question.max())) if rows else (0, 0),
            "unanimity_rate": float(unanimous.mean()) if rows else math.nan,
            "unparsed_rate": self.answer.count(None) / rows if rows else math.nan,
            "accuracy": _mean(self.correct[self.known]),
            "accuracy_unanimous": _mean(self.correct[self.known & unanimous_row]),
            "accuracy_split": _mean(self.correct[self.known & ~unanimous_row]),
            "auroc": self._aurocs(),
            "score": next(name for name in SCORES if name in scores_in(self.scored)),
            "position": self._position(),
            "answers": self._answers(),
            "disagreement": self._disagreement(share),
        }

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
        return _interval(estimate, part, self.question[self.known])

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

        return PositionBias(
            positions=tuple(
                Position(
                    index, int(observed[index]), _share(position == index, question), expected[index] / len(position)
                )
                for index in range(num_positions)
            ),
            chi_square=chi_square,
            p_value=float(chdtrc(num_positions - 1, chi_square)),
            effect=math.sqrt(chi_square / len(position) / (num_positions - 1)),
            favourite=int(np.argmax(observed - expected)),
        )

    def _choices(self, position: Ints) -> Ints:
        """How many options each row's question has, (rows,)."""
        counts = [count or 0 for count in self.num_choices]
        if "choice_logprobs" in self.scored.column_names:
            lengths = pc.fill_null(pc.list_value_length(self.scored["choice_logprobs"]), 0).to_pylist()
            counts = [given or length for given, length in zip(counts, lengths, strict=True)]
        known = np.array(counts, np.int64)
        return np.maximum(np.where(known > 0, known, int(position.max()) + 1), position + 1)

    def _answers(self) -> tuple[AnswerShare, ...]:
        given = {answer: self.answer.count(answer) for answer in set(self.answer) if answer is not None}
        small = 2 <= len(given) <= FIXED_ANSWERS or (len(given) == 1 and self.num_questions > 1)
        if not small or self.num_questions < FIXED_ANSWERS_ROWS * len(given):
            return ()
        # Ground truth as often as a question is asked, so that both shares are of the same rows.
        truths = [truth for truth in self.truth if truth is not None]
        return tuple(
            AnswerShare(
                answer,
                _share(np.array([other == answer for other in self.answer], bool), self.question),
                truths.count(answer) / len(truths) if truths else None,
            )
            for answer in sorted(given, key=lambda answer: (-given[answer], answer))
        )

    def _disagreement(self, share: Floats) -> tuple[VariationDisagreement, ...]:
        highest = np.zeros(self.num_questions)
        np.maximum.at(highest, self.question, share)
        differs = share < highest[self.question] - 1e-9
        variation = self.scored["variation"].to_numpy()
        return tuple(
            VariationDisagreement(int(number), int(own.sum()), _share(differs[own], self.question[own]))
            for number in np.unique(variation)
            for own in [variation == number]
        )


def _judge(found: Mapping[str, Any]) -> tuple[Verdict, str]:
    """The verdict and the sentence behind it; the faults that would spoil any other number come first."""
    unanimity, position = found["unanimity_rate"], found["position"]
    auroc: Interval | None = found["auroc"].get(found["score"])
    same = f"{unanimity:.0%} of the questions get the same answer to every variation"
    if found["variations"][1] < 2:
        reason = "No question was answered more than once." if found["rows"] else "There are no answers."
        return Verdict.TOO_FEW_VARIATIONS, reason
    if found["unparsed_rate"] >= UNPARSED_MOSTLY:
        return Verdict.UNPARSED, f"{found['unparsed_rate']:.0%} of the answers could not be parsed."
    if found["answers"]:
        top: AnswerShare = found["answers"][0]
        if top.share.estimate >= ONE_ANSWER and top.share.estimate - (top.expected or 0) >= ONE_ANSWER_EXCESS:
            truth = "" if top.expected is None else f"; it is right for {top.expected:.0%}"
            return Verdict.ONE_ANSWER, f"{top.share.estimate:.0%} of the answers are “{_short(top.answer)}”{truth}."
    if unanimity >= UNANIMOUS:
        right = "" if found["accuracy"] is None else f", and {found['accuracy']:.0%} of the answers are right"
        return Verdict.UNANIMOUS, f"{same}{right}. Its agreement cannot choose between them."
    rules = position is not None and position.noted and position.effect >= POSITION_RULES
    by_place = _position_sentence(position) if rules else ""
    if not found["checked"]:
        if rules:
            return Verdict.BY_POSITION, by_place
        return Verdict.UNCHECKED, f"{same}; no fault shows that would spoil their agreement."
    if auroc is None:
        which = "right" if found["accuracy"] == 1 else "wrong"
        return Verdict.UNCLEAR, f"All answers with ground truth are {which}: there is nothing to tell apart."
    score = f"AUROC {auroc.estimate:.2f}, 95% interval {auroc.low:.2f} to {auroc.high:.2f}"
    if auroc.estimate >= AUROC_USEFUL and auroc.low > 0.5:
        return Verdict.INFORMATIVE, f"{_told(auroc, score)} {_split_sentence(found)}"
    if rules:
        return Verdict.BY_POSITION, f"{by_place} Agreement tells little about right and wrong ({score})."
    if auroc.estimate >= AUROC_NOTHING and auroc.low > 0.5:
        return Verdict.WEAKLY_INFORMATIVE, f"{_told(auroc, score)} {_split_sentence(found)}"
    if auroc.high < AUROC_USEFUL or auroc.estimate < AUROC_NOTHING:
        return Verdict.UNINFORMATIVE, f"{score}, where 0.50 is chance. {_split_sentence(found)}"
    return Verdict.UNCLEAR, f"{score}: from nothing to useful, all is possible."


def _notes(found: Mapping[str, Any]) -> list[str]:
    """What is worth a word besides the verdict."""
    notes = []
    position: PositionBias | None = found["position"]
    if position and position.noted:
        notes.append(_position_sentence(position))
    elif position and position.effect < POSITION_NOTED:
        notes.append(f"No preference for a position that matters (effect {position.effect:.2f} of 1).")
    if found["answers"]:
        top = max(found["answers"], key=lambda item: item.share.estimate - (item.expected or 0))
        if top.expected is not None and top.share.low - top.expected >= ONE_ANSWER_EXCESS:
            share = f"{top.share.estimate:.0%} of the answers"
            notes.append(f"It prefers “{_short(top.answer)}”: {share}, right for {top.expected:.0%}.")
    if len(found["disagreement"]) > 1:
        worst = max(found["disagreement"], key=lambda item: item.share.estimate)
        others = [item.share.estimate for item in found["disagreement"] if item is not worst]
        if worst.share.low - float(np.mean(others)) >= VARIATION_NOTED:
            notes.append(
                f"Variation {worst.variation} disagrees with the majority {worst.share.estimate:.0%} of the time, "
                f"the others {float(np.mean(others)):.0%}: its wording is worth a look."
            )
    if UNPARSED_NOTED <= found["unparsed_rate"] < UNPARSED_MOSTLY:
        notes.append(f"{found['unparsed_rate']:.0%} of the answers could not be parsed.")
    if not found["checked"] and found["rows"]:
        notes.append("Judged from unanimity and bias alone: these questions have no ground truth.")
    return notes


def _told(auroc: Interval, score: str) -> str:
    return f"A right answer is the more reliable one in {auroc.estimate:.0%} of pairs with a wrong one ({score})."


def _split_sentence(found: Mapping[str, Any]) -> str:
    unanimous, split = found["accuracy_unanimous"], found["accuracy_split"]
    if unanimous is None or split is None:
        return f"{found['accuracy']:.0%} of the answers are right."
    return f"Where all variations agree {unanimous:.0%} of the answers are right, elsewhere {split:.0%}."


def _position_sentence(position: PositionBias) -> str:
    top = position.positions[position.favourite]
    return (
        f"The option in position {top.position + 1} of {len(position.positions)} gets {top.share.estimate:.0%} of the "
        f"answers (95% interval {top.share.low:.0%} to {top.share.high:.0%}; "
        f"{top.expected:.0%} if position made no difference)."
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _mean(values: Bools) -> float | None:
    return float(values.mean()) if len(values) else None


def _share(hits: Bools, question: Ints) -> Interval:
    """The share of rows that are hits."""
    share = float(hits.mean())
    if share in (0.0, 1.0):  # no spread to measure: Wilson's, of the questions
        return metrics.accuracy_interval(np.full(len(np.unique(question)), bool(share)))
    return _interval(share, (hits - share) / len(hits), question)


def _interval(estimate: float, part: Floats, question: Ints) -> Interval:
    """A mean's 95% interval from each row's part in its deviation, rows of one question taken together."""
    half = _Z * math.sqrt(float((np.bincount(question, weights=part) ** 2).sum()))
    return Interval(estimate, max(0.0, estimate - half), min(1.0, estimate + half))


def _codes(column: pa.ChunkedArray) -> Ints:
    codes = column.combine_chunks().dictionary_encode().indices
    numbers: Ints = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers
