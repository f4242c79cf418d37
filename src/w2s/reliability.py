"""How far each answer can be trusted, from how far the answers to its question agree.

No ground truth is needed for that, and none is used, except by `agreement_signal`, which asks afterwards
whether the agreement said anything. Arrays only: a million answers take about a second on one core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s import metrics, tables
from w2s.errors import InputError, unknown_name
from w2s.tables import Unparsed

__all__ = [
    "AgreementSignal",
    "EntropyCount",
    "ReliabilitySummary",
    "SignalLevel",
    "agreement_signal",
    "check_answers",
    "check_scored",
    "score_answers",
    "summarize",
]

_ANSWER = pa.schema({"question_id": pa.string(), "variation": pa.int32(), "answer": pa.string()})
_SCORES = pa.schema([tables.SCORED.field(name) for name in ("vote_share", "entropy", "reliability")])

# Entropies nearer than this are the same value: a table may come back from text with fewer digits.
_ENTROPY_DECIMALS = 9

Codes = npt.NDArray[np.int64]
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
        unanimity_rate: Share of the questions whose answers are all the same.
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
        auroc_reliability: Probability that a correct row has a higher reliability than a wrong one, ties
            one half: .5 says nothing, nan where all rows are correct or all wrong.
        auroc_vote_share: The same for the vote share.
        auroc_entropy: The same for minus the entropy.
    """

    levels: tuple[SignalLevel, ...]
    questions: int
    questions_without_gold: int
    accuracy: float
    auroc_reliability: float
    auroc_vote_share: float
    auroc_entropy: float


def check_answers(answers: pa.Table, *, name: str = "answers table") -> pa.Table:
    """Cast the columns that identify an answer, and make sure that each answer is there once.

    Args:
        answers: A table with `question_id`, `variation` and `answer` of any type that can be cast, and
            perhaps `supervisor`; other columns and all orders are left alone.
        name: What the table is, for the message.

    Raises:
        InputError: A column is missing or cannot be cast, an identifier is null, or a supervisor answers
            the same variation of a question twice.
    """
    keys = ["question_id", "variation"]
    schema = _ANSWER
    if "supervisor" in answers.column_names:
        keys.append("supervisor")
        schema = schema.append(pa.field("supervisor", pa.string()))
    answers = tables.check(answers, schema, name=name).select(answers.column_names)
    for key in ("question_id", "variation"):
        if answers[key].null_count:
            row = pc.index(pc.is_null(answers[key]), True).as_py()
            raise InputError(f"{name}, row {row} (from 0): expected a {key}, it is null")
    counts = answers.group_by(keys, use_threads=False).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1))
    if repeated.num_rows:
        first = repeated.slice(0, 1).to_pylist()[0]
        which = ", ".join(f"{key} {first[key]!r}" for key in keys)
        raise InputError(f"{name}: expected one answer for {which}, it has {first['count_all']}")
    return answers


def check_scored(scored: pa.Table, *, name: str = "scored answers") -> pa.Table:
    """`check_answers`, and the three scores must be there as finite numbers.

    Raises:
        InputError: As `check_answers`, or a score is missing, null or not finite.
    """
    scored = tables.check(check_answers(scored, name=name), _SCORES, name=name).select(scored.column_names)
    for score in _SCORES.names:
        finite = pc.fill_null(pc.is_finite(scored[score]), False)
        if not pc.all(finite, min_count=0).as_py():
            row = pc.index(finite, False).as_py()
            raise InputError(f"{name}, row {row} (from 0): expected a finite {score}, it is {scored[score][row]}")
    return scored


def score_answers(answers: pa.Table, *, temperature: float = 0.2, unparsed: Unparsed = "class") -> pa.Table:
    """Add to each answer its vote share, its question's entropy and its reliability.

    With p(a) the share of a question's answers that equal a (compared as exact strings):
    entropy `H = −Σ p(a) ln p(a)` over the distinct answers, in nats, and
    reliability `r(a) = exp(p(a)/T) / Σ_b exp(p(b)/T)`, a softmax over the distinct answers that were given.
    Both after Guo and Yang (2024), arXiv 2406.19032. The scores of a question depend on nothing but how
    often its answers occur: neither the order of rows nor the names of the answers changes a bit.

    Args:
        answers: Any table with `question_id`, `variation` and `answer`; null = could not be parsed. Where it
            has a `supervisor`, all supervisors' answers to a question vote together.
        temperature: T of the softmax; smaller trusts the majority more.
        unparsed: What becomes of unparsed answers: "class" = they are one more answer, "drop_question" =
            a question with any of them loses all its rows, "drop_answer" = they are dropped before the vote.

    Returns:
        The rows that are left, in their order and with all their columns, and the three scores last.

    Raises:
        InputError: The table is not one of answers (see `check_answers`), or a setting is not valid.
    """
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: expected a number above 0")
    if unparsed not in get_args(Unparsed):
        raise unknown_name("rule for unparsed answers", unparsed, get_args(Unparsed))
    kept = _without_unparsed(check_answers(answers), unparsed)
    question, num_questions = _codes(kept["question_id"])
    answer, num_answers = _codes(kept["answer"])

    # A class is one distinct answer to one question; its code sorts by question.
    classes, class_of_row, count = np.unique(question * num_answers + answer, return_inverse=True, return_counts=True)
    question_of_class = classes // max(num_answers, 1)
    share = count / np.bincount(question, minlength=num_questions)[question_of_class]

    # Sums go from the rarest answer to the commonest, so that equal votes give equal bits.
    by_count = np.lexsort((count, question_of_class))
    starts = np.flatnonzero(np.diff(question_of_class, prepend=-1))  # first class of each question
    entropy = 0.0 - np.add.reduceat((share * np.log(share))[by_count], starts)  # not −x: unanimous is 0, not −0
    highest = np.maximum.reduceat(share, starts)[question_of_class]
    with np.errstate(over="ignore"):  # a tiny T: the exponent is −inf, its power 0, as it should be
        power = np.exp((share - highest) / temperature)
    reliability = power / np.add.reduceat(power[by_count], starts)[question_of_class]

    scored = kept.drop_columns([name for name in _SCORES.names if name in kept.column_names])
    for name, values in zip(
        _SCORES.names, (share[class_of_row], entropy[question], reliability[class_of_row]), strict=True
    ):
        scored = scored.append_column(_SCORES.field(name), pa.array(values, pa.float64()))
    return scored


def summarize(scored: pa.Table) -> ReliabilitySummary:
    """Say how much the answers agree.

    Args:
        scored: A table that `score_answers` made.

    Raises:
        InputError: The table is not one of scored answers.
    """
    scored = check_scored(scored)
    rows = scored.num_rows
    question, num_questions = _codes(scored["question_id"])
    answers = np.bincount(question)
    entropy = _entropy(scored)[np.unique(question, return_index=True)[1]]
    values, counts = np.unique(entropy, return_counts=True)
    return ReliabilitySummary(
        questions=num_questions,
        rows=rows,
        variations=(int(answers.min()), int(answers.max())) if rows else (0, 0),
        unanimity_rate=float(np.mean(entropy == 0)) if rows else np.nan,
        mean_vote_share=float(np.mean(scored["vote_share"].to_numpy())) if rows else np.nan,
        entropies=tuple(EntropyCount(float(value), int(n)) for value, n in zip(values, counts, strict=True)),
        unparsed_rate=scored["answer"].null_count / rows if rows else np.nan,
    )


def agreement_signal(scored: pa.Table, gold: Mapping[str, str]) -> AgreementSignal:
    """Compare agreement with correctness: does it tell right answers from wrong ones?

    For analysis only: nothing that a student is trained from may come of it.

    Args:
        scored: A table that `score_answers` made.
        gold: Ground truth, the canonical answer by question id. Questions that it lacks are left out.

    Raises:
        InputError: The table is not one of scored answers, or no question of it has a gold answer.
    """
    scored = check_scored(scored)
    num_questions = _codes(scored["question_id"])[1]
    ids = scored["question_id"].unique()
    truths = pa.array([gold.get(id) for id in ids.to_pylist()], pa.string())
    truth = truths.take(pc.index_in(scored["question_id"], value_set=ids).combine_chunks())
    known = pc.is_valid(truth)
    scored, truth = scored.filter(known), truth.filter(known)
    if not scored.num_rows:
        raise InputError(f"gold answers to {len(gold)} questions: expected some of the {num_questions} that are scored")

    correct = pc.fill_null(pc.equal(scored["answer"], truth), False).to_numpy().astype(bool)
    question, num_known = _codes(scored["question_id"])
    values, level = np.unique(_entropy(scored), return_inverse=True)
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
        auroc_reliability=metrics.auroc(scored["reliability"].to_numpy(), correct),
        auroc_vote_share=metrics.auroc(scored["vote_share"].to_numpy(), correct),
        auroc_entropy=metrics.auroc(-_entropy(scored), correct),
    )


def _without_unparsed(answers: pa.Table, unparsed: Unparsed) -> pa.Table:
    """The rows that take part in the vote."""
    missing = pc.is_null(answers["answer"])
    match unparsed:
        case "class":
            return answers
        case "drop_answer":
            return answers.filter(pc.invert(missing))
        case "drop_question":
            unsure = answers["question_id"].filter(missing).unique()
            return answers.filter(pc.invert(pc.is_in(answers["question_id"], value_set=unsure)))


def _codes(column: pa.ChunkedArray) -> tuple[Codes, int]:
    """Number the distinct values of a column from 0; null is a value. Returns the codes and how many there are."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(encoded.dictionary)


def _entropy(scored: pa.Table) -> Floats:
    """The entropy of each row (nats), rounded so that equal votes compare equal; −0 becomes 0."""
    rounded: Floats = np.round(scored["entropy"].to_numpy(), _ENTROPY_DECIMALS) + 0.0
    return rounded
