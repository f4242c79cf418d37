"""How many rows a method would train on: its own selection, tried on made-up answers of a hundred questions or two."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from w2s.methods import METHODS
from w2s.reliability import score_answers
from w2s.tables import ANSWERS

__all__ = ["Rehearsed", "rehearse"]

_QUESTIONS = 200
_OPTIONS = ("A", "B", "C", "D")
_ESTIMATORS = ("votes", "probability")  # the second says how likely each option is, as methods of soft labels ask
_HARD, _EASY = 0.3, 1.0  # how often a question is answered rightly lies evenly between these


class Rehearsed(NamedTuple):
    """Rows a question, how many of them have a prompt of their own, and whether that is only a bound from above."""

    rows: float
    prompts: float
    at_most: bool


def rehearse(
    method: str, selector: str, settings: Mapping[str, Any], kinds: Mapping[str, str], answers: int
) -> Rehearsed:
    """The rows that a method keeps of each question.

    Args:
        method: Its name.
        selector: One of its selectors.
        settings: The selector's.
        kinds: What each of its tables is, by its name: the kind of step that makes it.
        answers: To each question.

    Returns:
        What the selector kept of made-up answers; all of them, as a bound, where it refused those.
    """
    return _rehearsed(method, selector, json.dumps(settings, sort_keys=True), tuple(kinds.items()), answers)


@lru_cache(maxsize=256)  # a study asks for the same in every cell
def _rehearsed(
    method: str, selector: str, settings: str, kinds: tuple[tuple[str, str], ...], answers: int
) -> Rehearsed:
    for estimator in _ESTIMATORS:
        tables = {name: _gold() if kind in ("gold", "fold") else _scored(answers, estimator) for name, kind in kinds}
        try:
            table, _ = METHODS.find(method).selectors[selector](**tables, seed=0, **json.loads(settings))
            break
        except Exception:  # a plug-in's selector may ask for columns of its own; that is no reason not to plan
            continue
    else:
        return Rehearsed(float(answers), float(answers), True)
    groups = table["group"] if "group" in table.column_names else pa.nulls(table.num_rows)
    prompts = groups.null_count + pc.count_distinct(groups, mode="only_valid").as_py()
    return Rehearsed(table.num_rows / _QUESTIONS, prompts / _QUESTIONS, False)


@lru_cache(maxsize=8)
def _scored(answers: int, estimator: str) -> pa.Table:
    rng = random.Random(0)
    rows = []
    for question in range(_QUESTIONS):
        right = rng.uniform(_HARD, _EASY)
        for variation in range(answers):
            answer = _OPTIONS[0] if rng.random() < right else rng.choice(_OPTIONS[1:])
            rows.append(_row(question, variation, answer, right))
    return score_answers(pa.Table.from_pylist(rows, schema=ANSWERS), estimator=estimator)


@lru_cache(maxsize=1)
def _gold() -> pa.Table:
    return pa.Table.from_pylist([_row(question, 0, _OPTIONS[0], 0.9) for question in range(_QUESTIONS)], schema=ANSWERS)


def _row(question: int, variation: int, answer: str, right: float) -> dict[str, Any]:
    return {
        "question_id": f"question-{question}",
        "variation": variation,
        "prompt": f"Question {question}, asked in way {variation}:",
        "completion": f" {answer}",
        "response": f" {answer}",
        "answer": answer,
        "position": _OPTIONS.index(answer),
        "choices": list(_OPTIONS),
        "completions": [f" {one}" for one in _OPTIONS],
        "choice_logprobs": [-0.1 if one == answer else -3.0 - right for one in _OPTIONS],
        "positions": [(option + question + variation) % len(_OPTIONS) for option in range(len(_OPTIONS))],
        "supervisor": "made up",
    }
