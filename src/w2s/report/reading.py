"""What a report reads from a run's folder, as arrays: the weak answers, the training sets, the losses.

A folder may lack any of it (a method that trains nothing, questions without ground truth, a run that was
copied without its logs). What is not there is empty here, and the report leaves out what would need it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.errors import InputError
from w2s.gold import Gold, are_right
from w2s.reliability.base import check_scored, codes, scores_in
from w2s.reliability.signal import trust
from w2s.results.records import RunRecords
from w2s.tables import ALIASES, GOLD, QUESTIONS, SCORED, TRAINING_SET, check, read_table

__all__ = ["Answers", "Losses", "Run", "SeedFiles", "read_run"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The weak supervisor's answers to the transfer questions, all seeds in a row; every array is (rows,).

    Attributes:
        question: A number a question and seed.
        question_id: As the task names it.
        label: The canonical answer; None = could not be parsed.
        truth: The right answer; None = not known.
        known: Whether it is known.
        correct: Whether the answer is right; False where that is not known.
        entropy: Of the question's answers, in nats.
        confidence: Of the answer.
        scores: Every score that there is, by name, with the sign that makes more of it more trusted.
    """

    question: Ints
    question_id: list[str]
    label: list[str | None]
    truth: list[str | None]
    known: Bools
    correct: Bools
    entropy: Floats
    confidence: Floats
    scores: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.question)


@dataclass(frozen=True, kw_only=True)
class Losses:
    """A training's losses: one entry an optimizer step, and those on held-out questions where it watched some."""

    step: Floats
    loss: Floats
    eval_step: Floats
    eval_loss: Floats


@dataclass(frozen=True, kw_only=True)
class SeedFiles:
    """The files of one seed. `training_sets` and `losses` by method, the weak supervisor's losses among them."""

    seed: int
    scored: pa.Table
    training_sets: Mapping[str, pa.Table]
    losses: Mapping[str, Losses]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A result and its files.

    Attributes:
        result: What was read.
        questions: The questions of all splits: a table for all seeds, or one a seed where each has splits of its own.
        gold: Ground truth of the questions, by id.
        seeds: The files of each seed.
    """

    result: RunRecords
    questions: tuple[pa.Table, ...]
    gold: Gold
    seeds: tuple[SeedFiles, ...]

    @property
    def labels(self) -> list[str]:
        """The weak supervisor, where it was tested, and the methods."""
        return [record.method for record in self.result.pooled]

    @cached_property
    def choices(self) -> dict[str, list[str]]:
        """The options of each question that has some."""
        return {id: choices for id, choices in self._of_questions("choices") if choices}

    @property
    def texts(self) -> dict[str, str]:
        """The text of each question."""
        return dict(self._of_questions("text"))

    def _of_questions(self, column: str) -> Iterator[tuple[str, Any]]:
        for table in self.questions:
            yield from zip(table["question_id"].to_pylist(), table[column].to_pylist(), strict=True)

    @cached_property
    def answers(self) -> Answers:
        """The weak answers of all seeds."""
        tables = [seed.scored for seed in self.seeds]
        numbers, offset = [], 0
        for table in tables:
            found, count = codes(table["question_id"])
            numbers.append(found + offset)
            offset += count
        scored = pa.concat_tables([table.select(SCORED.names) for table in tables] or [SCORED.empty_table()])
        margin = _margin(question_codes(numbers), codes(scored["answer"])[0], scored["vote_share"].to_numpy())
        question = question_codes(numbers)
        ids, label = scored["question_id"].to_pylist(), scored["answer"].to_pylist()
        truth = [self.gold.get(id) for id in ids]
        return Answers(
            question=question,
            question_id=ids,
            label=label,
            truth=truth,
            known=np.array([answer is not None for answer in truth], bool),
            correct=np.array(are_right(ids, label, self.gold), bool),
            entropy=np.round(scored["entropy"].to_numpy(), 9) + 0.0,
            confidence=scored["confidence"].to_numpy(),
            scores={**{name: trust(scored, name) for name in _shown(scored)}, "majority margin": margin},
        )


def question_codes(numbers: list[Ints]) -> Ints:
    """The question numbers of all seeds in a row."""
    return np.concatenate([*numbers, np.array([], np.int64)])


def _shown(scored: pa.Table) -> list[str]:
    """The scores that tell something of their own: the vote share of a row says what its reliability says."""
    names = [name for name in scores_in(scored) if not scored[name].null_count]
    return [name for name in names if name != "vote_share"] if len(names) > 1 else names


def read_run(result: RunRecords) -> Run:
    """Read the files of a finished run.

    Raises:
        InputError: A file is there but broken.
    """
    folder = result.files
    draws: list[int | None] = [*result.experiment.seeds] if result.experiment.split_per_seed else [None]
    schema = pa.schema([*GOLD, ALIASES])
    golds = [_table(folder.gold(draw), schema, required=["question_id", "answer"]) for draw in draws]
    return Run(
        result=result,
        questions=tuple(_table(folder.questions(draw), QUESTIONS, required=["question_id"]) for draw in draws),
        gold=Gold.from_table(pa.concat_tables(golds)),
        seeds=tuple(_seed(result, seed) for seed in result.experiment.seeds),
    )


def _seed(result: RunRecords, seed: int) -> SeedFiles:
    folder = result.files
    required = ["question_id", "variation", "answer", "vote_share", "entropy", "confidence", "uncertainty"]
    scored = _table(folder.scored(seed), SCORED, required=required)
    empty = [name for name in scored.column_names if scored.num_rows and scored[name].null_count == scored.num_rows]
    unused = set(empty) - set(required)  # all answers may be unparsed
    check_scored(scored.drop_columns(sorted(unused)), name=str(folder.scored(seed)))
    methods = {
        record.method: folder.weak(seed) if record.role == "supervisor" else folder.method(seed, record.method)
        for record in result.pooled
    }
    sets = {
        name: _table(files.training_set, TRAINING_SET, required=["question_id"])
        for name, files in methods.items()
        if files.training_set.is_file()
    }
    losses = {name: _losses(files.log) for name, files in methods.items() if files.log.is_file()}
    return SeedFiles(
        seed=seed,
        scored=scored,
        training_sets=sets,
        losses={name: found for name, found in losses.items() if len(found.loss)},
    )


def _table(path: Path, schema: pa.Schema, *, required: list[str]) -> pa.Table:
    if not path.is_file():
        return schema.empty_table()
    return check(read_table(path), schema, name=str(path), required=required)


def _losses(path: Path) -> Losses:
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entries.append(dict(json.loads(line)))
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}, line {number} cannot be read: {error}") from None
    trained = [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
    watched = [(entry["step"], entry["eval_loss"]) for entry in entries if "eval_loss" in entry]
    steps = np.array(trained, np.float64).reshape(-1, 2)
    evals = np.array(watched, np.float64).reshape(-1, 2)
    return Losses(step=steps[:, 0], loss=steps[:, 1], eval_step=evals[:, 0], eval_loss=evals[:, 1])


def _margin(question: Ints, answer: Ints, share: Floats) -> Floats:
    """Share of the most frequent answer of each row's question less that of the next, (rows,)."""
    if not len(question):
        return np.zeros(0)
    order = np.lexsort((-share, question))
    first = order[np.flatnonzero(np.diff(question[order], prepend=-1))]  # a most frequent answer of each question
    top = np.zeros(question.max() + 1, np.int64)
    top[question[first]] = answer[first]
    highest, second = np.zeros(len(top)), np.zeros(len(top))
    highest[question[first]] = share[first]
    other = answer != top[question]
    np.maximum.at(second, question[other], share[other])
    margin: Floats = (highest - second)[question]
    return margin
