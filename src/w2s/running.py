"""Run an experiment from its settings to its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from w2s.collecting import collect
from w2s.config import Experiment
from w2s.errors import InputError
from w2s.experiment import Graph, Progress, no_progress
from w2s.results import Result
from w2s.runners import local
from w2s.runners.local import Event
from w2s.store import Step, Store, default_root

__all__ = ["DEFAULT_FOLDER", "Runner", "run"]

DEFAULT_FOLDER = Path("runs/latest")


class Runner(Protocol):
    """Computes targets and what they need."""

    def __call__(self, targets: Iterable[Step], store: Store, *, on_event: Callable[[Event], None]) -> None: ...


def _tell_nobody(_: object) -> None:
    """Goes nowhere."""


def run(
    experiment: Experiment | None = None,
    *,
    out: str | Path = DEFAULT_FOLDER,
    store: Store | None = None,
    runner: Runner = local.run,
    on_graph: Callable[[Graph], None] = _tell_nobody,
    on_event: Callable[[Event], None] = _tell_nobody,
    progress: Progress = no_progress,
    info: dict[str, Any] | None = None,
) -> Result:
    """Run a whole experiment: what the store holds already is not computed again.

    Args:
        experiment: The settings; by default the embedded one.
        out: A folder for the results, the tables, the figures and the page.
        store: Where finished steps are kept; by default `store.default_root()`.
        runner: Runs the steps.
        on_graph: Is told the steps, before anything is computed.
        on_event: Is told when a step begins, ends or has something to say.
        progress: Is told how far the long steps are.
        info: More that `results.json` should tell.

    Raises:
        InputError: A setting or the data is wrong.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: expected a folder for the results, or a name for a new one")
    graph = Graph(experiment or Experiment(), progress)
    store = store or Store(default_root())
    on_graph(graph)
    runner(graph.targets(), store, on_event=on_event)
    result = collect(graph, store, out, info=info)
    result.save_report(out / "report.html")
    result.save_figures(out / "figures")
    return result
