"""Runs a graph of steps in this process, one after another, and only those that are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from w2s.store import Step, Store

__all__ = ["Event", "Planned", "order", "plan", "run"]


class Planned(NamedTuple):
    """What a run would do with one step.

    Attributes:
        step: The step.
        done: Its result is in the store.
        needed: It would be computed: it is not done, and a target or a needed step reads it.
    """

    step: Step
    done: bool
    needed: bool


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a step.

    Attributes:
        kind: `started` before the step is computed or waited for, then `finished` or `failed`; `reused` alone;
            `said` at any time.
        step: The step.
        seconds: How long it took; of `finished` and `failed` only.
        text: The line of `said`, or the error of `failed`.
    """

    kind: Literal["started", "reused", "said", "finished", "failed"]
    step: Step
    seconds: float = 0.0
    text: str = ""


def order(targets: Iterable[Step]) -> list[Step]:
    """The targets and all steps before them, each once and after its inputs.

    One target's chain is finished before the next target's begins.
    """
    return list(_walk(targets, stop=lambda _: False))


def plan(targets: Iterable[Step], store: Store) -> list[Planned]:
    """What `run` would do, from the manifests alone: a damaged result still counts as done here."""
    targets = list(targets)
    needed = {step.key for step in _walk(targets, stop=store.is_done)}
    return [Planned(step, store.is_done(step), step.key in needed) for step in order(targets)]


def run(targets: Iterable[Step], store: Store, *, on_event: Callable[[Event], None]) -> None:
    """Computes the targets and what they need; what is done is checked and kept.

    A done target's inputs are neither computed nor looked at: who wants them as well names them as targets.

    Args:
        targets: The steps whose results are wanted.
        store: Where results are looked for and written.
        on_event: Gets each event as it happens.

    Raises:
        Exception: Whatever the first failing step raises, unchanged; no step after it is tried.
    """

    def sayer(step: Step) -> Callable[[str], None]:
        return lambda line: on_event(Event(kind="said", step=step, text=line))

    def reuse(step: Step) -> bool:
        found = store.get(step, sayer(step)) is not None
        if found:
            on_event(Event(kind="reused", step=step))
        return found

    for step in _walk(targets, stop=reuse):
        on_event(Event(kind="started", step=step))
        clock = time.monotonic()
        try:
            store.run(step, sayer(step))
        except Exception as error:
            on_event(Event(kind="failed", step=step, seconds=time.monotonic() - clock, text=str(error)))
            raise
        on_event(Event(kind="finished", step=step, seconds=time.monotonic() - clock))


def _walk(targets: Iterable[Step], stop: Callable[[Step], bool]) -> Iterator[Step]:
    """Yields each step once, inputs first, leaving out those at which to stop and what only they read.

    It is lazy: `stop` sees a step when all that was yielded before it has been dealt with.
    """
    seen: set[str] = set()

    def visit(step: Step) -> Iterator[Step]:
        if step.key in seen:
            return
        seen.add(step.key)
        if stop(step):
            return
        for step_before in step.inputs.values():
            yield from visit(step_before)
        yield step

    for target in targets:
        yield from visit(target)
