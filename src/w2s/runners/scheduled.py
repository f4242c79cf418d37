"""Runs steps on several workers at once: each as soon as its inputs are done and a worker has room for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from w2s.runners.base import Event, Failures, OnEvent, missing_steps
from w2s.step import Step
from w2s.store import Store

__all__ = ["Ended", "WorkerDiedError", "Workers", "run_on"]

TRIES = 3  # of a step whose worker died; what a step itself raises is not tried again


class WorkerDiedError(RuntimeError):
    """A worker ended in the middle of a step: it was killed, its machine went, or it had no more memory."""


class Ended(NamedTuple):
    """How a step on a worker ended.

    Attributes:
        step: The step.
        seconds: How long it took.
        error: What it raised; `WorkerDiedError` where the worker itself ended; None where all is well.
    """

    step: Step
    seconds: float
    error: Exception | None


class Workers(Protocol):
    """What computes steps elsewhere."""

    def has_room(self, step: Step) -> bool:
        """Whether the step could begin now."""

    def begin(self, step: Step) -> None:
        """Compute a step, whose inputs are done."""

    def wait(self) -> Iterable[Event | Ended]:
        """Wait a while; what happened since."""


def run_on(
    workers: Workers, targets: Iterable[Step], store: Store, *, on_event: OnEvent, keep_going: bool = False
) -> Failures:
    """Compute the targets and what they need; see `base.Runner`."""
    needed = list(missing_steps(targets, store, on_event))
    missing = {step.key: {one.key for one in step.inputs.values()} for step in needed}
    for inputs in missing.values():
        inputs.intersection_update(missing)
    readers: dict[str, list[Step]] = {}
    for step in needed:
        for key in missing[step.key]:
            readers.setdefault(key, []).append(step)
    ready = deque(step for step in needed if not missing[step.key])
    at_work: dict[str, Step] = {}
    tries: dict[str, int] = {}
    failures: dict[str, Exception] = {}

    def fail(step: Step, error: Exception) -> None:
        failures[step.key] = error
        for reader in readers.get(step.key, ()):
            if reader.key not in failures:
                fail(reader, error)

    while ready or at_work:
        for _ in range(len(ready)):
            step = ready.popleft()
            if not workers.has_room(step):
                ready.append(step)
                continue
            tries[step.key] = tries.get(step.key, 0) + 1
            at_work[step.key] = step
            on_event(Event(kind="started", step=step))
            workers.begin(step)
        for happened in workers.wait():
            if isinstance(happened, Event):
                on_event(happened)
                continue
            step, seconds, error = happened
            del at_work[step.key]
            if error is None:
                on_event(Event(kind="finished", step=step, seconds=seconds))
                for reader in readers.get(step.key, ()):
                    missing[reader.key].discard(step.key)
                    if not missing[reader.key] and reader.key not in failures:
                        ready.append(reader)
            elif isinstance(error, WorkerDiedError) and tries[step.key] < TRIES:
                ready.appendleft(step)
            else:
                on_event(Event(kind="failed", step=step, seconds=seconds, text=str(error)))
                if not keep_going:
                    raise error
                fail(step, error)
    assert all(store.is_done(step) or step.key in failures for step in needed), "steps were left without a reason"
    return failures
