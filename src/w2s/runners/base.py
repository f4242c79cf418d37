"""What every runner shares: the order of steps, the plan of a run, and what it tells while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from w2s.step import Step, walk
from w2s.store import Store

__all__ = ["Event", "Failures", "OnEvent", "Planned", "Runner", "missing_steps", "order", "plan", "tell_nobody"]


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
            `progress` at any time between.
        step: The step.
        seconds: How long it took; of `finished` and `failed` only.
        text: The error of `failed`.
        done: Of `progress`, the units that are done.
        total: Of `progress`, the units in all.
        unit: Of `progress`, what is counted.
        tokens: Of `progress`, the tokens worked on so far where that is known.
    """

    kind: Literal["started", "reused", "progress", "finished", "failed"]
    step: Step
    seconds: float = 0.0
    text: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    tokens: int = 0


OnEvent = Callable[[Event], None]


Failures = Mapping[str, Exception]
"""Why steps failed, by their keys; one whose input failed has its input's reason."""


class Runner(Protocol):
    """Computes targets and what they need."""

    def __call__(
        self, targets: Iterable[Step], store: Store, *, on_event: OnEvent, keep_going: bool = False
    ) -> Failures:
        """Compute the targets and what they need; what is done is checked and kept.

        A done target's inputs are neither computed nor looked at: who wants them as well names them as targets.

        Args:
            targets: The steps whose results are wanted.
            store: Where results are looked for and written.
            on_event: Gets each event as it happens.
            keep_going: Do not end at a step that fails: compute all that does not need it.

        Returns:
            The steps that failed, and those that need them; none without `keep_going`.

        Raises:
            Exception: Whatever the first failing step raises, without `keep_going`.
        """


def tell_nobody(_: object) -> None:
    """Goes nowhere."""


def order(targets: Iterable[Step]) -> list[Step]:
    """The targets and all steps before them, each once and after its inputs.

    One target's chain is finished before the next target's begins.
    """
    return list(walk(targets, stop=lambda _: False))


def missing_steps(targets: Iterable[Step], store: Store, on_event: OnEvent) -> Iterator[Step]:
    """Yields the steps that are to be computed, inputs first, and tells of those that are found done.

    It is lazy, as `step.walk` is: a step is looked for when all before it have been dealt with.
    """

    def is_found(step: Step) -> bool:
        found = store.get(step) is not None
        if found:
            on_event(Event(kind="reused", step=step))
        return found

    return walk(targets, stop=is_found)


def plan(targets: Iterable[Step], store: Store) -> list[Planned]:
    """What a run would do, from the manifests alone: a damaged result still counts as done here."""
    targets = list(targets)
    steps = order(targets)
    done = {step.key: store.is_done(step) for step in steps}
    needed = {step.key for step in walk(targets, stop=lambda step: done[step.key])}
    return [Planned(step, done[step.key], step.key in needed) for step in steps]
