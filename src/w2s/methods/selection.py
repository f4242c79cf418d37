"""From scored answers to a training set: what every method's selection is made of.

A selector takes the answers as `Candidates`, keeps or draws some of them, and ends in a `TrainingSet`:

    candidates = candidates_from(scored)
    certain = pc.less_equal(candidates.column("uncertainty"), 0.5)
    return candidates.keep(certain, otherwise="uncertain").parsed().training_set("the certain ones")

Each row that does not come through is counted under the reason why. The candidates are in an order of their
own, so what a selector makes does not depend on the order in which the answers came.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s import tables
from w2s.errors import InputError
from w2s.reliability.base import SCORES, check_answers, check_scored

__all__ = [
    "SELECTED_FROM",
    "Candidates",
    "Selection",
    "TrainingSet",
    "candidates_from",
    "check_quantile",
    "first_answers",
    "first_rows",
]

SELECTED_FROM = ("question_id", "variation", "supervisor", "prompt", "completion", "answer", "aliases", *SCORES)
"""Columns that a selector reads who looks at nothing but answers, scores and ground truth."""

_IDENTITY = ("question_id", "variation", "supervisor")  # tell one answer from all others


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a selector did, to be kept with the training set.

    Attributes:
        rule: The rule, in plain words.
        rows_in: Answers before.
        questions_in: Questions of all answers.
        rows: Examples of the training set.
        questions: Questions of the rows that are kept.
        dropped: How many answers did not come through, by reason; with `rows`, they add up to `rows_in`.
    """

    rule: str
    rows_in: int
    questions_in: int
    rows: int
    questions: int
    dropped: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return dataclasses.asdict(self)


class TrainingSet(NamedTuple):
    """What a student is trained on (schema `tables.TRAINING_SET`), and how it was selected."""

    table: pa.Table
    selection: Selection


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The answers that are still in, in a fixed order, and why others are not. Made by `candidates_from`.

    Attributes:
        table: All answers, in any order; `prompt` and `completion` are there.
        indices: (rows,) of those that are still in, ordered by question, variation and supervisor.
        rows_in: How many they were at first.
        questions_in: How many questions they were of at first.
        dropped: How many went, by reason.
    """

    table: pa.Table
    indices: npt.NDArray[np.int64]
    rows_in: int
    questions_in: int
    dropped: dict[str, int]

    @cached_property
    def rows(self) -> pa.Table:
        """The answers that are still in, in their order. This copies all columns; `column` gives one."""
        return tables.taken(self.table, self.indices)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the answers that are still in."""
        return self.columns(name)[name]

    def columns(self, *names: str) -> pa.Table:
        """Some columns of the answers that are still in."""
        return tables.taken(self.table.select(list(names)), self.indices)

    def with_rows(self, rows: pa.Table) -> Candidates:
        """The same answers with other columns: `rows` in its order."""
        return dataclasses.replace(self, table=rows, indices=np.arange(rows.num_rows))

    @property
    def questions(self) -> pa.Array:
        """Ids of the questions that are still in, each once, in a fixed order."""
        return self.column("question_id").unique()

    def ordered(self, *keys: tuple[str, str]) -> Candidates:
        """Put rows in order of some columns ("ascending" or "descending"), then question, variation, supervisor."""
        given = [name for name, _ in keys]
        last = [(key, "ascending") for key in _IDENTITY if key in self.table.column_names and key not in given]
        by = [*keys, *last]
        order = pc.sort_indices(self.columns(*(name for name, _ in by)), sort_keys=by).to_numpy()
        return dataclasses.replace(self, indices=self.indices[order])

    def keep(self, mask: Any, *, otherwise: str) -> Candidates:
        """Keep some rows.

        Args:
            mask: Which, (rows,) booleans, of numpy or Arrow.
            otherwise: Why the others go.
        """
        kept = self.indices[_as_mask(mask, len(self.indices))]
        gone = len(self.indices) - len(kept)
        dropped = {**self.dropped, otherwise: self.dropped.get(otherwise, 0) + gone}
        return dataclasses.replace(self, indices=kept, dropped=dropped)

    def parsed(self) -> Candidates:
        """Keep the rows whose answer could be read: no student learns from the others."""
        return self.keep(pc.is_valid(self.column("answer")), otherwise="unparsed")

    def draw(self, rows: int, *, seed: int, spread: bool = False) -> Candidates:
        """Draw rows without replacement; all of them if there are no more.

        Args:
            rows: How many.
            seed: Of the draw.
            spread: Draw each question once before any comes twice, twice before any comes three times, and so on.
                By default each row is equally likely, whichever question it is of.
        """
        size = len(self.indices)
        mask = _spread_mask(self.column("question_id"), rows, seed) if spread else _draw_mask(size, rows, seed)
        return self.keep(mask, otherwise="not_drawn")

    def draw_questions(self, questions: int, *, seed: int) -> Candidates:
        """Draw questions, each equally likely, and keep all rows of those."""
        known = self.questions
        drawn = known.filter(pa.array(_draw_mask(len(known), questions, seed)))
        return self.keep(pc.is_in(self.column("question_id"), value_set=drawn), otherwise="not_drawn")

    def training_set(self, rule: str, *, weight: str | None = None) -> TrainingSet:
        """Turn what is left into a training set.

        Args:
            rule: How the rows were selected, in plain words.
            weight: The column that weighs an example; by default each weighs 1.

        Raises:
            InputError: A weight is negative.
        """
        weights = pa.array(np.ones(len(self.indices))) if weight is None else self.column(weight)
        if pc.any(pc.less(weights, 0), min_count=0).as_py():
            raise InputError(f"{weight} {pc.min(weights)}: expected weights of 0 or more")
        columns = {name: self.column(name) for name in tables.TRAINING_SET.names if name not in ("weight", "group")}
        required = [*columns, "weight"]
        table = pa.table({**columns, "weight": weights})
        table = tables.check(table, tables.TRAINING_SET, name="training set", required=required)
        table = tables.carried(self.table, table)  # of which task its prompts are
        return TrainingSet(table, self.selection(rule))

    def selection(self, rule: str) -> Selection:
        """What was selected, each row that is left being an example."""
        return Selection(
            rule=rule,
            rows_in=self.rows_in,
            questions_in=self.questions_in,
            rows=len(self.indices),
            questions=len(self.questions),
            dropped=self.dropped,
        )


def candidates_from(answers: pa.Table, *, scored: bool = True) -> Candidates:
    """Take answers as candidates for a training set.

    Args:
        answers: A table of answers, in any order. A missing or null `completion` is filled with the answer after a
            space, as tasks write it.
        scored: Whether scores are required.

    Raises:
        InputError: A column is missing or invalid, an answer appears twice, or a prompt is null.
    """
    name = "scored answers" if scored else "answers table"
    rows = check_scored(answers, name=name) if scored else check_answers(answers, name=name)
    if "prompt" not in rows.column_names:
        raise InputError(
            f"{name} has no column 'prompt', from which a student learns; labels that came without get a task's own by "
            "w2s label --model.source table"
        )
    if "completion" not in rows.column_names:
        rows = rows.append_column("completion", pa.nulls(rows.num_rows, pa.string()))
    text = pa.schema({"prompt": pa.string(), "completion": pa.string()})
    rows = tables.check(rows, text, name=name)
    if rows["prompt"].null_count:
        row = pc.index(pc.is_null(rows["prompt"]), True).as_py()
        raise InputError(f"{name}, row {row + 1}: expected a prompt, it is null")
    if rows["completion"].null_count:
        written = pc.binary_join_element_wise("", rows["answer"], " ")
        completion = pc.coalesce(rows["completion"], written)
        rows = rows.set_column(rows.column_names.index("completion"), "completion", completion)
    questions, indices = pc.count_distinct(rows["question_id"]).as_py(), np.arange(rows.num_rows)
    return Candidates(table=rows, indices=indices, rows_in=rows.num_rows, questions_in=questions, dropped={}).ordered()


def _as_mask(mask: Any, size: int) -> npt.NDArray[np.bool_]:
    """A mask as numpy has it; null is no."""
    found = pc.fill_null(mask if isinstance(mask, pa.Array | pa.ChunkedArray) else pa.array(mask, pa.bool_()), False)
    assert len(found) == size, f"a mask of {len(found)} for {size} rows"
    kept: npt.NDArray[np.bool_] = found.to_numpy(zero_copy_only=False) if size else np.zeros(0, np.bool_)
    return kept


def first_rows(rows: pa.Table | Candidates) -> npt.NDArray[np.bool_]:
    """Which rows are the first of their question, (rows,), where the rows of a question are together."""
    ids = (rows.column("question_id") if isinstance(rows, Candidates) else rows["question_id"]).combine_chunks()
    first = np.ones(len(ids), np.bool_)
    if len(ids) > 1:
        first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    return first


def first_answers(scored: pa.Table) -> Candidates:
    """Each question's answer in its original wording: the lowest variation that there is, of the first supervisor.

    That is the first by name of those who answered the question in any variation. A question without an answer there
    is left out, whatever was answered in other variations or by others.

    Raises:
        InputError: As `candidates_from`.
    """
    candidates = candidates_from(scored)
    if "supervisor" in scored.column_names:
        candidates = candidates.ordered(("question_id", "ascending"), ("supervisor", "ascending"))
    first = candidates.keep(first_rows(candidates), otherwise="other_variations")
    variation = first.column("variation")
    lowest = pc.min(candidates.column("variation"))
    return first.keep(pc.equal(variation, lowest), otherwise="unparsed").parsed()


def check_quantile(quantile: float) -> None:
    """Make sure that a quantile is one.

    Raises:
        InputError: It does not lie between 0 and 1.
    """
    if not 0 <= quantile <= 1:
        raise InputError(f"quantile {quantile}: expected a number from 0 to 1")


def _draw_mask(size: int, drawn: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which of `size` units are among `drawn` of them, drawn without replacement."""
    mask = np.zeros(size, np.bool_)
    mask[np.random.default_rng(seed).permutation(size)[:drawn]] = True
    return mask


def _spread_mask(ids: pa.ChunkedArray, drawn: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are among `drawn` of them, where no question comes again before all others that have a row left."""
    codes = ids.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    grouped = shuffled[np.argsort(codes[shuffled], kind="stable")]
    starts = np.r_[True, codes[grouped][1:] != codes[grouped][:-1]] if len(codes) else np.zeros(0, np.bool_)
    turn = np.empty(len(codes), np.int64)  # the how-manieth of its question a row is, in shuffled order
    turn[grouped] = np.arange(len(codes)) - np.maximum.accumulate(np.where(starts, np.arange(len(codes)), 0))
    mask = np.zeros(len(codes), np.bool_)
    mask[shuffled[np.argsort(turn[shuffled], kind="stable")[:drawn]]] = True
    return mask
