"""What a long command shows while it works: bars on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import logging
import time
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from w2s.report.words import duration, visible

if TYPE_CHECKING:
    from w2s.progress import Progress as ProgressOf
    from w2s.runners.base import Event

__all__ = ["Display"]

_LINE_EVERY = 20.0  # seconds between plain lines of progress


class _Messages(logging.Handler):
    """Shows what the library logs."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.INFO)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.say(f"    {record.getMessage()}")


class Display:
    """Shows steps as they begin and end, and how far the one at work is, with its rate and the time left."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._live = self.console.is_terminal
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            disable=not self._live,
        )
        self._bar: TaskID | None = None
        self._label = ""
        self._began = self._last_line = 0.0
        self._first = (0, 0)  # units and tokens at the first report: what an earlier try had done is no work of ours
        self.reused = self.computed = 0
        self._messages = _Messages(self)
        self._level = logging.NOTSET

    def __enter__(self) -> Display:
        self._bars.start()
        logger = logging.getLogger("w2s")
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self._messages)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logger = logging.getLogger("w2s")
        logger.removeHandler(self._messages)
        logger.setLevel(self._level)
        self._bars.stop()

    def bar(self, label: str) -> ProgressOf:
        """What a single piece of work tells its progress to."""
        return partial(self.progress, label)

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(escape(visible(text)), soft_wrap=True)

    def on_event(self, event: Event) -> None:
        """A step began, ended, or has something to say."""
        match event.kind:
            case "reused":
                self.reused += 1
            case "progress":
                self.progress(event.step.label, event.done, event.total, event.unit, event.tokens)
            case "started":
                self._start(event.step.label)
            case "finished":
                self._clear()
                self.computed += 1
                self.say(f"  {event.step.label}: {duration(event.seconds)}")
            case "failed":
                self._clear()

    def progress(self, label: str, done: int, total: int, unit: str, tokens: int = 0) -> None:
        """How far a step is: `done` of `total` units."""
        now = time.monotonic()
        if label != self._label or self._first == (0, 0):
            self._label, self._began, self._last_line = label, now, now
            self._first = (done, tokens)
        worked = max(1e-9, now - self._began)
        new, new_tokens = done - self._first[0], tokens - self._first[1]
        rate = f"{done:,}/{total:,} {unit}"
        if new:
            rate += f" · {new / worked:,.1f}/s"
        if new_tokens:
            rate += f" · {new_tokens / worked:,.0f} tokens/s"
        if self._live:
            if self._bar is None:
                self._bar = self._bars.add_task(escape(label), total=total, rate=rate)
            self._bars.update(self._bar, completed=done, total=total, rate=rate)
        elif now - self._last_line > _LINE_EVERY and new:
            self._last_line = now
            left = (total - done) * worked / new
            self.say(f"    {label}: {rate} · {duration(left)} left")

    def _start(self, label: str) -> None:
        self._clear()
        self._label, self._first = label, (0, 0)
        self._began = self._last_line = time.monotonic()
        if self._live:
            self._bar = self._bars.add_task(escape(label), total=None, rate="")

    def _clear(self) -> None:
        if self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bar = None
