"""The table of results for other programs: CSV, and LaTeX for a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from w2s.report import words
from w2s.results.records import Record, RunRecords

__all__ = ["guessing_lines", "in_latex", "to_csv", "to_latex", "with_interval"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "–": "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def to_csv(result: RunRecords) -> str:
    """Every number of every method: all seeds together (`seed` is "all"), then each seed alone.

    Numbers keep their full precision; what is not defined is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Record)])
    alone = result.records if len(result.experiment.seeds) > 1 else []
    for record in [*result.pooled, *alone]:
        row = asdict(record)
        row["seed"] = "all" if record.seed is None else record.seed
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, and no terminal for a command."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = words.visible(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def to_latex(result: RunRecords) -> str:
    """The table as a `tabular` with the rules of the package booktabs; put it into a `table` of your own."""
    weighted = words.weights_matter(result.pooled)
    header = ["Method", "Accuracy", "PGR", in_latex(words.against(result).capitalize()), "Examples", "Labels right"]
    header += ["By weight"] if weighted else []
    lines = [
        f"% {' '.join(words.visible(words.title(result)).split())}; 95% intervals. Needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *(" & ".join(_cells(record, weighted=weighted)) + r" \\" for record in result.pooled),
        *guessing_lines([result], columns=1, width=len(header)),
        r"\bottomrule",
    ]
    notes = sorted({record.pgr_note for record in result.pooled if record.pgr_note})
    if any(record.uses_gold for record in result.pooled):
        notes.insert(0, "* trained on ground truth")
    notes += words.told_of_test(result)
    lines += [rf"\multicolumn{{{len(header)}}}{{l}}{{\footnotesize {in_latex(note)}}} \\" for note in notes]
    return "\n".join([*lines, r"\end{tabular}", ""])


def guessing_lines(results: Sequence[RunRecords | None], *, columns: int, width: int) -> list[str]:
    """What guessing gets in each run, below a rule; a run has as many columns, the accuracy in the first."""
    found = words.guessing_rows([result for result in results if result is not None])
    lines = []
    for name, given in found:
        left = iter(given)
        cells = [in_latex(next(left)) if result is not None else "--" for result in results]
        row = [in_latex(name), *(part for cell in cells for part in [cell, *[""] * (columns - 1)])]
        lines.append(" & ".join([*row, *[""] * (width - len(row))]) + r" \\")
    return [r"\midrule", *lines] if lines else []


def _cells(record: Record, *, weighted: bool) -> list[str]:
    gain = "–" if record.gain is None else ("+" if record.gain >= 0 else "") + words.share(record.gain)
    pgr = words.pgr_of(record)
    return [
        in_latex(record.method) + ("*" if record.uses_gold else ""),
        with_interval(words.share(record.accuracy), words.interval(record.accuracy_low, record.accuracy_high)),
        with_interval(pgr, words.interval(record.pgr_low, record.pgr_high, 2) if pgr not in ("0", "1") else ""),
        with_interval(gain, words.interval(record.gain_low, record.gain_high, sign=True)),
        f"{record.rows:,.0f}" if record.rows else "--",
        in_latex(words.share(record.label_accuracy)),
        *([in_latex(words.share(record.label_accuracy_weighted))] if weighted else []),
    ]


def with_interval(value: str, ends: str) -> str:
    """A number and its interval in LaTeX, the interval smaller; `ends` may be empty."""
    return f"{in_latex(value)} {{\\footnotesize {in_latex(ends)}}}" if ends else in_latex(value)


def in_latex(text: str) -> str:
    """Text in which no character means anything to LaTeX, on one line."""
    return " ".join("".join(_SPECIAL.get(character, character) for character in words.visible(text)).split())
