"""What a notebook shows of a run while it works: the steps that are done, and how far the one at work is."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

from w2s.report.words import duration, visible
from w2s.runners.base import Event, OnEvent, tell_nobody

__all__ = ["NotebookProgress", "notebook_progress"]

_EVERY = 0.5  # seconds between two changes of what is shown
_LINES = 12  # of the steps that are done, the last


class NotebookProgress:
    """Shows steps as they end, in one output that is replaced."""

    def __init__(self) -> None:
        from IPython.display import display

        self._lines: list[str] = []
        self._now = ""
        self._began = self._shown = 0.0
        self._reused = self._computed = 0
        self._handle: Any = display(self, display_id=True)

    def __call__(self, event: Event) -> None:
        """A step began, ended, or got on."""
        match event.kind:
            case "reused":
                self._reused += 1
            case "started":
                self._now, self._began = event.step.label, time.monotonic()
            case "progress":
                self._now = f"{event.step.label}: {event.done:,}/{event.total:,} {event.unit}{self._left(event)}"
            case "finished":
                self._computed += 1
                self._lines.append(f"{event.step.label}: {duration(event.seconds)}")
                self._now = ""
            case "failed":
                self._now = f"{event.step.label}: {event.text}"
        if event.kind != "progress" or time.monotonic() - self._shown > _EVERY:
            self._shown = time.monotonic()
            self._handle.update(self)

    def _left(self, event: Event) -> str:
        worked = time.monotonic() - self._began
        return f" · {duration((event.total - event.done) * worked / event.done)} left" if event.done else ""

    def __repr__(self) -> str:
        before = len(self._lines) - _LINES
        lines = [f"… {before} before"] if before > 0 else []
        lines += self._lines[-_LINES:]
        lines += [f"{self._now} …"] if self._now else []
        return visible("\n".join([*lines, f"{self._computed} steps computed, {self._reused} found done"]))

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def notebook_progress() -> OnEvent:
    """What shows a run's progress where the code runs in a notebook; what tells nobody elsewhere."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return NotebookProgress() if shell is not None and "IPKernelApp" in shell.config else tell_nobody
