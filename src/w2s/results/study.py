"""What a study found: the runs of its cells as one table, and effects pooled over them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import count
from typing import Any, NamedTuple, Self

import pyarrow as pa

from w2s.metrics import Pooled, pool_effects
from w2s.results.comparison import ComparedEstimator, Measure
from w2s.results.records import Record, RunRecords

__all__ = ["CellRecords", "Effect", "Gain", "Pair", "StudyRecords", "run_names"]

FORMAT = 1

_TYPES = {"str": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}


@dataclass(frozen=True, kw_only=True)
class CellRecords:
    """One cell of a study.

    Attributes:
        name: Of its folder and its row.
        levels: Where it stands on each axis.
        result: Its finished run; None where it has not finished.
        error: Why it failed; None where it did not.
        refused: It failed by something that its settings or data can put right.
    """

    name: str
    levels: Mapping[str, str]
    result: RunRecords | None
    error: str | None = None
    refused: bool = False

    @property
    def state(self) -> str:
        """In a word: done, failed, or open."""
        return "done" if self.result is not None else "open" if self.error is None else "failed"


class Gain(NamedTuple):
    """A method's gain in one cell, as in its record."""

    estimate: float
    low: float | None
    high: float | None
    standard_error: float


class Effect(NamedTuple):
    """One method against one reference, over cells.

    Attributes:
        method: The method.
        reference: What it is compared with.
        cells: In which it was, with its gain.
        pooled: The summary of the gains.
    """

    method: str
    reference: str
    cells: Mapping[str, Gain]
    pooled: Pooled


class Pair(NamedTuple):
    """The finished cells of one weak supervisor and one student.

    Attributes:
        supervisor: The weak supervisor.
        student: The student.
        cells: Their runs, by names that are short and the same in every pair: the data set, or where the cells stand
            on the axes along which a pair's cells differ.
    """

    supervisor: str
    student: str
    cells: Mapping[str, RunRecords]


@dataclass(frozen=True, kw_only=True)
class StudyRecords:
    """A study, finished or on its way.

    Attributes:
        name: What it is called.
        cells: All its cells, in their order.
    """

    name: str
    cells: Sequence[CellRecords]

    @classmethod
    def of_runs(cls, results: Sequence[RunRecords]) -> Self:
        """Runs that were made apart, as the cells of a study."""
        cells = [
            CellRecords(name=name, levels={}, result=result)
            for name, result in zip(run_names(results), results, strict=True)
        ]
        return cls(name=f"{len(results)} experiments", cells=cells)

    @property
    def runs(self) -> list[tuple[str, RunRecords]]:
        """The finished runs, by the names of their cells."""
        return [(cell.name, cell.result) for cell in self.cells if cell.result is not None]

    def _place_columns(self, taken: Collection[str]) -> dict[str, str | None]:
        """The columns that say which cell a row is of, and the axis of each; `taken` are those that follow."""
        axes = dict.fromkeys(axis for cell in self.cells for axis in cell.levels)
        return {"cell": None, **{_axis(axis, taken): axis for axis in axes}}

    def _place(self, cell: CellRecords, taken: Collection[str]) -> dict[str, str | None]:
        """Where a row is in a table."""
        columns = self._place_columns(taken)
        return {name: cell.name if axis is None else cell.levels.get(axis) for name, axis in columns.items()}

    @property
    def failures(self) -> dict[str, str]:
        """Why cells failed, by their names."""
        return {cell.name: cell.error for cell in self.cells if cell.error is not None}

    def pairs(self) -> list[Pair]:
        """The finished cells by weak supervisor and student, in their order."""
        found: dict[tuple[str, str], list[tuple[CellRecords, RunRecords]]] = {}
        for cell in self.cells:
            if (result := cell.result) is not None:
                found.setdefault((_supervisor(result), result.experiment.strong.name), []).append((cell, result))
        names = _short_names([[cell for cell, _ in own] for own in found.values()])
        return [
            Pair(supervisor, student, {names[cell.name]: result for cell, result in own})
            for (supervisor, student), own in found.items()
        ]

    def to_table(self) -> pa.Table:
        """Every number of every finished cell, in long form.

        Returns:
            A row for each cell, method and seed, and one for all seeds together (`seed` null): the cell's name, its
            level on each axis, task, weak supervisor and student, and the fields of `Record`.
        """
        rows: list[dict[str, Any]] = []
        for cell in self.cells:
            if (result := cell.result) is None:
                continue
            own = {
                **self._place(cell, _RECORD),
                "task": result.experiment.task.name,
                "supervisor": _supervisor(result),
                "student": result.experiment.strong.name,
            }
            alone = [record for record in result.records if len(result.experiment.seeds) > 1]
            whole = [asdict(record) | {"seed": None} for record in result.pooled]
            rows += [{**own, **record} for record in [*whole, *map(asdict, alone)]]
        texts = [*self._place_columns(_RECORD), "task", "supervisor", "student"]
        schema = pa.schema([(name, pa.string()) for name in texts])
        for field in fields(Record):
            schema = schema.append(pa.field(field.name, _TYPES[str(field.type).partition(" |")[0]]))
        return pa.Table.from_pylist(rows, schema=schema)

    def estimators_table(self) -> pa.Table:
        """Every measure of every estimator, in the finished cells that compare several.

        Returns:
            A row for each cell, estimator and seed, and one for all seeds together (`seed` null): the cell's name, its
            level on each axis, task and weak supervisor, the counts of `ComparedEstimator`, and each measure of it
            with the fields of `Measure`: `auroc`, `auroc_low`, … `auroc_difference_high`.
        """
        rows: list[dict[str, Any]] = []
        for cell in self.cells:
            if (result := cell.result) is None or len(result.compared) < 2:
                continue
            own = {
                **self._place(cell, _COMPARED),
                "task": result.experiment.task.name,
                "supervisor": _supervisor(result),
            }
            alone = [record for record in result.estimators if record not in result.compared]
            whole = [record.to_dict() | {"seed": None} for record in result.compared]
            rows += [{**own, **_in_columns(record)} for record in [*whole, *(one.to_dict() for one in alone)]]
        texts = [*self._place_columns(_COMPARED), "task", "supervisor", "estimator"]
        schema = pa.schema([(name, pa.string()) for name in texts])
        for name, kind in (("seed", pa.int64()), ("own", pa.bool_()), ("rows", pa.int64()), ("questions", pa.int64())):
            schema = schema.append(pa.field(name, kind))
        for name in _in_columns({name: dict.fromkeys(_MEASURED) for name in _MEASURES}):
            schema = schema.append(pa.field(name, pa.float64()))
        return pa.Table.from_pylist(rows, schema=schema)

    def to_pandas(self) -> Any:
        """`to_table` as a data frame. Needs pandas."""
        return self.to_table().to_pandas()

    def effects(self) -> list[Effect]:
        """Each method against its reference, pooled over the cells that have both; those in at least two cells."""
        found: dict[tuple[str, str], dict[str, Gain]] = {}
        for name, result in self.runs:
            if result.reference is None:
                continue
            for record in result.pooled:
                if record.gain is not None and record.gain_se:
                    pair = (record.method, result.reference.method)
                    gain = Gain(record.gain, record.gain_low, record.gain_high, record.gain_se)
                    found.setdefault(pair, {})[name] = gain
        return [
            Effect(method, reference, cells, _pooled(list(cells.values())))
            for (method, reference), cells in found.items()
            if len(cells) > 1
        ]

    def to_dict(self) -> dict[str, Any]:
        """The cells and their state, the pooled effects, and the rows of `to_table`."""
        effects = [
            {
                "method": effect.method,
                "reference": effect.reference,
                "cells": list(effect.cells),
                **{name: _finite(value) for name, value in effect.pooled._asdict().items()},
            }
            for effect in self.effects()
        ]
        cells = [
            {"name": cell.name, "levels": dict(cell.levels), "state": cell.state, "error": cell.error}
            for cell in self.cells
        ]
        rows = self.to_table().to_pylist()
        return {"format": FORMAT, "name": self.name, "cells": cells, "effects": effects, "rows": rows}


def _pooled(gains: Sequence[Gain]) -> Pooled:
    return pool_effects([gain.estimate for gain in gains], [gain.standard_error for gain in gains])


def run_names(results: Sequence[RunRecords]) -> list[str]:
    """A short name for each run: its folder's, numbered where two are the same."""
    own = [result.folder.name or "experiment" for result in results]
    names: list[str] = []
    for number, name in enumerate(own, 1):
        numbered = (f"{name} ({other})" for other in count(number))
        free = (one for one in numbered if one not in {*own, *names})
        names.append(next(free) if name in names else name)
    return names


def _supervisor(result: RunRecords) -> str:
    return str(result.info.get("supervisor", result.experiment.weak.name))


def _short_names(pairs: Sequence[Sequence[CellRecords]]) -> dict[str, str]:
    """A name for each cell that tells it from the others of its pair; all have their own where short ones do not."""
    axes = dict.fromkeys(axis for own in pairs for cell in own for axis in cell.levels)
    differing = [axis for axis in axes if any(len({cell.levels.get(axis) for cell in own}) > 1 for own in pairs)]
    short = {}
    for own in pairs:
        for cell in own:
            levels = [cell.levels[axis] for axis in differing if axis in cell.levels]
            task = cell.result.experiment.task.name if cell.result else cell.name
            short[cell.name] = " · ".join(levels) or task
        if len({short[cell.name] for cell in own}) < len(own):
            return {cell.name: cell.name for pair in pairs for cell in pair}
    return short


def _axis(name: str, taken: Collection[str]) -> str:
    """The column of an axis: its own name, but where the table has that column already."""
    return f"axis {name}" if name in {"cell", "task", "supervisor", "student", *taken} else name


def _in_columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """A compared estimator with a column for each number; its curve stays in `results.json`."""
    row: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            row |= {name if part == "estimate" else f"{name}_{part}": number for part, number in value.items()}
        elif name != "risk":
            row[name] = value
    return row


_MEASURED = [field.name for field in fields(Measure)]
_MEASURES = [field.name for field in fields(ComparedEstimator) if field.type == "Measure"]
_COMPARED = {
    "estimator",
    "seed",
    "own",
    "rows",
    "questions",
    *_in_columns({m: dict.fromkeys(_MEASURED) for m in _MEASURES}),
}
_RECORD = {field.name for field in fields(Record)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
