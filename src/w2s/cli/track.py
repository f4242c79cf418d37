"""`--track`: a run's losses and its table in an experiment tracker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from w2s.results.records import RunRecords
    from w2s.runners.base import OnEvent
    from w2s.store import Store
    from w2s.tracking.base import Tracking

__all__ = ["track_option", "tracked", "tracked_table"]


def track_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--track",
        type=Literal["trackio", "tensorboard", "wandb"] | None,
        default=None,
        help="show losses and results in this tracker; on this machine alone, unless its own environment variables "
        "say otherwise",
    )


@contextmanager
def tracked(name: str | None, out: Path, store: Store, on_event: OnEvent) -> Iterator[tuple[OnEvent, Tracking | None]]:
    """Who is told what happens: the listener, and with a tracker that as well."""
    if name is None:
        yield on_event, None
        return
    from w2s.runners.base import Event
    from w2s.tracking.base import Tracking, open_tracker

    group = f"{out.absolute().name}-{datetime.now():%Y%m%d-%H%M%S}"  # a name of its own: nothing is written over
    tracking = Tracking(open_tracker(name), group, store)

    def both(event: Event) -> None:
        on_event(event)
        tracking.on_event(event)

    try:
        yield both, tracking
    finally:
        tracking.close()


def tracked_table(runs: Sequence[tuple[str, RunRecords]]) -> tuple[list[str], list[list[str | float | None]]]:
    """The table of runs as a tracker shows it: a row a method, all seeds together."""
    columns = ["run", "method", "accuracy", "accuracy_low", "accuracy_high", "pgr", "gain", "rows"]
    rows: list[list[str | float | None]] = [
        [name, record.method, *(getattr(record, column) for column in columns[2:])]
        for name, run in runs
        for record in run.pooled
    ]
    return columns, rows
