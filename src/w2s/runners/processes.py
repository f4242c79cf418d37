"""Runs steps in several processes of this machine, each with its share of the processors or a GPU of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any

from w2s.errors import InputError
from w2s.pipeline.devices import check_devices
from w2s.runners import local
from w2s.runners.base import Event, Failures, OnEvent, Runner, tell_nobody
from w2s.runners.scheduled import Ended, WorkerDiedError, run_on
from w2s.runners.working import compute
from w2s.step import Step
from w2s.store import Store

__all__ = ["runner_of"]

logger = logging.getLogger(__name__)

_WAIT = 0.2  # seconds between two looks at what the workers told


def runner_of(jobs: int) -> Runner:
    """A runner of several processes; of one, the local runner.

    Args:
        jobs: How many steps are computed at once.

    Raises:
        InputError: It is none.
    """
    if jobs < 1:
        raise InputError(f"jobs is {jobs}: expected 1 or more")
    if jobs == 1:
        return local.run

    def run(
        targets: Iterable[Step], store: Store, *, on_event: OnEvent = tell_nobody, keep_going: bool = False
    ) -> Failures:
        targets = list(targets)
        if not keep_going:  # or else each step that cannot be computed here says so
            check_devices(targets, store, jobs=jobs)
        with _Processes(jobs, store.root) as workers:
            return run_on(workers, targets, store, on_event=on_event, keep_going=keep_going)

    return run


class _Processes:
    """A pool of one process for each job: where one dies, the others go on."""

    def __init__(self, jobs: int, root: Path) -> None:
        self._root = root
        self._context = multiprocessing.get_context("spawn")
        self._told: Queue[Any] = self._context.Queue()
        self._environments = _environments(jobs)
        self._pools: list[ProcessPoolExecutor | None] = [None] * jobs
        self._at_work: dict[Future[Ended], tuple[Step, int]] = {}

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *_: object) -> None:
        busy = {number for _, number in self._at_work.values()}
        for number, pool in enumerate(self._pools):
            if pool is None:
                continue
            if number in busy:  # its step goes on from its checkpoint the next time
                for process in list((pool._processes or {}).values()):
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)

    def has_room(self, step: Step) -> bool:
        return len(self._at_work) < len(self._pools)

    def begin(self, step: Step) -> None:
        busy = {number for _, number in self._at_work.values()}
        number = next(number for number in range(len(self._pools)) if number not in busy)
        pool = self._pools[number]
        if pool is None:
            pool = self._pools[number] = ProcessPoolExecutor(
                max_workers=1,
                mp_context=self._context,
                initializer=_begin,
                initargs=(self._told, self._environments[number]),
            )
        self._at_work[pool.submit(_compute, step, self._root)] = (step, number)

    def wait(self) -> Iterator[Event | Ended]:
        done, _ = wait(self._at_work, timeout=_WAIT, return_when=FIRST_COMPLETED)
        yield from self._news()
        for future in done:
            step, number = self._at_work.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                pool = self._pools[number]
                assert pool is not None
                pool.shutdown(wait=False, cancel_futures=True)
                self._pools[number] = None
                logger.warning("%s: its process died", step.label)
                reason = "its process died again and again: it was killed, or had no more memory"
                yield Ended(step, 0.0, WorkerDiedError(f"{step.label}: {reason}"))

    def _news(self) -> Iterator[Event]:
        with suppress(Empty):
            while True:
                told = self._told.get_nowait()
                if isinstance(told, logging.LogRecord):
                    logging.getLogger(told.name).handle(told)
                else:
                    yield told


def _environments(jobs: int) -> list[dict[str, str]]:
    """What each process sees of the machine: its share of the processors, and one GPU where there are several."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    environments = [{"OMP_NUM_THREADS": str(threads)} for _ in range(jobs)]
    gpus = _gpus()
    for number, environment in enumerate(environments):
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    if gpus and jobs > len(gpus):
        logger.warning("%d jobs share %d GPUs: each GPU holds several models at once", jobs, len(gpus))
    return environments


def _gpus() -> list[str]:
    """The names of the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` has them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in visible.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


_told: Queue[Any] | None = None
"""Of a worker's process: where what happens goes."""


def _begin(told: Queue[Any], environment: dict[str, str]) -> None:
    """Begin as a worker; torch, which reads the environment once, is not there yet."""
    global _told
    _told = told
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose runner was killed has nobody to work for."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _compute(step: Step, root: Path) -> Ended:
    assert _told is not None
    return compute(step, root, _told.put)
