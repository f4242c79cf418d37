"""Votes: one example a question, with the answer that was given most often; of all questions, or the certain ones."""

from __future__ import annotations

import pyarrow as pa

from w2s.methods.base import select_then_train
from w2s.methods.filtering import certain
from w2s.methods.selection import SELECTED_FROM, TrainingSet, candidates_from, first_rows

__all__ = ["METHODS", "confident_majority", "majority"]


def majority(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Take for each question one row that gave the majority's answer; weight 1.

    This is the row of the lowest variation that gave the answer, with its own prompt and completion. If several answers
    have equally many votes, the one given in the lowest variation wins. Unparsed answers cannot win.

    Args:
        scored: Scored answers.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: The table is not one of scored answers with prompts.
    """
    candidates = candidates_from(scored).parsed()
    ranked = candidates.ordered(("question_id", "ascending"), ("vote_share", "descending"))
    winners = ranked.keep(first_rows(ranked), otherwise="other_variations")
    return winners.training_set("the first answer of each question that agrees with the majority")


def confident_majority(scored: pa.Table, *, quantile: float = 0.5, over: str = "parsed", seed: int = 0) -> TrainingSet:
    """Take for each question that `filter_uncertain` keeps one row that gave its modal answer; weight 1.

    Filtering keeps all answers to these questions, those of a minority among them: of people, who answer each
    question once, that is a wrong label for every one who was outvoted. Of answers with equally many votes the more
    confident one wins, then the one given in the lowest variation. Unparsed answers cannot win.

    Args:
        scored: Scored answers.
        quantile: As for `filter_uncertain`.
        over: As for `filter_uncertain`.
        seed: Not used: nothing is drawn.

    Raises:
        InputError: As `filter_uncertain`.
    """
    candidates = candidates_from(scored)
    mask, rule = certain(candidates, quantile, over)
    ranked = candidates.keep(mask, otherwise="uncertain").parsed()
    ranked = ranked.ordered(("question_id", "ascending"), ("vote_share", "descending"), ("confidence", "descending"))
    winners = ranked.keep(first_rows(ranked), otherwise="other_variations")
    return winners.training_set(f"the most frequent answer to each of the {rule}")


METHODS = (
    select_then_train(
        "confident-majority",
        confident_majority,
        reads=SELECTED_FROM,
        summary="one answer a question of low uncertainty: the most frequent one",
        version=2,
    ),
    select_then_train(
        "majority",
        majority,
        reads=SELECTED_FROM,
        summary="one answer a question: what most of its variations gave",
        role="baseline",
    ),
)
