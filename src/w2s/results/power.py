"""What the next study needs: the variance components of a finished run's comparison, and a table of sizes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from w2s.errors import InputError, unknown_name
from w2s.folders.layout import StudyFolder
from w2s.metrics import (
    Components,
    QuestionIds,
    TestSets,
    difference_interval,
    minimal_effect,
    power,
    shared_questions,
    variance_components,
)
from w2s.metrics.power import ALPHA, POWER
from w2s.results.records import WEAK, RunRecords
from w2s.tables import read_table

__all__ = ["PowerPlan", "finished_runs", "planned_from"]

_SCHEMA = pa.schema(
    {
        "cell": pa.string(),
        "method": pa.string(),
        "reference": pa.string(),
        "test_sets": pa.string(),
        "seeds": pa.int64(),
        "questions": pa.int64(),
        "minimal_effect": pa.float64(),
        "minimal_effect_pgr": pa.float64(),
        "effect": pa.float64(),
        "power": pa.float64(),
    }
)


@dataclass(frozen=True, kw_only=True)
class PowerPlan:
    """A comparison, and how far it varies.

    Attributes:
        cell: Of a study; empty for a run by itself.
        method: Which is compared; empty where the components were given.
        reference: What it is compared with, likewise.
        components: Variances of the difference.
        test_sets: One for all seeds, or one for each.
        seeds: From which the components were estimated; 0 where they were given.
        difference: What these found; nan where none did.
        gap: Accuracy of the ceiling less that of the weak supervisor, which makes a difference one in PGR; nan where
            PGR is not defined.
    """

    cell: str = ""
    method: str = ""
    reference: str = ""
    components: Components
    test_sets: TestSets
    seeds: int = 0
    difference: float = math.nan
    gap: float = math.nan

    def to_table(
        self,
        *,
        seeds: Sequence[int],
        questions: Sequence[int],
        effect: float = math.nan,
        wanted: float = POWER,
        alpha: float = ALPHA,
    ) -> pa.Table:
        """What studies of each size see.

        Args:
            seeds: Numbers of seeds, each three or more.
            questions: Numbers of test questions, with each of the first.
            effect: A difference in accuracy whose power is asked; nan for none.
            wanted: The power that the minimal effect is found with.
            alpha: The level of the test.

        Returns:
            A row for each size: `minimal_effect` in accuracy, the same in PGR, `effect`, and `power` at it. Null where
            there is none.

        Raises:
            InputError: A number is not what it should be.
        """
        rows: list[dict[str, Any]] = []
        for some_seeds in seeds:
            for some_questions in questions:
                size: dict[str, Any] = {"seeds": some_seeds, "questions": some_questions}
                design: dict[str, Any] = {**size, "alpha": alpha, "test_sets": self.test_sets}
                least = minimal_effect(self.components, wanted=wanted, **design)
                found = math.nan if math.isnan(effect) else power(self.components, effect=effect, **design)
                numbers = {"minimal_effect": least, "minimal_effect_pgr": least / self.gap}
                numbers |= {"effect": effect, "power": found}
                names = {"cell": self.cell, "method": self.method, "reference": self.reference}
                rows.append({**names, "test_sets": self.test_sets, **size, **_finite(numbers)})
        return pa.Table.from_pylist(rows, schema=_SCHEMA)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: standard deviations of the components in accuracy, null where there is none."""
        found = self.components
        names = {"cell": self.cell, "method": self.method, "reference": self.reference, "test_sets": self.test_sets}
        deviations = {f"sd_{name}": math.sqrt(value) for name, value in found._asdict().items()}
        return names | {"seeds": self.seeds} | _finite({"difference": self.difference, "gap": self.gap, **deviations})


def finished_runs(folder: str | Path) -> dict[str, RunRecords]:
    """The run in a folder, under an empty name, or those of a study's finished cells.

    Raises:
        InputError: The folder holds neither.
    """
    folder = Path(folder).expanduser()
    study = StudyFolder(folder)
    if not study.summary.is_file():
        return {"": RunRecords.load(folder)}
    try:
        cells = json.loads(study.summary.read_text(encoding="utf-8"))["cells"]
        done = [str(cell["name"]) for cell in cells if cell["state"] == "done"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{study.summary} cannot be read: {' '.join(str(error).split())}") from None
    if not done:
        raise InputError(f"{folder} has no finished cell: w2s study goes on with it")
    return {name: RunRecords.load(study.cell(name).root) for name in done}


def planned_from(
    result: RunRecords, *, compare: Sequence[str] = (), test_sets: TestSets | None = None, cell: str = ""
) -> PowerPlan:
    """The variance components of a run's comparison, and its design: what another of the kind can be planned from.

    Args:
        result: A finished run of two seeds or more.
        compare: A method and what it is compared with; by default the comparison that the run named.
        test_sets: One for all seeds, or one for each; by default as the run had it.
        cell: Of a study.

    Raises:
        InputError: The run has one seed, no such method, or none is named; or a file of it is missing or damaged.
    """
    seeds = result.experiment.seeds
    if len(seeds) < 2:
        raise InputError(
            f"{result.folder} has one seed, and how seeds vary shows in two or more: run it again with --seeds "
            f"'[{seeds[0]}, {seeds[0] + 1}, {seeds[0] + 2}]' (what is done is kept), or give --seed-sd, --question-sd "
            "and --answer-sd instead of a folder"
        )
    method, reference = _compared(result, compare)
    (ids, first), (other_ids, second) = (_correct(result, name) for name in (method, reference))
    if list(map(set, ids)) != list(map(set, other_ids)):
        raise InputError(f"{result.folder}: {method} and {reference} answer different test questions")
    order = [dict(zip(own, right, strict=True)) for own, right in zip(other_ids, second, strict=True)]
    aligned = [[right[id] for id in own] for right, own in zip(order, ids, strict=True)]
    bound = result.ceiling.accuracy if result.ceiling is not None else math.nan
    weak = next((record.accuracy for record in result.pooled if record.method == WEAK), math.nan)
    defined = any(record.pgr is not None for record in result.pooled)
    return PowerPlan(
        cell=cell,
        method=method,
        reference=reference,
        components=variance_components(first, aligned, question_ids=ids),
        test_sets=test_sets or ("shared" if shared_questions(ids) == "all" else "own"),
        seeds=len(seeds),
        difference=difference_interval(first, aligned, question_ids=ids).estimate,
        gap=bound - weak if defined else math.nan,
    )


def _compared(result: RunRecords, compare: Sequence[str]) -> tuple[str, str]:
    known = [record.method for record in result.pooled]
    if not compare:
        if result.compare is None:
            raise InputError(
                f"{result.folder} names no comparison: expected one, such as --compare '[filtering, naive]'"
            )
        return result.compare
    if len(compare) != 2 or compare[0] == compare[1]:
        raise InputError(f"compare is {list(compare)}: expected two different methods, such as [filtering, naive]")
    for name in compare:
        if name not in known:
            raise unknown_name("method", name, known)
    return compare[0], compare[1]


def _correct(result: RunRecords, method: str) -> tuple[QuestionIds, list[list[bool]]]:
    """The test questions of each seed, and whether a method was right."""
    ids, correct = [], []
    for seed in result.experiment.seeds:
        own = result.files.weak(seed) if method == WEAK else result.files.method(seed, method)
        table = read_table(own.predictions)
        if missing := {"question_id", "correct"} - set(table.column_names):
            raise InputError(f"{own.predictions} has no column {min(missing)!r}")
        ids.append(table["question_id"].to_pylist())
        correct.append(table["correct"].to_pylist())
    return ids, correct


def _finite(numbers: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}
