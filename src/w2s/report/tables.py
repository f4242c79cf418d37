"""Results as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table

from w2s.reliability import ReliabilitySummary

if TYPE_CHECKING:
    from w2s.results import Record, Result

__all__ = ["TextTable", "plain_table", "reliability_table", "render", "results_table"]


class TextTable(str):
    """A rendered table: prints as itself, and shows as itself in a prompt or a notebook."""

    def __new__(cls, table: RenderableType, width: int = 110) -> TextTable:
        return super().__new__(cls, render(table, width))

    def __repr__(self) -> str:
        return str(self)


def render(table: RenderableType, width: int = 110) -> str:
    """A table as plain text."""
    console = Console(width=width, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> Table:
    """A table of text; columns after the first are numbers if their names end in no colon."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.rstrip(":"), justify="left" if column.endswith(":") else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(value: float | None, low: float | None, high: float | None, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    form = "+.3f" if sign else ".3f"
    ends = f" [{low:{form}}, {high:{form}}]" if low is not None and high is not None else ""
    return f"{value:{form}}{ends}"


def _pgr(record: Record) -> str:
    if record.method in ("weak supervisor", "ceiling") and record.pgr_note is None:
        return "0" if record.method == "weak supervisor" else "1"
    if record.pgr is None:
        return "undefined" if record.pgr_note else "–"
    ends = ""
    if record.pgr_low is not None and record.pgr_high is not None:
        ends = f" [{record.pgr_low:.2f}, {record.pgr_high:.2f}]"
    return f"{record.pgr:.2f}{ends}"


def results_table(result: Result) -> Table:
    """The table of a run: one line a method, all seeds together, 95% intervals in brackets."""
    experiment = result.experiment
    seeds = len(experiment.seeds)
    title = (
        f"{experiment.task.name}: {experiment.weak.name} teaches {experiment.strong.name}"
        f" ({seeds} seed{'s' if seeds > 1 else ''}, 95% intervals)"
    )
    rows = [
        [
            record.method + (" *" if record.uses_gold else ""),
            _interval(record.accuracy, record.accuracy_low, record.accuracy_high),
            _pgr(record),
            _interval(record.gain, record.gain_low, record.gain_high, sign=True),
            f"{record.rows:,.0f}" if record.rows else "–",
            _share(record.label_accuracy_weighted),
        ]
        for record in result.pooled
    ]
    table = plain_table(["method:", "accuracy", "PGR", "against naive", "rows", "labels right"], rows, title=title)
    notes = []
    if any(record.uses_gold for record in result.pooled):
        notes.append("* trained on ground truth")
    undefined = next((record.pgr_note for record in result.pooled if record.pgr_note), None)
    if undefined:
        notes.append(f"PGR: {undefined}")
    table.caption = "\n".join(notes) or None
    table.caption_justify = "left"
    return table


def reliability_table(summary: ReliabilitySummary) -> Table:
    """How reliable a set of answers is: questions and answers by entropy."""
    rows = [
        [f"{level.entropy:.3f}", f"{level.questions:,}", f"{level.questions / max(1, summary.questions):.1%}"]
        for level in summary.entropies
    ]
    fewest, most = summary.variations
    asked = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    title = f"{summary.questions:,} questions, each answered {asked} times; {summary.unanimity_rate:.1%} unanimous"
    return plain_table(["entropy (nats)", "questions", "share"], rows, title=title)
