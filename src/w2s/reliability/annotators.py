"""Several annotators of the same questions: how far they agree, how often each is right, and what they dispute.

All without ground truth. Beside Dawid and Skene's estimate stands the plain majority, which is often as good.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.metrics import share_interval, wilson
from w2s.reliability.alike import Modal, modal_answers
from w2s.reliability.ballots import Ballots, ballots_of
from w2s.reliability.base import Codes, Floats, check_answers, codes
from w2s.reliability.dawid_skene import DawidSkene, fit_dawid_skene

__all__ = ["Annotator", "Annotators", "Disputed", "Pair", "compare_annotators"]

_MANY = 20  # questions that two who work apart do not answer alike,
_DIFFER = 0.1  # where all pairs differ on this share

# Of the bootstrap: so many samples, of so many questions at most. What they vary by is scaled to all questions.
_SAMPLES, _SAMPLED = 40, 10_000


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """One annotator; what is not defined is None.

    Attributes:
        name: The supervisor of the table.
        questions: How many the annotator answered.
        answers: How many different answers the annotator gave.
        self_agreement: Mean share of the pairs of the annotator's own answers to a question that are the same, over
            the questions that it answered more than once.
        agreement: Mean share of the others with the same answer, over the questions that others answered too.
        majority_accuracy: Share of the questions on which the annotator is with the majority of the others.
        majority_questions: How many they are: those on which the others have one.
        accuracy: Dawid and Skene's estimate of how often the annotator is right.
        accuracy_low: Lower end of its 95% interval: a bootstrap over questions, at least as wide as though the right
            answers were known. None where fewer than three annotators share questions, since many accuracies then fit
            their answers equally well.
        accuracy_high: Upper end.
    """

    name: str
    questions: int
    answers: int
    self_agreement: float | None
    agreement: float | None
    majority_accuracy: float | None
    majority_questions: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two annotators who answered the same questions.

    Attributes:
        annotators: The two names.
        questions: How many both answered.
        disagreement: Share of these to which their answers differ; of several answers each, the share of the pairs.
        agreement: Share of these to which both gave the same answer most often.
        kappa: The agreement beyond chance: Cohen's; see `alike.Modal.agreement`. None where chance alone would always
            agree.
    """

    annotators: tuple[str, str]
    questions: int
    disagreement: float
    agreement: float
    kappa: float | None


@dataclass(frozen=True, kw_only=True)
class Disputed:
    """A question whose answers differ.

    Attributes:
        question_id: Which.
        votes: How many annotators gave each answer, most first.
        answers: Of each annotator who answered, how often each answer was given, most first.
        majority: The answer of most; None where two have as many.
        label: Dawid and Skene's most probable answer.
        probability: Of its being right.
    """

    question_id: str
    votes: dict[str, float]
    answers: dict[str, dict[str, int]]
    majority: str | None
    label: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Annotators:
    """What the answers of several annotators say of each other.

    Attributes:
        annotators: The most accurate first, by Dawid and Skene.
        alpha: Krippendorff's alpha for names: 1 is full agreement, 0 that of chance; None where nothing can differ.
        compared: How many questions two annotators or more answered.
        unanimous: To how many of these all gave one answer.
        ties: For how many questions two answers have the most votes.
        overruled: For how many Dawid and Skene's answer is another than that of a majority.
        form: Of the Dawid-Skene model: "full" or "one-coin"; None where no question has two annotators.
        pairs: Those who disagree most, by the lower end of the interval of their disagreement.
        identical: Those who never differ on 20 questions and more, where all pairs together differ on a tenth or more.
        disputed: The questions whose votes are most divided.
    """

    annotators: tuple[Annotator, ...]
    alpha: float | None
    compared: int
    unanimous: int
    ties: int
    overruled: int
    form: str | None
    pairs: tuple[Pair, ...]
    identical: tuple[Pair, ...]
    disputed: tuple[Disputed, ...]


def compare_annotators(
    answers: pa.Table, *, most: int = 10, most_pairs: int | None = None, **settings: Any
) -> Annotators:
    """Compare the annotators of a table. Answers of one to a question share one vote; missing ones do not count.

    Args:
        answers: With `supervisor`.
        most: How many disputed questions to list.
        most_pairs: How many pairs to list; by default the same number.
        **settings: Of `fit_dawid_skene`.

    Raises:
        InputError: As for `fit_dawid_skene`, except that a single annotator is allowed; or there is no answer.
    """
    answers = check_answers(answers)
    answers = answers.filter(pc.is_valid(answers["answer"]))
    if not answers.num_rows:
        raise InputError("the table has no answers: expected some to compare annotators by")
    ballots = ballots_of(answers)
    several, is_one = ballots.voters > 1, np.diff(ballots.starts, append=len(ballots.votes)) == 1
    found = fit_dawid_skene(answers, **settings) if several.any() else None  # else it would give back its prior
    best = _best(found) if found else None
    majority, modal = ballots.majority, modal_answers(answers, ballots)
    pairs, identical = _pairs(ballots, modal, most if most_pairs is None else most_pairs)
    return Annotators(
        annotators=_annotators(ballots, modal, found, _variance(answers, ballots, found, settings) if found else None),
        alpha=ballots.alpha(),
        compared=int(several.sum()),
        unanimous=int((several & is_one).sum()),
        ties=int((majority < 0).sum()),
        overruled=int(((majority >= 0) & (best[0] != majority)).sum()) if best else 0,
        form=found.form if found else None,
        pairs=pairs,
        identical=identical,
        disputed=_disputed(ballots, best, answers, most) if best else (),
    )


def _annotators(
    ballots: Ballots, modal: Modal, found: DawidSkene | None, variance: Floats | None
) -> tuple[Annotator, ...]:
    questions = np.asarray(ballots.answered.sum(axis=1)).reshape(-1)
    themselves = modal.self_agreement(len(questions))
    agreement, compared = ballots.with_others()
    majority, decided = ballots.with_majority_of_others()
    accuracy = found.accuracy if found else np.full(len(questions), np.nan)
    ends: list[tuple[float, float] | tuple[None, None]] = [(None, None)] * len(questions)
    if variance is not None:
        for i in np.flatnonzero(compared).tolist():
            ends[i] = share_interval(float(accuracy[i]), float(variance[i]), float(questions[i]), _SAMPLES - 1)
    given = np.unique(ballots.annotator * len(ballots.options.labels) + ballots.label_of_class[ballots.cls])
    answers = np.bincount(given // len(ballots.options.labels), minlength=len(questions))
    made = [
        Annotator(
            name=name,
            questions=int(questions[i]),
            answers=int(answers[i]),
            self_agreement=themselves[i],
            agreement=float(agreement[i]) if compared[i] else None,
            majority_accuracy=float(majority[i]) if decided[i] else None,
            majority_questions=int(decided[i]),
            accuracy=float(accuracy[i]) if found else None,
            accuracy_low=ends[i][0],
            accuracy_high=ends[i][1],
        )
        for i, name in enumerate(ballots.annotators)
    ]
    return tuple(sorted(made, key=lambda one: (-(one.accuracy or 0), one.name)))


def _variance(answers: pa.Table, ballots: Ballots, found: DawidSkene, settings: dict[str, Any]) -> Floats | None:
    """(annotators,) of Dawid and Skene's accuracies, by a bootstrap over questions; None for fewer than three."""
    if (ballots.with_others()[1] > 0).sum() < 3:
        return None
    names = [name for name in ("question_id", "supervisor", "answer", "choices") if name in answers.column_names]
    answers = answers.select(names).sort_by("question_id")  # samples are the same for any order of the rows
    question, count = codes(answers["question_id"])
    sizes = np.bincount(question)
    starts, size = np.cumsum(sizes) - sizes, min(count, _SAMPLED)
    settings = {**settings, "form": found.form, "tolerance": 1e-3, "max_iterations": 1000}  # far below what varies
    rng, index = np.random.default_rng(0), {name: i for i, name in enumerate(found.supervisors)}
    drawn = np.full((_SAMPLES, len(index)), np.nan)
    for values in drawn:
        sample = rng.integers(count, size=size)
        number = np.repeat(np.arange(size), sizes[sample])  # a question that is drawn twice is two
        rows = np.arange(len(number)) + (starts[sample] - np.cumsum(sizes[sample]) + sizes[sample])[number]
        table = answers.take(pa.array(rows)).set_column(0, "question_id", pa.array(number).cast(pa.string()))
        if pc.count_distinct(table["supervisor"]).as_py() > 1:
            fitted = fit_dawid_skene(table, **settings)
            values[[index[name] for name in fitted.supervisors]] = fitted.accuracy
    there = np.isfinite(drawn)
    mean = np.where(there, drawn, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    squares = np.where(there, (drawn - mean) ** 2, 0).sum(axis=0)
    known = found.accuracy * (1 - found.accuracy) / ballots.answered.sum(axis=1)  # if right answers were known
    variance: Floats = np.maximum(squares / np.maximum(there.sum(axis=0) - 1, 1) * size / count, known)
    return variance


def _best(found: DawidSkene) -> tuple[Codes, Floats]:
    """(questions,) the label that is most probable by Dawid and Skene, and its probability."""
    options = found.options
    order = np.lexsort((found.posterior, options.question_of_option))
    last = order[np.flatnonzero(np.diff(options.question_of_option[order], append=-1))]
    return options.label_of_option[last], found.posterior[last]


def _pairs(ballots: Ballots, modal: Modal, most: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Those who disagree most, and those who never do."""
    first, second, questions, same = ballots.pairs()
    disagreement = np.clip(1 - same / questions, 0, 1)
    low, _ = wilson(disagreement, questions)
    names = ballots.annotators

    def pair(i: int) -> Pair:
        modally = modal.agreement(int(first[i]), int(second[i]))
        return Pair(
            annotators=(names[first[i]], names[second[i]]),
            questions=int(questions[i]),
            disagreement=float(disagreement[i]),
            agreement=modally.share,
            kappa=modally.kappa,
        )

    def listed(order: Codes) -> tuple[Pair, ...]:
        return tuple(pair(i) for i in order[:most].tolist())

    never = np.flatnonzero((disagreement < 1e-9) & (questions >= _MANY))
    if same.sum() > (1 - _DIFFER) * questions.sum():
        never = never[:0]
    return listed(np.lexsort((second, first, -low))), listed(never[np.lexsort((second[never], first[never]))])


def _disputed(ballots: Ballots, best: tuple[Codes, Floats], answers: pa.Table, most: int) -> tuple[Disputed, ...]:
    label, probability = best
    ids: list[str] = answers["question_id"].unique().to_pylist()
    labels, ends = ballots.options.labels, np.append(ballots.starts[1:], len(ballots.votes))
    divided = np.flatnonzero(ends - ballots.starts > 1).tolist()
    entropy, sure = np.round(ballots.entropy, 9).tolist(), np.round(probability, 6).tolist()
    divided.sort(key=lambda question: (-entropy[question], sure[question], ids[question]))
    given = _given(answers, [ids[question] for question in divided[:most]])
    made = []
    for question in divided[:most]:
        classes = range(ballots.starts[question], ends[question])
        votes = {labels[ballots.label_of_class[cls]]: round(float(ballots.votes[cls]), 6) for cls in classes}
        majority = ballots.majority[question]
        made.append(
            Disputed(
                question_id=ids[question],
                votes=dict(sorted(votes.items(), key=lambda item: (-item[1], item[0]))),
                answers=given[ids[question]],
                majority=labels[majority] if majority >= 0 else None,
                label=labels[label[question]],
                probability=float(probability[question]),
            )
        )
    return tuple(made)


def _given(answers: pa.Table, ids: list[str]) -> dict[str, dict[str, dict[str, int]]]:
    """How often each annotator gave each answer to some questions."""
    rows = answers.filter(pc.is_in(answers["question_id"], pa.array(ids, pa.string())))
    counted = Counter(zip(*(rows[name].to_pylist() for name in ("question_id", "supervisor", "answer")), strict=True))
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (question, who, answer), count in sorted(counted.items(), key=lambda item: (*item[0][:2], -item[1], item[0])):
        found.setdefault(question, {}).setdefault(who, {})[answer] = count
    return found
