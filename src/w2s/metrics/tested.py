"""Which seed was tested on which question: answers of several seeds, put question by question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError
from w2s.metrics.scores import Bools, Floats, as_correct

__all__ = ["QuestionIds", "Shared", "as_same_shape", "as_tested", "shared_questions"]

QuestionIds = Sequence[Sequence[str]]
"""The questions of each seed, in the order of its answers."""

Shared = Literal["all", "some", "none"]
"""Which of their test questions seeds have in common."""


def shared_questions(question_ids: QuestionIds) -> Shared:
    """Which questions seeds have in common: "all" of them, "some" that two seeds share, or "none"."""
    sets = [frozenset(ids) for ids in question_ids]
    if len(set(sets)) <= 1:
        return "all"
    return "none" if sum(map(len, sets)) == len(frozenset().union(*sets)) else "some"


def as_tested(question_ids: QuestionIds | None, *arrays: npt.ArrayLike) -> tuple[Floats, ...]:
    """Answers of the same seeds to the same questions, each (seeds, questions): 1, 0, or nan where there is none.

    Args:
        question_ids: The questions of each seed; None where all seeds have the same, in the same order.
        *arrays: (questions,) or (seeds, questions); with question ids (questions,) of each seed.

    Raises:
        InputError: No questions, shapes that do not fit each other, a question that comes twice in a seed, or test sets
            of several sizes that share no question: neither their seeds nor their questions would weigh alike.
    """
    if question_ids is None:
        return tuple(checked.astype(np.float64) for checked in as_same_shape(*arrays))
    _check_ids(question_ids)
    column = {id: number for number, id in enumerate(dict.fromkeys(id for ids in question_ids for id in ids))}
    places = [[column[id] for id in ids] for ids in question_ids]
    wanted = [(1, len(place)) for place in places]
    tables = []
    for array in arrays:
        own = np.full((len(places), len(column)), np.nan)
        runs = [as_correct(run, empty=False) for run in cast("Sequence[npt.ArrayLike]", array)]
        shapes = [run.shape for run in runs]
        if shapes != wanted:
            found, expected = (", ".join(f"{n} x {m}" for n, m in sizes) for sizes in (shapes, wanted))
            raise InputError(f"arrays of {found} seeds x questions: expected {expected}, as in question_ids")
        for row, place, run in zip(own, places, runs, strict=True):
            row[place] = run[0]
        tables.append(own)
    sizes = [len(place) for place in places]
    if len(set(sizes)) > 1 and shared_questions(question_ids) == "none":
        raise InputError(f"test sets of {sizes} questions that share none: expected as many for each seed")
    return tuple(tables)


def as_same_shape(*arrays: npt.ArrayLike) -> tuple[Bools, ...]:
    """Arrays of the same questions and seeds, (seeds, questions) each; a single run is the same for every seed."""
    checked = [as_correct(array, empty=False) for array in arrays]
    seeds, questions = max(len(array) for array in checked), checked[0].shape[1]
    if any(array.shape[1] != questions or len(array) not in (1, seeds) for array in checked):
        shapes = [f"{len(array)} x {array.shape[1]}" for array in checked[1:]]
        first = f"{len(checked[0])} seeds x {questions} questions"
        raise InputError(f"arrays of {' and '.join([first, *shapes])}: expected the same, or one seed in some of them")
    return tuple(np.broadcast_to(array, (seeds, questions)) for array in checked)


def _check_ids(question_ids: QuestionIds) -> None:
    if not len(question_ids):
        raise InputError("question_ids is empty: expected the questions of at least one seed")
    for seed, ids in enumerate(question_ids, start=1):
        if isinstance(ids, str):
            raise InputError(f"question_ids of seed {seed} (from 1) is the text {ids[:40]!r}: expected a list of ids")
        seen: set[str] = set()
        for id in ids:
            if id in seen:
                raise InputError(f"question {id!r} comes more than once in the test set of seed {seed} (from 1)")
            seen.add(id)
