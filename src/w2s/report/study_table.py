"""A study as a table: methods by cells, in the terminal and for a paper."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group
from rich.text import Text

from w2s.report import words
from w2s.report.export import in_latex
from w2s.report.tables import plain_table
from w2s.results.records import Record
from w2s.results.study import StudyRecords

__all__ = ["study_latex", "study_table"]


def _rows(study: StudyRecords, cell: Callable[[Record], str]) -> list[list[str]]:
    """A row for each method, with a cell for each finished run."""
    methods = list(dict.fromkeys(record.method for _, result in study.runs for record in result.pooled))
    rows = []
    for method in methods:
        found = [{record.method: record for record in result.pooled}.get(method) for _, result in study.runs]
        star = " *" if any(record is not None and record.uses_gold for record in found) else ""
        rows.append([method + star, *("–" if record is None else cell(record) for record in found)])
    return rows


def study_table(study: StudyRecords) -> Group:
    """Accuracy and PGR of each method in each cell, and the effects pooled over cells."""
    rows = _rows(study, lambda record: f"{words.share(record.accuracy)} ({words.pgr_of(record)})")
    table = plain_table(["method:", *(name for name, _ in study.runs)], rows)
    notes = [f"{effect.method} against {effect.reference}: {words.effect(effect.pooled)}" for effect in study.effects()]
    if notes:
        notes.insert(0, "Pooled over cells, whose errors are taken as independent:")
    if any(record.uses_gold for _, result in study.runs for record in result.pooled):
        notes.insert(0, "* trained on ground truth")
    title = f"{study.name}: accuracy (PGR), all seeds together"
    return Group(Text(title, style="bold"), table, *(Text(note) for note in notes))


def study_latex(study: StudyRecords) -> str:
    """Accuracy with its 95% interval, and PGR, as a `tabular` with the rules of the package booktabs."""

    def cell(record: Record) -> str:
        ends = words.interval(record.accuracy_low, record.accuracy_high)
        return f"{words.share(record.accuracy)} {ends} ({words.pgr_of(record)})"

    names = [name for name, _ in study.runs]
    lines = [
        f"% {' '.join(study.name.split())}: accuracy, 95% interval, (PGR). Needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{l{'r' * len(names)}}}",
        r"\toprule",
        " & ".join(map(in_latex, ["Method", *names])) + r" \\",
        r"\midrule",
        *(" & ".join(map(in_latex, row)) + r" \\" for row in _rows(study, cell)),
        r"\bottomrule",
    ]
    if any(record.uses_gold for _, result in study.runs for record in result.pooled):
        lines.append(rf"\multicolumn{{{len(names) + 1}}}{{l}}{{\footnotesize * trained on ground truth}} \\")
    return "\n".join([*lines, r"\end{tabular}", ""])
