"""Answers of models that choose, from their log-probabilities, and models that are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from support.experiments import questions, write_rows
from w2s.supervisors.asking import answer_questions
from w2s.supervisors.simulated import SETTINGS, Simulated
from w2s.tables import ANSWERS
from w2s.tasks import load_task

__all__ = ["Floats", "Made", "answers_of", "log_softmax", "ragged", "simulated"]

Floats = npt.NDArray[np.float64]


def log_softmax(scores: Any) -> Floats:
    values = np.asarray(scores, np.float64)
    found: Floats = values - np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return found


def ragged(rng: np.random.Generator, sizes: Sequence[int], width: float = 1.5) -> Floats:
    """(questions, options) random log-probabilities over as many options as each question has."""
    there = np.arange(max(sizes)) < np.array(sizes)[:, None]
    scores = np.where(there, rng.normal(0, width, there.shape), -np.inf)
    return log_softmax(scores)


def answers_of(
    logprobs: Mapping[str, Any],
    choices: Sequence[str] = ("a", "b", "c", "d"),
    positions: Mapping[str, Any] | None = None,
    supervisor: str = "model",
) -> pa.Table:
    """Answers from the (variations, options) log-probabilities of each question, which chooses the likeliest.

    Each option stands where it stands among the choices, or at `positions`, which are as many for each question.
    """
    rows = []
    for id, own in logprobs.items():
        for variation, row in enumerate(np.atleast_2d(np.asarray(own, np.float64))):
            there = list(choices[: len(row)])
            rows.append(
                {
                    "question_id": id,
                    "variation": variation,
                    "prompt": f"{id}, way {variation}:",
                    "completion": f" {there[int(row.argmax())]}",
                    "answer": there[int(row.argmax())],
                    "choices": there,
                    "completions": [f" {choice}" for choice in there],
                    "choice_logprobs": row.tolist(),
                    "positions": list(positions[id][variation]) if positions else list(range(len(row))),
                    "supervisor": supervisor,
                }
            )
    return pa.Table.from_pylist(rows, schema=ANSWERS)


class Made(dict[str, pa.Table]):
    """What the selector of `posterior` gets, of three simulated models; and the truth of transfer."""

    gold: Mapping[str, str]


def simulated(folder: Path, *, weak_train: int = 100, transfer: int = 300, **settings: Any) -> Made:
    """Three models with the same faults, which differ in what they believe besides."""
    task = load_task("file", data=write_rows(folder / "questions.jsonl", questions(weak_train + transfer)))
    examples = sorted(task.examples(), key=lambda example: example.question.id)
    gold = {example.question.id: str(example.answer) for example in examples}
    asked = [example.question for example in examples]
    made = Made()
    made.gold = {question.id: gold[question.id] for question in asked[weak_train:]}
    for seed, name in enumerate(("weak", "untrained", "cross_fitted")):
        model = Simulated({**SETTINGS, **settings}, gold, annotator=0, seed=seed)
        for prefix, own in (("", asked[weak_train:]), ("calibration_", asked[:weak_train])):
            made[prefix + name] = answer_questions(model, task, own, num_variations=4, seed=0)
    ids = [question.id for question in asked[:weak_train]]
    made["calibration_gold"] = pa.table({"question_id": ids, "answer": [gold[id] for id in ids]})
    return made
