"""One command in several processes, as `accelerate launch` and `torchrun` start it: the first leads, the others follow.

The first process runs the command: it plans, owns the store's locks, computes and prints. The others wait until it
calls them to a training, of which each does its share. What is said between them goes through the launcher's store of
keys, where waiting for hours is no error, as it would be in a collective operation.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from w2s.errors import InputError

__all__ = ["Follower", "Process", "awaiting_others", "call_others", "leading", "this_process"]

# What gloo and NCCL say where a process at the other end is gone.
_GONE = re.compile(r"gloo|NCCL|Connection (?:closed|reset)|Broken pipe", re.IGNORECASE)
_POLL = 0.1  # seconds between two looks at what the leader said
_LET_GO = 5.0  # seconds for the others to hear that they are let go


class Process(NamedTuple):
    """One of the processes that a launcher started.

    Attributes:
        rank: From 0; the first leads.
        world: How many there are.
        local: From 0, among those of this machine.
    """

    rank: int
    world: int
    local: int

    def __str__(self) -> str:
        return f"process {self.rank + 1} of {self.world}"


def this_process() -> Process:
    """This process among those that its launcher started; the only one where there was no launcher."""
    rank, world = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None or world is None:
        return Process(0, 1, 0)
    return Process(int(rank), int(world), int(os.environ.get("LOCAL_RANK", rank)))


class _Channel:
    """Messages of the leader, by their numbers; and who heard the last."""

    def __init__(self) -> None:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # torch warns once a process, of what is as it should be
        from torch.distributed import PrefixStore  # type: ignore[attr-defined]
        from torch.distributed.rendezvous import rendezvous

        store, _, _ = next(rendezvous("env://"))
        self._store = PrefixStore("w2s", store)
        self._number = 0

    def tell(self, message: Mapping[str, Any] | None) -> None:
        self._store.set(f"message {self._number}", json.dumps(message))
        self._number += 1

    def hear(self, within: float | None) -> Mapping[str, Any] | None:
        """The next message.

        Raises:
            TimeoutError: None came within so many seconds.
        """
        key = f"message {self._number}"
        _wait_for(self._store, key, within)
        self._number += 1
        message: Mapping[str, Any] | None = json.loads(self._store.get(key))
        if message is None:
            self._store.set(f"let go {this_process().rank}", "")
        return message

    def wait_for_others(self, world: int, within: float) -> None:
        for rank in range(1, world):
            _wait_for(self._store, f"let go {rank}", within)


def _wait_for(store: Any, key: str, within: float | None) -> None:
    end = None if within is None else time.monotonic() + within
    while not store.check([key]):
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"no {key!r} within {within} s")
        time.sleep(_POLL)


_leader: _Channel | None = None
"""Of the process that leads others: where it calls them."""


@contextmanager
def leading() -> Iterator[None]:
    """Lead the other processes, if there are any, while the block lasts; at its end they are let go."""
    global _leader
    process = this_process()
    if process.world == 1 or process.rank:
        yield
        return
    _leader = _Channel()
    try:
        yield
    finally:
        with suppress(Exception):  # of others that are gone, or at work on what failed here: their launcher ends them
            _leader.tell(None)
            _leader.wait_for_others(process.world, _LET_GO)
        _leader = None


def call_others(work: Mapping[str, Any]) -> None:
    """Have the other processes, if there are any, do their share of a piece of work; this one does its own.

    Args:
        work: What they are told; plain data.

    Raises:
        InputError: This process is one of several and does not lead them: they would wait for each other for ever.
    """
    process = this_process()
    if process.world == 1:
        return
    if _leader is None:
        raise InputError(
            f"a training in {process} which nobody leads: several processes share a training in "
            "`accelerate launch -m w2s run` and `accelerate launch -m w2s train`"
        )
    _leader.tell(work)


@contextmanager
def awaiting_others() -> Iterator[None]:
    """Compute together with the other processes; what a library says where one of them is gone becomes one line."""
    try:
        yield
    except RuntimeError as error:
        if this_process().world == 1 or not _GONE.search(str(error)):
            raise
        raise InputError(
            "another of the processes that share this training was lost: the same command goes on from the last "
            "checkpoint"
        ) from error


class Follower:
    """What a process that does not lead hears."""

    def __init__(self) -> None:
        self._channel = _Channel()

    def next_work(self, within: float | None = None) -> Mapping[str, Any] | None:
        """What it is called to next; None where it is let go.

        Args:
            within: Seconds to wait; by default for ever.

        Raises:
            TimeoutError: Nothing was said within that time.
        """
        return self._channel.hear(within)
