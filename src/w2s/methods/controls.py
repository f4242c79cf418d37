"""Controls: the same selections with one ingredient taken out, to tell what makes a method work.

`random_subset` is filtering without the reliability, `augmented` is naive with the variations, `oracle` is
filtering that knows the truth.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.gold import Gold, right_rows
from w2s.methods.base import select_then_train
from w2s.methods.filtering import filter_uncertain
from w2s.methods.selection import SELECTED_FROM, TrainingSet, candidates_from
from w2s.reliability.base import check_answers

__all__ = ["METHODS", "augmented", "oracle", "random_subset"]


def random_subset(scored: pa.Table, *, quantile: float = 0.5, over: str = "parsed", seed: int = 0) -> TrainingSet:
    """Keep all answers to as many questions as `filter_uncertain` keeps, but drawn blindly; weight 1.

    Args:
        scored: Scored answers.
        quantile: As for `filter_uncertain`.
        over: As for `filter_uncertain`.
        seed: Of the draw.

    Raises:
        InputError: As `filter_uncertain`.
    """
    questions = filter_uncertain(scored, quantile=quantile, over=over).selection.questions
    drawn = candidates_from(scored).parsed().draw_questions(questions, seed=seed)
    return drawn.training_set("all answers to as many questions as filtering keeps, drawn at random")


def augmented(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Draw as many answers as there were questions, from all variations, unfiltered; weight 1.

    Args:
        scored: Scored answers.
        seed: Of the draw.

    Raises:
        InputError: The table is not one of scored answers with prompts.
    """
    candidates = candidates_from(scored).parsed()
    drawn = candidates.draw(candidates.questions_in, seed=seed)
    return drawn.training_set("as many answers as there were questions, drawn from all answers")


def oracle(scored: pa.Table, gold_answers: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Draw as many of the answers that are correct as there were questions; weight 1.

    What a perfect filter would give. It asks for ground truth: a control, not a method.

    Args:
        scored: Scored answers.
        gold_answers: Answers made from ground truth, one for each question of `scored`.
        seed: Of the draw.

    Raises:
        InputError: A table is not what it should be, or a question has no gold answer, or several.
    """
    candidates = candidates_from(scored).parsed()
    gold = check_answers(gold_answers, name="gold answers")
    ids = gold["question_id"].combine_chunks()
    if len(ids.unique()) < len(ids):
        raise InputError(f"gold answers: {len(ids)} rows for {len(ids.unique())} questions, expected one for each")
    place = pc.index_in(candidates.column("question_id"), value_set=ids)
    if place.null_count:
        missing = candidates.column("question_id").filter(pc.is_null(place))
        raise InputError(f"gold answers: expected one for question {missing[0].as_py()!r}, there is none")
    right = candidates.keep(
        right_rows(candidates.columns("question_id", "answer"), Gold.from_table(gold)), otherwise="incorrect"
    )
    drawn = right.draw(right.questions_in, seed=seed)
    return drawn.training_set("as many answers as there were questions, drawn from the correct ones")


METHODS = (
    select_then_train(
        "augmented",
        augmented,
        reads=SELECTED_FROM,
        summary="control: as many answers as questions, drawn from all, unfiltered",
        role="control",
    ),
    select_then_train(
        "random-subset",
        random_subset,
        reads=SELECTED_FROM,
        summary="control: as many questions as filtering keeps, drawn blindly",
        role="control",
        version=2,
    ),
    select_then_train(
        "oracle",
        oracle,
        reads=SELECTED_FROM,
        summary="control: as many answers as questions, drawn from the correct ones",
        role="control",
    ),
)
