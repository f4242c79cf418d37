"""A command that a launcher started in several processes: which of them does what."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from w2s.errors import InputError
from w2s.launched import this_process

__all__ = ["follow_leader", "lead"]

_SHARED = ("run", "train")


def follow_leader() -> None:
    """Do this process's share of what the leader calls it to."""
    from w2s.pipeline.following import follow

    follow()


def lead(command: str) -> None:
    """Be the one that runs the command.

    Raises:
        InputError: The command has nothing to share.
    """
    world = this_process().world
    if command not in _SHARED:
        raise InputError(
            f"w2s {command} in {world} launched processes: expected it without accelerate launch or torchrun; only "
            f"w2s {' and w2s '.join(_SHARED)} share their work among processes"
        )
    signal.signal(signal.SIGTERM, _ended)
    print(
        f"{world} processes: they share each training, batch by batch; all else is done by the first", file=sys.stderr
    )


def _ended(number: int, frame: FrameType | None) -> None:
    """A launcher ends all its processes when one of them is lost. The store is as after any kill: whole."""
    line = "ended by its launcher, which does so when another process is lost; the same command goes on from here"
    os.write(2, f"w2s: {line}\n".encode())
    os._exit(128 + number)
