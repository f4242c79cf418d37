"""Labels from a distribution over a question's options: the likeliest one, or all of them with their probabilities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s import tables
from w2s.errors import InputError
from w2s.methods.selection import Candidates, TrainingSet
from w2s.reliability.base import add_scores

__all__ = ["Label", "likeliest", "likeliest_option", "soft_training_set", "training_set_of"]

_TIE = 1e-9  # probabilities that differ by less are equal


class Label(NamedTuple):
    """What a student learns to answer to one prompt.

    Attributes:
        options: One, or for a soft label all of the question, in any order.
        weights: One for each option; of a soft label their probabilities.
        soft: Whether the options are a group.
    """

    options: Sequence[str]
    weights: Sequence[float]
    soft: bool = True


def likeliest_option(
    id: str, options: Sequence[str], probabilities: Sequence[float] | npt.NDArray[np.float64], *, seed: int
) -> int:
    """The index of the likeliest option of a question.

    Of options that are equally likely one is drawn, whatever their order: a file may list the right one first.

    Args:
        id: Of the question.
        options: In any order.
        probabilities: One for each option.
        seed: Of the draw.
    """
    own = np.asarray(probabilities)
    equal = np.flatnonzero(own >= own.max() - _TIE).tolist()
    return int(min(equal, key=lambda index: hashlib.sha256(f"{seed}\0{id}\0{options[index]}".encode()).digest()))


def likeliest(candidates: Candidates, *, seed: int) -> Candidates:
    """Put the likeliest option of its question in place of each row's answer; `confidence` is its probability.

    The prompt stays, and the completion is that option as a student writes it in answer to this prompt.

    Args:
        candidates: With a `posterior` over the options.
        seed: Of the draw among options that are equally likely.

    Raises:
        InputError: The rows have no distribution over their options.
    """
    answers, written, confidence = [], [], []
    for row in _rows_with_options(candidates):
        best = likeliest_option(row["question_id"], row["choices"], row["posterior"], seed=seed)
        answers.append(row["choices"][best])
        written.append(_written(row)[best])
        confidence.append(row["posterior"][best])
    rows = candidates.rows
    for name, values in (("answer", answers), ("completion", written)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values, pa.string()))
    return candidates.with_rows(add_scores(rows, confidence=confidence))


def soft_training_set(candidates: Candidates, rule: str) -> TrainingSet:
    """Turn each row into a group: every option of its question, weighted by its probability.

    Args:
        candidates: One row a question, with a `posterior` over the options.
        rule: What the labels are, in plain words. The selection counts a group as one row.

    Raises:
        InputError: The rows have no distribution over their options.
    """
    labels = [Label(row["choices"], row["posterior"]) for row in _rows_with_options(candidates)]
    return training_set_of(candidates, labels, rule)


def training_set_of(candidates: Candidates, labels: Iterable[Label], rule: str) -> TrainingSet:
    """Turn prompts and their labels into a training set: a row for each option of a label.

    A group's options stand in the order of their names where all questions have the same ones, and else in that in
    which the prompt names them: so a place in a group is a class of answers, or a position.

    Args:
        candidates: A row for each prompt, whatever was answered to it.
        labels: One for each of these rows.
        rule: How the labels came about, in plain words. The selection counts a prompt with its label as one row.
    """
    columns: dict[str, list[Any]] = {name: [] for name in tables.TRAINING_SET.names}
    pairs = list(zip(candidates.rows.to_pylist(), labels, strict=True))
    same_options = len({tuple(sorted(label.options)) for _, label in pairs if label.soft}) == 1
    for group, (row, label) in enumerate(pairs):
        written = dict(zip(row.get("choices") or (), _written(row), strict=False))
        position = dict(zip(row.get("choices") or (), row.get("positions") or (), strict=False))
        weighted = list(zip(label.options, label.weights, strict=True))
        if same_options:
            weighted.sort()
        elif position:
            weighted.sort(key=lambda pair: position.get(pair[0], len(position)))
        for option, weight in weighted:
            columns["completion"].append(written.get(option, f" {option}"))
            columns["answer"].append(option)
            columns["weight"].append(weight)
            columns["group"].append(group if label.soft else None)
            for name in ("prompt", "question_id", "variation"):
                columns[name].append(row[name])
    table = tables.carried(
        candidates.rows, pa.table(columns, schema=tables.TRAINING_SET)
    )  # of which task its prompts are
    return TrainingSet(table, candidates.selection(rule))


def _rows_with_options(candidates: Candidates) -> list[dict[str, Any]]:
    """The rows, each with its options and their probabilities."""
    rows = candidates.rows
    if "posterior" not in rows.column_names:
        raise InputError(
            "scored answers have no column 'posterior': expected those of an estimator that knows how likely each "
            "option is, such as probability"
        )
    found: list[dict[str, Any]] = rows.to_pylist()
    for row in found:
        choices, posterior = row.get("choices"), row["posterior"]
        if not choices or posterior is None or len(choices) != len(posterior):
            raise InputError(
                f"question {row['question_id']!r}: expected a probability for each of its choices, has {posterior} "
                f"for {choices}"
            )
    return found


def _written(row: dict[str, Any]) -> Sequence[str]:
    """How a student writes each option in answer to this row's prompt."""
    completions: Sequence[str] | None = row.get("completions")
    return [f" {choice}" for choice in row.get("choices") or ()] if completions is None else completions
