"""What a launched process does that does not lead: its share of the trainings that it is called to."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from w2s.errors import InputError
from w2s.launched import Follower, this_process
from w2s.pipeline.steps import train_share
from w2s.plugins import load_installed, load_plugins

__all__ = ["follow"]

_GRACE = 30.0  # seconds for the leader to fail as this process did


def follow() -> None:
    """Take part in trainings until the leader lets go. Says nothing: the leader does.

    Raises:
        Exception: What went wrong here and not with the leader, which would wait for this process for ever.
    """
    logging.getLogger("w2s").addHandler(logging.NullHandler())
    logging.getLogger("w2s").propagate = False
    warnings.simplefilter("ignore")
    follower = Follower()
    load_installed()
    while (work := follower.next_work()) is not None:
        try:
            _take_part(work)
        except Exception as error:
            if _let_go(follower):
                return
            if isinstance(error, InputError):
                raise InputError(f"{this_process()}: {error}") from error
            raise


def _take_part(work: Mapping[str, Any]) -> None:
    load_plugins(work["plugins"])
    inputs = {name: Path(folder) for name, folder in work["inputs"].items()}
    train_share(work["settings"], inputs, Path(work["out"]), work["execution"])


def _let_go(follower: Follower) -> bool:
    try:
        return follower.next_work(_GRACE) is None
    except Exception:  # the leader is gone as well, or waits in the training
        return False
