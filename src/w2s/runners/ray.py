"""Runs steps as Ray tasks: on this machine, or on all machines of a cluster that see the store's folder."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError, unknown_name
from w2s.pipeline.steps import KINDS
from w2s.runners.base import Event, Failures, OnEvent, Runner, tell_nobody
from w2s.runners.scheduled import Ended, WorkerDiedError, run_on
from w2s.runners.working import compute
from w2s.step import Step
from w2s.store import Store

if TYPE_CHECKING:
    from ray import ObjectRef

__all__ = ["runner_of"]

logger = logging.getLogger(__name__)

_WAIT = 0.2  # seconds between two looks at what the workers told
_APPEARS = 30.0  # seconds for a result to be seen through a shared file system
_WITH_A_MODEL = ("answers", "predictions", "training", "model")

Resources = Mapping[str, Mapping[str, float]]
"""What a step of a kind needs, as Ray's options say it: `{"training": {"num_gpus": 1}}`."""


def runner_of(address: str | None = None, resources: Resources | None = None) -> Runner:
    """A runner of Ray tasks.

    A step is a task; what crossed the wire is its settings, and its inputs are found in the store by their keys. A
    step whose worker or machine is lost is tried again, one that raises is not.

    Args:
        address: Of a cluster ("auto" for the one that this machine is part of); by default Ray is started here.
        resources: By kind of step. By default a step takes one processor, and, where the cluster has GPUs and the
            step a model, one of these.

    Raises:
        InputError: Ray is not installed, or a kind of step does not exist.
    """
    try:
        import ray  # noqa: F401
    except ImportError:
        raise InputError("--runner ray needs Ray: pip install 'w2s[ray]'") from None
    for kind in resources or {}:
        if kind not in KINDS:
            raise unknown_name("kind of step", kind, KINDS)

    def run(
        targets: Iterable[Step], store: Store, *, on_event: OnEvent = tell_nobody, keep_going: bool = False
    ) -> Failures:
        with _Tasks(address, resources or {}, store) as workers:
            return run_on(workers, targets, store, on_event=on_event, keep_going=keep_going)

    return run


class _Tasks:
    """Ray tasks at work."""

    def __init__(self, address: str | None, resources: Resources, store: Store) -> None:
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray = ray
        self._store = store
        self._began_ray = not ray.is_initialized()
        if self._began_ray:
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise InputError(f"--address {address}: {' '.join(str(error).split())}") from None
        self._resources = resources
        self._has_gpus = self._capacity("GPU") > 0
        # Beside the driver: on any other machine it could be lost with that machine.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._told = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        self._task = ray.remote(_compute)
        self._at_work: dict[ObjectRef[Ended], Step] = {}

    def __enter__(self) -> _Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._at_work:
            self._ray.cancel(reference, force=True)
        if self._began_ray:
            self._ray.shutdown()
        else:
            self._told.shutdown()

    def has_room(self, step: Step) -> bool:
        """Ray has a queue of its own; it is kept long enough for a machine that joins, and no longer."""
        return len(self._at_work) < 2 * max(1.0, self._capacity("CPU"))

    def _capacity(self, what: str) -> float:
        """How many processors or GPUs the cluster has at the moment."""
        return float(self._ray.cluster_resources().get(what, 0))  # type: ignore[no-untyped-call]

    def begin(self, step: Step) -> None:
        options: dict[str, Any] = {"num_cpus": 1}
        if self._has_gpus and step.kind in _WITH_A_MODEL:
            options["num_gpus"] = 1
        options |= self._resources.get(step.kind, {})
        task = self._task.options(**options, max_retries=0, name=step.label)
        self._at_work[task.remote(step, self._store.root, self._told)] = step

    def wait(self) -> Iterator[Event | Ended]:
        done, _ = self._ray.wait(list(self._at_work), timeout=_WAIT)
        for told in self._told.get_nowait_batch(self._told.qsize()):
            if isinstance(told, logging.LogRecord):
                logging.getLogger(told.name).handle(told)
            else:
                yield told
        for reference in done:
            step = self._at_work.pop(reference)
            try:
                ended = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                logger.warning("%s: its worker was lost (%s)", step.label, type(error).__name__)
                reason = " ".join(str(error).split())
                yield Ended(step, 0.0, WorkerDiedError(f"{step.label}: its worker was lost again and again: {reason}"))
            else:
                yield ended if ended.error is not None else self._seen(ended)

    def _seen(self, ended: Ended) -> Ended:
        """What was computed elsewhere must be in the store here."""
        deadline = time.monotonic() + _APPEARS
        while not self._store.is_done(ended.step):
            if time.monotonic() > deadline:
                reason = f"was computed on another machine, and is not in {self._store.root} here: expected a folder "
                return ended._replace(error=InputError(f"{ended.step.label} {reason}that all machines share"))
            time.sleep(_WAIT)
        return ended


def _compute(step: Step, root: Path, told: Any) -> Ended:
    """In a worker: compute, and tell the driver's queue, which may be gone."""

    def tell(what: object) -> None:
        with suppress(Exception):
            told.put_nowait(what)

    return compute(step, root, tell)
