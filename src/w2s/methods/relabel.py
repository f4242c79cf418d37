"""Two rounds: a student of the trusted answers says which of the others it agrees with; a fresh one learns from both.

In the spirit of arXiv 2503.04249: what a first student learned from the reliable part of the labels corrects
the selection in the rest. The weak supervisor's labels are never replaced, only kept or left out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.methods.base import Method, Round, Settings, Stages, Student
from w2s.methods.filtering import certain, filter_uncertain
from w2s.methods.selection import TrainingSet, candidates_from
from w2s.reliability.base import check_answers
from w2s.reliability.votes import count_votes
from w2s.tables import ANSWERS, SCORED

__all__ = ["METHODS", "agreed"]


def agreed(
    scored: pa.Table, student: pa.Table, *, quantile: float = 0.5, over: str = "parsed", seed: int = 0
) -> TrainingSet:
    """Keep the answers that `filter_uncertain` keeps, and of the others those that a student agrees with; weight 1.

    A student agrees with an answer where more than half of its own answers to the question, over the variations,
    are the same.

    Args:
        scored: Scored weak answers.
        student: The student's answers to the questions that were not kept.
        quantile: As for `filter_uncertain`.
        over: As for `filter_uncertain`.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: A table is not what it should be, or the quantile is not one.
    """
    candidates = candidates_from(scored)
    kept, rule = certain(candidates, quantile, over)
    second = check_answers(student, name="the student's answers")
    votes = count_votes(second)
    winners = second.filter(pa.array(votes.share[votes.class_of_row] > 0.5))
    winners = winners.filter(pc.is_valid(winners["answer"]))
    pair = pc.binary_join_element_wise(winners["question_id"], winners["answer"], "\0")
    own = pc.binary_join_element_wise(candidates.column("question_id"), candidates.column("answer"), "\0")
    agrees = pc.fill_null(pc.is_in(own, value_set=pair.combine_chunks().unique()), False)
    mask = np.logical_or(kept, agrees.to_numpy(zero_copy_only=False).astype(bool))
    both = candidates.keep(mask, otherwise="not_agreed").parsed()
    return both.training_set(f"all answers to {rule}, and those to other questions that the first student agrees with")


def _steps(stages: Stages, settings: Settings) -> Student:
    first_set = stages.select("certain", {"scored": stages.scored}, settings, part="round 1")
    first = stages.train(first_set, part="round 1")
    student = stages.answer(first, without=first_set, part="round 1")
    second_set = stages.select("agreed", {"scored": stages.scored, "student": student}, settings, part="round 2")
    return Student((Round(first_set, first), Round(second_set, stages.train(second_set, part="round 2"))))


def _check(settings: Settings) -> TrainingSet:
    return agreed(SCORED.empty_table(), ANSWERS.empty_table(), **settings)


METHODS = (
    Method(
        name="relabel",
        summary="two rounds: the certain answers, then also those that the first student agrees with",
        steps=_steps,
        settings={"quantile": 0.5, "over": "parsed"},
        selectors={"certain": filter_uncertain, "agreed": agreed},
        check=_check,
    ),
)
