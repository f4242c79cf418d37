"""What a worker does with a step, in whatever process it is."""

from __future__ import annotations

import logging
import pickle
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from w2s.errors import InputError
from w2s.runners.base import Event
from w2s.runners.scheduled import Ended
from w2s.step import Step
from w2s.store import Store

__all__ = ["Tell", "compute"]

Tell = Callable[["Event | logging.LogRecord"], None]
"""Sends what happens in a worker to the process that shows it."""

_EVERY = 0.5  # seconds between two reports of a step's progress


def compute(step: Step, root: Path, tell: Tell) -> Ended:
    """Compute a step whose inputs are in the store.

    Args:
        step: What to compute.
        root: The store's folder.
        tell: Is told the step's progress, and what the library logs.
    """
    from w2s.pipeline.steps import build_of

    last = 0.0

    def progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > _EVERY:
            last = time.monotonic()
            tell(Event(kind="progress", step=step, done=done, total=total, unit=unit, tokens=tokens))

    clock = time.monotonic()
    handler = _Telling(tell)
    logger = logging.getLogger("w2s")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other, as in the main process
    try:
        Store(root).run(step, build_of(step), progress)
        error = None
    except Exception as raised:
        error = _that_travels(raised)
    finally:
        logger.removeHandler(handler)
    return Ended(step, time.monotonic() - clock, error)


class _Telling(logging.Handler):
    """Sends what the library logs, as text: not every argument can travel."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self._tell(record)


def _that_travels(error: Exception) -> Exception:
    """The error, or one of its text where it cannot be sent; it keeps its traceback as a note."""
    text = "".join(traceback.format_exception(error))
    try:
        found: Exception = pickle.loads(pickle.dumps(error))
        same = str(found) == str(error)
    except Exception:
        same = False
    if not same:
        kind = InputError if isinstance(error, InputError) else RuntimeError
        found = kind(str(error) if kind is InputError else f"{type(error).__name__}: {error}")
    found.add_note(text)
    return found
