"""Results as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from w2s.reliability import ReliabilitySummary
from w2s.report import words

if TYPE_CHECKING:
    from w2s.results.records import RunRecords

__all__ = ["SCREEN", "TextTable", "heading", "plain_table", "reliability_table", "render", "results_table", "show"]

SCREEN = 24  # lines, of what a prompt shows by itself


class TextTable(str):
    """A rendered table: prints as itself, and shows as itself in a prompt or a notebook."""

    def __new__(cls, table: RenderableType, width: int = 120) -> TextTable:
        return super().__new__(cls, render(table, width))

    def __repr__(self) -> str:
        return str(self)


def render(table: RenderableType, width: int = 120) -> str:
    """A table as plain text."""
    console = Console(width=width, no_color=True, force_terminal=False, force_jupyter=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def show(table: RenderableType, width: int = 120) -> None:
    """Print a table: with its emphasis on a terminal, as plain text of a fixed width elsewhere."""
    console = Console()
    if console.is_terminal:
        console.print(table)
    else:
        print(render(table, width))


def heading(text: str) -> Text:
    """What stands above a table."""
    return Text(words.visible(text), style="bold")


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of text; the columns whose names end in a colon are words, the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(words.visible(column.rstrip(":")), justify="left" if column.endswith(":") else "right")
    for row in rows:
        table.add_row(*(Text(words.visible(cell)) for cell in row))  # as a text: a name in brackets is no markup
    return table


def results_table(result: RunRecords) -> Group:
    """The table of a run: a line a method, all seeds together, 95% intervals in brackets; then what guessing gets."""
    seeds = len(result.experiment.seeds)
    weighted = words.weights_matter(result.pooled)
    rows = []
    for record in result.pooled:
        pgr = words.pgr_of(record)
        ends = "" if pgr in ("0", "1") else words.interval(record.pgr_low, record.pgr_high, 2)
        gain = "–" if record.gain is None else ("+" if record.gain >= 0 else "") + words.share(record.gain)
        rows.append(
            [
                record.method + (" *" if record.uses_gold else ""),
                words.with_ends(
                    words.share(record.accuracy), words.interval(record.accuracy_low, record.accuracy_high)
                ),
                words.with_ends(pgr, ends),
                words.with_ends(gain, words.interval(record.gain_low, record.gain_high, sign=True)),
                f"{record.rows:,.0f}" if record.rows else "–",
                words.share(record.label_accuracy),
                *([words.share(record.label_accuracy_weighted)] if weighted else []),
            ]
        )
    title = f"{words.title(result)} ({seeds} seed{'s' if seeds > 1 else ''}; 95% intervals)"
    notes = ["* trained on ground truth"] if any(record.uses_gold for record in result.pooled) else []
    notes += sorted({f"PGR: {record.pgr_note}" for record in result.pooled if record.pgr_note})
    if result.shared_test != "all" and (uncovered := words.not_covered(result)) is not None:
        notes.append(uncovered)
    notes += words.told_of_test(result)
    columns = ["method:", "accuracy", "PGR", words.against(result), "rows", "labels right"]
    columns += ["by weight"] if weighted else []
    rows += [[name, *cells, *[""] * (len(columns) - 2)] for name, cells in words.guessing_rows([result])]
    return Group(heading(title), plain_table(columns, rows), *(Text(words.visible(note)) for note in notes))


def reliability_table(summary: ReliabilitySummary) -> Group:
    """How reliable a set of answers is: questions by entropy."""
    rows = [
        [f"{level.entropy:.3f}", f"{level.questions:,}", f"{level.questions / max(1, summary.questions):.1%}"]
        for level in summary.entropies
    ]
    fewest, most = summary.variations
    asked = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    title = f"{summary.questions:,} questions, {asked} answers each; {summary.unanimity_rate:.1%} unanimous"
    return Group(heading(title), plain_table(["entropy (nats)", "questions", "share"], rows))
