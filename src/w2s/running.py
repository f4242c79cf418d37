"""Run an experiment from its settings to its results."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from w2s.config import Experiment
from w2s.environment import describe_difference, environment
from w2s.errors import unknown_name
from w2s.files import atomic_write
from w2s.folders.layout import ADAPTERS, Adapters, RunFolder
from w2s.notebook import notebook_progress
from w2s.pipeline.graph import Graph
from w2s.report.card import write_cards
from w2s.report.figures import save_figures
from w2s.report.page import result_html, write_page
from w2s.report.tables import SCREEN, TextTable, results_table
from w2s.results.collecting import collect
from w2s.results.records import RunRecords
from w2s.results.settings_file import settings_text
from w2s.results.study import StudyRecords
from w2s.runners import local
from w2s.runners.base import OnEvent, Runner, plan, tell_nobody
from w2s.step import Step
from w2s.store import Store, default_root

__all__ = ["DEFAULT_FOLDER", "Result", "finish", "run", "tell_from_elsewhere"]

logger = logging.getLogger(__name__)

DEFAULT_FOLDER = Path("runs/latest")


class Result(RunRecords):
    """A finished run that can show itself."""

    def table(self) -> TextTable:
        """The table of results; prints as text."""
        return TextTable(results_table(self))

    def to_pandas(self) -> Any:
        """Every number as a data frame, as `results.csv` of a study has them. Needs pandas.

        Returns:
            A row for each method, all seeds together (`seed` is missing), and with several seeds one for each method
            and seed: task, weak supervisor and student, and the fields of `Record`.
        """
        return StudyRecords.of_runs([self]).to_table().drop_columns(["cell"]).to_pandas()

    def __repr__(self) -> str:
        lines = str(self.table()).splitlines()
        more = f"… {len(lines) - SCREEN} lines more: .table()" if len(lines) > SCREEN else ""
        return "\n".join([*lines[:SCREEN], *([more] if more else []), f"in {self.folder}"])

    def _repr_html_(self) -> str:
        return result_html(self)

    def save_report(self, path: str | Path) -> Path:
        """Write the page of this run: one HTML file that needs nothing else."""
        return write_page(self, Path(path))

    def save_figures(self, folder: str | Path, *, before: Callable[[Path], object] = tell_nobody) -> list[Path]:
        """Write the figures of this run, as SVG and PNG; `before` is told each file before it is written."""
        return save_figures(self, folder, before=before)


def run(
    experiment: Experiment | None = None,
    *,
    out: str | Path = DEFAULT_FOLDER,
    store: Store | None = None,
    runner: Runner = local.run,
    on_graph: Callable[[Graph], None] = tell_nobody,
    on_event: OnEvent | None = None,
    info: dict[str, Any] | None = None,
    adapters: Adapters = "link",
) -> Result:
    """Run a whole experiment. Steps whose results are in the store are not computed again.

    Args:
        experiment: The settings; by default those of the quickstart.
        out: A folder for the results, the tables, the figures and the page: empty, new, or that of an earlier run.
        store: Where finished steps are kept; by default `store.default_root()`.
        runner: Runs the steps.
        on_graph: Called with the steps, before anything is computed.
        on_event: Called when a step begins, makes progress or ends; by default a notebook
            shows it.
        info: More entries for `info` in `results.json`.
        adapters: How the folder holds the students' adapters: `link` into the store, or `copy`, for a folder that
            is to be moved.

    Raises:
        InputError: A setting or the data is wrong, or the folder holds files that no run wrote.
    """
    if adapters not in ADAPTERS:
        raise unknown_name("way to keep adapters", adapters, ADAPTERS)
    folder = RunFolder(Path(out).expanduser())
    folder.check()
    folder.refuse_inputs(asdict(experiment or Experiment()))
    graph = Graph(experiment or Experiment())
    store = store or Store(default_root())
    on_graph(graph)
    label = f"{graph.task.name}: {graph.supervisor} teaches {graph.experiment.strong.name}"
    with store.using(graph.targets(), label=label, folder=folder.root):
        tell_from_elsewhere(graph.targets(), store)
        runner(graph.targets(), store, on_event=on_event or notebook_progress())
        return finish(graph, store, folder, adapters=adapters, info=info)


def finish(
    graph: Graph,
    store: Store,
    folder: RunFolder,
    *,
    adapters: Adapters = "link",
    info: Mapping[str, Any] | None = None,
) -> Result:
    """Fill the folder of a run whose steps are all done: results, tables, settings, figures and the page.

    Args:
        graph: Whose targets are done.
        store: Where they are.
        folder: The run's.
        adapters: How the folder holds the students' adapters.
        info: More that `results.json` should tell.
    """
    with folder.owned():
        found = collect(graph, store, folder, adapters=adapters, info=info)
        result = Result(**{field.name: getattr(found, field.name) for field in fields(RunRecords)})
        atomic_write(folder.claim(folder.settings), settings_text(graph.resolved))
        write_cards(result, before=folder.claim)
        result.save_report(folder.claim(folder.page))
        result.save_figures(folder.figures, before=folder.claim)
    return result


def tell_from_elsewhere(targets: Sequence[Step], store: Store) -> None:
    """Warn, for each other environment, how many results are reused that were computed in it."""
    here = environment()
    found: Counter[str] = Counter()
    for one in plan(targets, store):
        manifest = store.manifest(one.step) if one.done else None
        if manifest is not None and (difference := describe_difference(manifest.environment, here)):
            found[difference] += 1
    for difference, count in found.items():
        logger.warning("%d results are reused that were computed with %s", count, difference)
