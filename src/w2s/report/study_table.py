"""A study as a table: methods by cells, in the terminal and for a paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from w2s.report import words
from w2s.report.export import guessing_lines, in_latex, with_interval
from w2s.report.tables import heading, plain_table
from w2s.results.comparison import ComparedEstimator
from w2s.results.records import Record
from w2s.results.study import Pair, StudyRecords

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
    """Accuracy and PGR of each method in each cell, what guessing gets there, and the effects pooled over cells.

    Where cells compare estimators, their AUROC stands below.
    """
    rows = _rows(study, lambda record: f"{words.share(record.accuracy)} ({words.pgr_of(record)})")
    rows += [[name, *cells] for name, cells in words.guessing_rows([result for _, result in study.runs])]
    table = plain_table(["method:", *(name for name, _ in study.runs)], rows)
    notes = [f"{effect.method} against {effect.reference}: {words.effect(effect.pooled)}" for effect in study.effects()]
    if notes:
        notes.insert(0, "Pooled over cells, whose errors are taken as independent:")
    if any(record.uses_gold for _, result in study.runs for record in result.pooled):
        notes.insert(0, "* trained on ground truth")
    title = f"{study.name}: accuracy (PGR), all seeds together"
    return Group(heading(title), table, *(Text(words.visible(note)) for note in notes), *_estimators(study))


def _estimators(study: StudyRecords) -> list[RenderableType]:
    """The AUROC of each estimator in each cell that compares several, and how far it is from that of the run's own."""
    found = {name: {one.estimator: one for one in run.compared} for name, run in study.runs if len(run.compared) > 1}
    if not found:
        return []

    def cell(one: ComparedEstimator | None) -> str:
        if one is None:
            return "–"
        difference = one.auroc.difference
        against = (
            "" if one.own or difference is None else f" ({'+' if difference >= 0 else ''}{words.share(difference)})"
        )
        return f"{words.share(one.auroc.estimate)}{against}"

    names = dict.fromkeys(estimator for own in found.values() for estimator in own)
    rows = [[name, *(cell(own.get(name)) for own in found.values())] for name in names]
    title = "estimators: AUROC of the weak answers (against that of the run's own)"
    return [heading(title), plain_table(["estimator:", *found], rows)]


def study_latex(study: StudyRecords) -> str:
    """The paper's table, as a `tabular` with the rules of the package booktabs.

    A block of rows for each pair of supervisor and student, a row a method; for each data set, or what else a pair's
    cells differ in, accuracy with its 95% interval, and PGR.
    """
    pairs = study.pairs()
    names = list(dict.fromkeys(name for pair in pairs for name in pair.cells))
    width = 1 + 2 * len(names)
    heads = [rf"\multicolumn{{2}}{{c}}{{{in_latex(name)}}}" for name in names]
    rules = [rf"\cmidrule(lr){{{column}-{column + 1}}}" for column in range(2, width, 2)]
    name = " ".join(words.visible(study.name).split())
    lines = [
        f"% {name}: accuracy, 95% interval, PGR. Needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
        " & ".join(["", *heads]) + r" \\",
        "".join(rules),
        " & ".join(["Method", *["Accuracy", "PGR"] * len(names)]) + r" \\",
    ]
    for pair in pairs:
        title = in_latex(f"{pair.supervisor} teaches {pair.student}")
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\emph{{{title}}}}} \\", *_block(pair, names)]
    lines.append(r"\bottomrule")
    if any(record.uses_gold for _, result in study.runs for record in result.pooled):
        lines.append(rf"\multicolumn{{{width}}}{{l}}{{\footnotesize * trained on ground truth}} \\")
    return "\n".join([*lines, r"\end{tabular}", ""])


def _block(pair: Pair, names: Sequence[str]) -> list[str]:
    """The rows of one pair."""
    found = {name: {record.method: record for record in result.pooled} for name, result in pair.cells.items()}
    rows = []
    for method in dict.fromkeys(method for records in found.values() for method in records):
        own = [found.get(name, {}).get(method) for name in names]
        star = "*" if any(record is not None and record.uses_gold for record in own) else ""
        rows.append(" & ".join([in_latex(method) + star, *map(_cells, own)]) + r" \\")
    return rows + guessing_lines([pair.cells.get(name) for name in names], columns=2, width=1 + 2 * len(names))


def _cells(record: Record | None) -> str:
    """Accuracy and PGR, two cells."""
    if record is None:
        return "-- & --"
    ends = words.interval(record.accuracy_low, record.accuracy_high)
    return f"{with_interval(words.share(record.accuracy), ends)} & {in_latex(words.pgr_of(record))}"
