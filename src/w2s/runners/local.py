"""Runs steps in this process, one after another, and only those that are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from w2s.pipeline.devices import check_devices
from w2s.pipeline.steps import build_of
from w2s.runners.base import Event, Failures, OnEvent, missing_steps, tell_nobody
from w2s.step import Build, Step
from w2s.store import Store

__all__ = ["run"]


def run(
    targets: Iterable[Step],
    store: Store,
    *,
    on_event: OnEvent = tell_nobody,
    keep_going: bool = False,
    find_build: Callable[[Step], Build] = build_of,
) -> Failures:
    """Compute the targets and what they need; see `base.Runner`.

    Args:
        targets: The steps whose results are wanted.
        store: Where results are looked for and written.
        on_event: Gets each event as it happens.
        keep_going: Do not end at a step that fails: compute all that does not need it.
        find_build: Finds what computes a step.

    Returns:
        The steps that failed, and those that need them.

    Raises:
        Exception: Whatever the first failing step raises, unchanged, without `keep_going`.
    """
    failures: dict[str, Exception] = {}
    targets = list(targets)
    if not keep_going:  # or else each step that cannot be computed here says so
        check_devices(targets, store)

    for step in missing_steps(targets, store, on_event):
        if reason := next((failures[one.key] for one in step.inputs.values() if one.key in failures), None):
            failures[step.key] = reason
            continue
        on_event(Event(kind="started", step=step))
        clock = time.monotonic()

        def progress(done: int, total: int, unit: str, tokens: int = 0, step: Step = step) -> None:
            on_event(Event(kind="progress", step=step, done=done, total=total, unit=unit, tokens=tokens))

        try:
            store.run(step, find_build(step), progress)
        except Exception as error:
            on_event(Event(kind="failed", step=step, seconds=time.monotonic() - clock, text=str(error)))
            if not keep_going:
                raise
            failures[step.key] = error
        else:
            on_event(Event(kind="finished", step=step, seconds=time.monotonic() - clock))
    return failures
