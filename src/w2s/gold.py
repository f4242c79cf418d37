"""Ground truth: of each question the right answer that is taught, and the others that count as right as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s.tables import ALIASES

__all__ = ["GROUND_TRUTH", "Gold", "aliases_of", "are_right", "known_rows", "right_rows", "truths_of", "with_aliases"]

GROUND_TRUTH = "ground truth"
"""The supervisor of answers that are the right ones."""


class Gold(dict[str, str]):
    """The canonical right answer by question id: of several the first, which is what a student learns.

    Args:
        first: Those answers.
        aliases: The other right answers of the questions that have some.
    """

    def __init__(self, first: Mapping[str, str], aliases: Mapping[str, Sequence[str]]) -> None:
        super().__init__(first)
        self.aliases = aliases

    @classmethod
    def from_table(cls, table: pa.Table) -> Gold:
        """Read a table with `question_id`, `answer` and perhaps `aliases`; rows without an answer are left out."""
        pairs = zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), strict=True)
        return cls({id: answer for id, answer in pairs if answer is not None}, aliases_of(table))

    @classmethod
    def of_all(cls, golds: Iterable[Gold]) -> Gold:
        """Ground truth of several splits or draws as one."""
        together = list(golds)
        aliases = {id: others for gold in together for id, others in gold.aliases.items()}
        return cls({id: answer for gold in together for id, answer in gold.items()}, aliases)


def are_right(ids: Iterable[str], answers: Iterable[str | None], gold: Mapping[str, str | None]) -> list[bool]:
    """Whether each answer is a right one to its question; none is where it is missing, or no right one is known."""
    aliases = gold.aliases if isinstance(gold, Gold) else {}
    return [
        answer is not None and (answer == gold.get(id) or answer in aliases.get(id, ()))
        for id, answer in zip(ids, answers, strict=True)
    ]


def truths_of(ids: pa.ChunkedArray, gold: Mapping[str, str | None]) -> pa.ChunkedArray:
    """(rows,) the canonical right answer to the question of each row; null where none is known."""
    answers = pa.array(gold.values(), pa.string())
    return answers.take(pc.index_in(ids, value_set=pa.array(gold.keys(), pa.string())))


def known_rows(answers: pa.Table, gold: Mapping[str, str | None]) -> npt.NDArray[np.bool_]:
    """(rows,) whether ground truth of a row's question is known."""
    known: npt.NDArray[np.bool_] = pc.is_valid(truths_of(answers["question_id"], gold)).to_numpy()
    return known


def right_rows(answers: pa.Table, gold: Mapping[str, str | None]) -> npt.NDArray[np.bool_]:
    """(rows,) whether each row's answer is a right one to its question, as `are_right` says; for millions of rows."""
    ids, given = answers["question_id"], answers["answer"]
    right: npt.NDArray[np.bool_] = pc.fill_null(pc.equal(given, truths_of(ids, gold)), False).to_numpy().copy()
    if isinstance(gold, Gold) and gold.aliases:
        has_others = pc.is_in(ids, value_set=pa.array(gold.aliases.keys(), pa.string())).to_numpy()
        rows = np.flatnonzero(has_others & ~right)
        right[rows] = are_right(ids.take(pa.array(rows)).to_pylist(), given.take(pa.array(rows)).to_pylist(), gold)
    return right


def aliases_of(table: pa.Table) -> dict[str, tuple[str, ...]]:
    """The other right answers in a table of ground truth, by question id."""
    if "aliases" not in table.column_names:
        return {}
    pairs = zip(table["question_id"].to_pylist(), table["aliases"].to_pylist(), strict=True)
    return {id: tuple(aliases) for id, aliases in pairs if aliases}


def with_aliases(table: pa.Table, aliases: Mapping[str, Sequence[str]]) -> pa.Table:
    """A table of ground truth with the column `aliases`, if a question in it has some."""
    cells = [list(aliases.get(id, ())) or None for id in table["question_id"].to_pylist()]
    return table.append_column(ALIASES, pa.array(cells, ALIASES.type)) if any(cells) else table
