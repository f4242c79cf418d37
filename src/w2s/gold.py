"""Ground truth: of each question the right answer that is taught, and the others that count as right as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.tables import ALIASES

__all__ = [
    "GROUND_TRUTH",
    "Gold",
    "aliases_of",
    "are_right",
    "check_agreeing",
    "known_rows",
    "labels_in",
    "right_rows",
    "spelled_gold",
    "truths_of",
    "with_aliases",
]

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


def check_agreeing(table: pa.Table, *, name: str) -> None:
    """Make sure that a user's table of ground truth gives no question two truths.

    Args:
        table: As for `Gold.from_table`.
        name: What the table is, for the message.

    Raises:
        InputError: Two rows of a question are not equal; rows without an answer say nothing.
    """
    aliases = table["aliases"].to_pylist() if "aliases" in table.column_names else [None] * table.num_rows
    rows = zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), aliases, strict=True)
    first: dict[str, tuple[int, str, list[str]]] = {}
    for number, (id, answer, others) in enumerate(rows, start=1):
        if answer is None:
            continue
        row, right, known = first.setdefault(id, (number, answer, sorted(others or ())))
        if answer != right:
            raise InputError(
                f"{name} has two right answers to {id!r}: {right!r} in row {row} and {answer!r} in row {number}: "
                "expected one, and others that count as right in the column aliases"
            )
        if sorted(others or ()) != known:
            raise InputError(
                f"{name} has {id!r} twice, with the aliases {known} in row {row} and {sorted(others or ())} in row "
                f"{number}: expected one row"
            )


def labels_in(table: pa.Table) -> set[str]:
    """All right answers in a table of ground truth."""
    return {
        *filter(None, table["answer"].to_pylist()),
        *(one for others in aliases_of(table).values() for one in others),
    }


def spelled_gold(table: pa.Table, spelled: Mapping[str, str | None]) -> pa.Table:
    """A table of ground truth with each right answer in another spelling; None where it is to be missing."""
    answers = [spelled.get(answer, answer) for answer in table["answer"].to_pylist()]
    made = table.set_column(table.column_names.index("answer"), "answer", pa.array(answers, pa.string()))
    if "aliases" not in table.column_names:
        return made
    aliases = [
        others and [new for one in others if (new := spelled.get(one, one)) is not None]
        for others in table["aliases"].to_pylist()
    ]
    return made.set_column(made.column_names.index("aliases"), ALIASES, pa.array(aliases, ALIASES.type))


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
