"""What a tracker is, and what it is told of a run."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Protocol

from w2s.errors import InputError, unknown_name
from w2s.runners.base import Event
from w2s.step import Step
from w2s.store import Store
from w2s.store.places import PARTIAL

__all__ = ["TRACKERS", "Series", "Tracker", "Tracking", "open_tracker"]

logger = logging.getLogger(__name__)

TRACKERS = ("trackio", "tensorboard", "wandb")
_VALUES = ("loss", "eval_loss", "learning_rate")


class Series(Protocol):
    """One curve after another of one training, or the table at the end."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Values at a step of the training."""

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
        """A table."""

    def close(self) -> None:
        """Nothing more comes."""


class Tracker(Protocol):
    """A tool that shows runs."""

    def series(self, group: str, name: str) -> Series:
        """A new series, `name`, of the run that is called `group`."""


def open_tracker(name: str) -> Tracker:
    """A tracker by its name.

    Raises:
        InputError: There is none, or its package is not installed.
    """
    if name not in TRACKERS:
        raise unknown_name("tracker", name, TRACKERS)
    module = importlib.import_module(f"w2s.tracking.{name}_tracker")
    make: Callable[[], Tracker] = module.open_tracker
    try:
        return make()
    except ImportError as error:
        raise InputError(f"tracker {name} cannot be used ({error}): pip install 'w2s[{name}]'") from None


class Tracking:
    """Tells a tracker the losses of every training, step by step, and the table at the end.

    It listens to a runner's events and reads the log that each training writes into the store, so it works whoever
    computes the steps, and shows trainings that were found done as well. Whatever fails in a tracker is said in one
    line, and the run goes on without it.

    Args:
        tracker: Where to.
        group: What the run is called.
        store: Where the trainings write.
    """

    def __init__(self, tracker: Tracker, group: str, store: Store) -> None:
        self._tracker: Tracker | None = tracker
        self._group, self._store = group, store
        self._named: dict[str, str] = {}  # by label, the key of the step that is called so
        self._open: dict[str, tuple[Series, int]] = {}  # by the step's key: with the last step that was told

    def on_event(self, event: Event) -> None:
        """A step began, got on or ended."""
        if event.step.kind != "training" or event.kind not in ("progress", "finished", "reused", "failed"):
            return
        self._safely(lambda tracker: self._follow(tracker, event))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
        """The results."""

        def write(tracker: Tracker) -> None:
            series = tracker.series(self._group, "results")
            series.table(columns, rows)
            series.close()

        self._safely(write)

    def close(self) -> None:
        """Close what a run that ended in the middle left open."""

        def end(_: Tracker) -> None:
            while self._open:
                self._open.popitem()[1][0].close()

        self._safely(end)

    def _safely(self, work: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            with redirect_stdout(sys.stderr):  # where results are printed, a tracker's words have no business
                work(self._tracker)
        except Exception as error:  # of anybody's code, of a server, of a disk
            self._tracker = None
            text = " ".join(str(error).split())[:300]
            logger.warning("tracking ends here, the run goes on: %s: %s", type(error).__name__, text)

    def _follow(self, tracker: Tracker, event: Event) -> None:
        step = event.step
        if step.key not in self._open:
            first = self._named.setdefault(step.label, step.key) == step.key  # another cell's may have the label too
            name = step.label if first else f"{step.label} {step.key[:6]}"
            self._open[step.key] = (tracker.series(self._group, name), 0)
        series, told = self._open[step.key]
        for entry in _entries(self._log_of(step)):
            if (number := int(entry["step"])) > told:
                series.log(number, {name: entry[name] for name in _VALUES if name in entry})
                self._open[step.key] = (series, number)
        if event.kind != "progress":
            series.close()
            del self._open[step.key]

    def _log_of(self, step: Step) -> Path:
        """Where the training writes: beside the results while it is at work."""
        done = self._store.path(step) / "log.jsonl"
        return done if done.is_file() else self._store.root / PARTIAL / f"{step.kind}-{step.key}" / "log.jsonl"


def _entries(log: Path) -> list[dict[str, float]]:
    """The whole lines of a log; the values of one step together."""
    found: dict[float, dict[str, float]] = {}
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    for line in text.split("\n")[:-1]:  # what follows the last line break is being written
        entry = json.loads(line)
        found.setdefault(entry["step"], {}).update(entry)
    return list(found.values())
