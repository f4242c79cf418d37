"""Runs steps in this process, one after another, and only those that are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from w2s.pipeline.steps import build_of
from w2s.runners.base import Event, OnEvent, tell_nobody
from w2s.step import Build, Step, walk
from w2s.store import Store

__all__ = ["run"]


def run(
    targets: Iterable[Step],
    store: Store,
    *,
    on_event: OnEvent = tell_nobody,
    find_build: Callable[[Step], Build] = build_of,
) -> None:
    """Compute the targets and what they need; what is done is checked and kept.

    A done target's inputs are neither computed nor looked at: who wants them as well names them as targets.

    Args:
        targets: The steps whose results are wanted.
        store: Where results are looked for and written.
        on_event: Gets each event as it happens.
        find_build: Finds what computes a step.

    Raises:
        Exception: Whatever the first failing step raises, unchanged; no step after it is tried.
    """

    def reuse(step: Step) -> bool:
        found = store.get(step) is not None
        if found:
            on_event(Event(kind="reused", step=step))
        return found

    for step in walk(targets, stop=reuse):
        on_event(Event(kind="started", step=step))
        clock = time.monotonic()

        def progress(done: int, total: int, unit: str, tokens: int = 0, step: Step = step) -> None:
            on_event(Event(kind="progress", step=step, done=done, total=total, unit=unit, tokens=tokens))

        try:
            store.run(step, find_build(step), progress)
        except Exception as error:
            on_event(Event(kind="failed", step=step, seconds=time.monotonic() - clock, text=str(error)))
            raise
        on_event(Event(kind="finished", step=step, seconds=time.monotonic() - clock))
