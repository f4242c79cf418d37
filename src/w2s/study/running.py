"""Run the cells of a study: shared steps once, a cell's results when it is through, the others where one fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from w2s.environment import results_code
from w2s.errors import InputError, unknown_name
from w2s.files import atomic_write, sha256_of
from w2s.folders.layout import ADAPTERS, Adapters, RunFolder, StudyFolder
from w2s.folders.owned import texts_in
from w2s.notebook import notebook_progress
from w2s.pipeline.graph import Graph
from w2s.report.figures import write_figures
from w2s.report.study_figure import study_figures
from w2s.report.study_page import study_html, write_study_page
from w2s.report.study_table import study_latex, study_table
from w2s.report.tables import SCREEN, TextTable
from w2s.results.records import RunRecords
from w2s.results.settings_file import settings_text
from w2s.results.study import CellRecords, StudyRecords
from w2s.runners import local
from w2s.runners.base import Event, OnEvent, Runner, tell_nobody
from w2s.running import Result, finish, tell_from_elsewhere
from w2s.step import Address
from w2s.store import Store, default_root
from w2s.study.grid import Cell
from w2s.study.plan import Plan
from w2s.tables import write_table

__all__ = ["StudyResult", "run_study"]

logger = logging.getLogger(__name__)

_WRITTEN = "results.json.sha256"  # the last file of a cell: it is whole, and its results are those of this hash


class StudyResult(StudyRecords):
    """A study that can show itself."""

    def table(self) -> TextTable:
        """Methods by cells; prints as text."""
        return TextTable(study_table(self), width=160)

    def __repr__(self) -> str:
        lines = str(self.table()).splitlines()
        return "\n".join(
            lines if len(lines) <= SCREEN else [*lines[:SCREEN], f"… {len(lines) - SCREEN} lines more: .table()"]
        )

    def _repr_html_(self) -> str:
        return study_html(self)

    def save_report(self, path: str | Path) -> Path:
        """Write the page that compares the cells: one HTML file that needs nothing else."""
        return write_study_page(self, path)


def run_study(
    cells: Sequence[Cell],
    *,
    out: str | Path,
    name: str = "study",
    store: Store | None = None,
    runner: Runner = local.run,
    on_plan: Callable[[Plan], None] = tell_nobody,
    on_event: OnEvent | None = None,
    on_cell: Callable[[CellRecords], None] = tell_nobody,
    settings: Mapping[str, Any] | None = None,
    info: Mapping[str, Any] | None = None,
    adapters: Adapters = "link",
) -> StudyResult:
    """Run every cell. Steps whose results are in the store are not computed again.

    A cell that fails does not end the others. Results are written as cells finish: a study that is interrupted
    leaves the table of the cells that are done.

    Args:
        cells: The experiments of the study.
        out: A folder for the run of each cell and for the comparison: empty, new, or that of an earlier study.
        name: What the study is called.
        store: Where finished steps are kept; by default `store.default_root()`.
        runner: Runs the steps.
        on_plan: Called with the graphs, before anything is computed.
        on_event: Called when a step begins, makes progress or ends; by default a notebook
            shows it.
        on_cell: Called with each cell when it has finished or failed.
        settings: What the cells were made from, to be kept in the folder.
        info: More entries for `info` in each run's `results.json`.
        adapters: How the cells' folders hold the students' adapters: `link` into the store, or `copy`, which can be
            sent away.

    Raises:
        InputError: The folder holds files that no study wrote.
    """
    if adapters not in ADAPTERS:
        raise unknown_name("way to keep adapters", adapters, ADAPTERS)
    folder = StudyFolder(Path(out).expanduser())
    folder.check()
    store = store or Store(default_root())
    plan = Plan(cells)
    read = texts_in([asdict(cell.experiment) for cell in cells])
    for own in (folder, *(folder.cell(cell.name) for cell in cells)):
        own.refuse_inputs(read)
    on_plan(plan)
    earlier = _of_earlier_form(folder, plan)
    with store.using(plan.targets(), label=f"study {name}", folder=folder.root, more=earlier), folder.owned():
        if settings is not None:
            atomic_write(folder.claim(folder.settings), settings_text(settings))
        tell_from_elsewhere(plan.targets(), store)
        collector = _Collector(plan, store, folder, name, on_cell, dict(info or {}), adapters)
        listen = collector.listen(on_event or notebook_progress())
        failures = runner(plan.targets(), store, on_event=listen, keep_going=True)
        return collector.finish(failures)


def _of_earlier_form(folder: StudyFolder, plan: Plan) -> set[Address]:
    """The results that the runs of cells in the folder name; says which of these cells are not in the plan."""
    named: dict[str, list[Address]] = {}
    for results in sorted(folder.root.glob("cells/*/results.json")):
        with suppress(InputError):  # no finished run of this version
            named[results.parent.name] = RunRecords.load(results.parent).artifacts
    if gone := [name for name in named if name not in plan.graphs]:
        logger.warning(
            "%s holds cells of an earlier form of the study (%s): the store keeps their results while they are there",
            folder.root,
            ", ".join(gone),
        )
    return {address for addresses in named.values() for address in addresses}


class _Collector:
    """Collects each cell as soon as its last step is done."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        folder: StudyFolder,
        name: str,
        on_cell: Callable[[CellRecords], None],
        info: dict[str, Any],
        adapters: Adapters,
    ) -> None:
        self._plan, self._store, self._folder, self._name = plan, store, folder, name
        self._on_cell, self._info, self._adapters = on_cell, info, adapters
        self._found: dict[str, CellRecords] = {}
        self._missing = {name: {step.key for step in graph.targets()} for name, graph in plan.graphs.items()}
        self._cells_of: dict[str, list[str]] = {}
        for cell, keys in self._missing.items():
            for key in keys:
                self._cells_of.setdefault(key, []).append(cell)
        for cell, error in plan.errors.items():
            self._note(cell, error=error)

    def listen(self, on_event: OnEvent) -> OnEvent:
        """What a runner tells, and with it which cells are through."""

        def listening(event: Event) -> None:
            on_event(event)
            if event.kind in ("reused", "finished"):
                for cell in self._cells_of.pop(event.step.key, ()):
                    self._missing[cell].discard(event.step.key)
                    if not self._missing[cell]:
                        self._collect(cell)

        return listening

    def finish(self, failures: Mapping[str, Exception]) -> StudyResult:
        """The study, after its last step."""
        for cell, missing in self._missing.items():
            if missing:
                self._note(cell, error=next(failures[key] for key in missing if key in failures))
                if self._folder.cell(cell).results.is_file():
                    logger.warning("%s holds the run of an earlier start of the study", self._folder.cell(cell).root)
        result = self._write()
        figures = study_figures(result)
        write_study_page(result, self._folder.claim(self._folder.page), figures=figures)
        write_figures(figures, self._folder.figures, before=self._folder.claim)
        atomic_write(self._folder.claim(self._folder.latex), study_latex(result))
        return result

    def _collect(self, cell: str) -> None:
        graph, folder = self._plan.graphs[cell], self._folder.cell(cell)
        try:
            result = _as_before(graph, folder, self._adapters, self._store)
            if result is None:
                result = finish(graph, self._store, folder, adapters=self._adapters, info=self._info)
                atomic_write(folder.claim(folder.root / _WRITTEN), _written(folder))
        except InputError as error:  # its folder is somebody else's
            self._note(cell, error=error)
        else:
            self._note(cell, result=result)
            self._write()

    def _note(self, cell: str, *, result: Result | None = None, error: Exception | None = None) -> None:
        levels = next(one.levels for one in self._plan.cells if one.name == cell)
        text = None if error is None else " ".join(str(error).split()) or type(error).__name__
        self._found[cell] = CellRecords(
            name=cell, levels=levels, result=result, error=text, refused=isinstance(error, InputError)
        )
        self._on_cell(self._found[cell])

    def _write(self) -> StudyResult:
        """Write the table of the cells that are through."""
        cells = [self._found.get(cell.name) or _open(cell) for cell in self._plan.cells]
        result = StudyResult(name=self._name, cells=cells)
        table = result.to_table()
        write_table(table, self._folder.claim(self._folder.table))
        write_table(table, self._folder.claim(self._folder.csv))
        if (estimators := result.estimators_table()).num_rows:
            write_table(estimators, self._folder.claim(self._folder.estimators))
        atomic_write(self._folder.claim(self._folder.summary), json.dumps(result.to_dict(), indent=1) + "\n")
        return result


def _open(cell: Cell) -> CellRecords:
    return CellRecords(name=cell.name, levels=cell.levels, result=None)


def _as_before(graph: Graph, folder: RunFolder, adapters: Adapters, store: Store) -> Result | None:
    """The run in the folder, where it is whole, by this code, and of these very steps, settings and adapters."""
    if not _is_whole(folder):
        return None
    try:
        found = Result.load(folder.root)
    except InputError:
        return None
    # A result that was computed again may be another one, on another machine.
    told = [(step.get("key"), step.get("seconds")) for step in found.info.get("steps", []) if isinstance(step, dict)]
    kept = [(step.key, manifest.seconds) for step in graph.targets() if (manifest := store.manifest(step)) is not None]
    same = found.experiment == graph.resolved and found.info.get("results_code") == results_code() and told == kept
    return found if same and folder.holds_adapters(adapters, store.root) else None


def _is_whole(folder: RunFolder) -> bool:
    """Whether all that was written into a cell's folder is there, and its results are as they were written."""
    try:
        written = (folder.root / _WRITTEN).read_text(encoding="utf-8", errors="replace")
        return written == _written(folder) and folder.is_whole()
    except OSError:
        return False


def _written(folder: RunFolder) -> str:
    """The hash of a run's results, as `sha256sum --check` reads it."""
    return f"{sha256_of(folder.results)}  {folder.results.name}\n"
