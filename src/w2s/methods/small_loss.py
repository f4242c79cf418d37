"""Small-loss selection: a first student learns all weak labels, a second one those that the first fits best.

Networks fit what is regular before they fit what is wrong, so labels of small loss are more often right: MentorNet
(Jiang et al. 2018, arXiv 1712.05055) and Co-teaching (Han et al. 2018, arXiv 1804.06872), whose rate of labels to keep
is `share`. There the choice is made anew in each batch; here once, after a first student's training.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from w2s.debias import log_softmax
from w2s.errors import InputError
from w2s.methods.base import Method, Round, Settings, Stages, Student
from w2s.methods.naive import naive
from w2s.methods.selection import TrainingSet, first_answers
from w2s.reliability.base import check_answers
from w2s.tables import ANSWERS, SCORED

__all__ = ["METHODS", "small_loss"]

_TOLERANCE = 1e-9


def small_loss(scored: pa.Table, student: pa.Table, *, share: float = 0.5, seed: int = 0) -> TrainingSet:
    """Keep of naive's rows those on which a student's loss is small; weight 1.

    The loss of a weak answer is minus its log-probability among the options, averaged over the variations in which the
    student was asked: `−(1/V) Σ_v log softmax(l_v)[answer]`. Kept are the rows whose loss is at or below its quantile
    at `share` over the rows of `transfer`; no ground truth is read. With a share of 1 this is naive.

    Args:
        scored: Scored weak answers.
        student: The student's answers to the same questions, with log-probabilities of the options.
        share: Of the rows that are kept, above 0.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: A table is not what it should be, the student has not answered a question or not by choosing, or
            the share is none.
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share}: expected a number above 0, up to 1")
    first = first_answers(scored)
    losses = _losses(first.rows, check_answers(student, name="the student's answers"))
    threshold = float(np.quantile(losses, share)) if len(losses) else 0.0
    kept = first.keep(losses <= threshold + _TOLERANCE, otherwise="large_loss")
    return kept.training_set(f"the first answer to questions where a first student's loss is up to {threshold:.3f}")


def _losses(rows: pa.Table, student: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(rows,) the student's loss of each row's answer."""
    said: dict[str, list[tuple[list[str], list[float]]]] = defaultdict(list)
    columns = (student[name].to_pylist() for name in ("question_id", "choices", "choice_logprobs"))
    for id, choices, logprobs in zip(*columns, strict=True):
        if logprobs is None:
            raise InputError(f"the student's answer to question {id!r}: expected log-probabilities of its options")
        said[id].append((choices, logprobs))
    losses = []
    for id, answer in zip(rows["question_id"].to_pylist(), rows["answer"].to_pylist(), strict=True):
        own = said.get(id)
        if own is None or answer not in own[0][0]:
            raise InputError(f"question {id!r}: expected {answer!r} among the options that the student was asked")
        losses.append(-float(np.mean([log_softmax(np.array(values))[names.index(answer)] for names, values in own])))
    return np.array(losses, np.float64)


def _steps(stages: Stages, settings: Settings) -> Student:
    first_set = stages.select("naive", {"scored": stages.scored}, {}, part="round 1")
    first = stages.train(first_set, part="round 1")
    student = stages.answer(first, choose=True, part="round 1")
    second_set = stages.select("small_loss", {"scored": stages.scored, "student": student}, settings, part="round 2")
    return Student((Round(first_set, first), Round(second_set, stages.train(second_set, part="round 2"))))


def _check(settings: Settings) -> TrainingSet:
    return small_loss(SCORED.empty_table(), ANSWERS.empty_table(), **settings)


METHODS = (
    Method(
        name="small-loss",
        summary="two rounds: all first answers, then those of them that the first student fits best",
        steps=_steps,
        settings={"share": 0.5},
        role="baseline",
        selectors={"naive": naive, "small_loss": small_loss},
        needs_options=True,
        check=_check,
        version=3,
    ),
)
