"""`w2s report`: a finished run, or several, as a page, figures, or a table for a paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from w2s.cli.said import say

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

__all__ = ["report_command", "report_options"]


def report_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("runs", type=str, nargs="+", help="folders of finished runs; several are compared")
    parser.add_argument("-o", "--out", type=str, default=None, help="the file (or, for figures, the folder) to write")
    parser.add_argument(
        "--format",
        type=Literal["html", "figures", "table", "csv", "latex", "json"],
        default="html",
        help="of the report",
    )


def report_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.files import atomic_write
    from w2s.report.export import to_csv, to_latex
    from w2s.report.figures import save_figures
    from w2s.report.study_page import write_study_page
    from w2s.report.study_table import study_latex
    from w2s.report.words import told_of_labels
    from w2s.results.study import StudyRecords, run_names
    from w2s.running import Result
    from w2s.tables import csv_text

    results = [Result.load(folder) for folder in arguments.runs]
    first, out = results[0], Path(arguments.out) if arguments.out else None
    study = StudyRecords.of_runs(results)
    if arguments.format == "html":
        page = out or (first.files.page if len(results) == 1 else Path("study.html"))
        say(first.save_report(page) if len(results) == 1 else write_study_page(study, page))
        return
    if arguments.format == "figures":
        for name, result in zip(run_names(results), results, strict=True):
            folder = out or result.files.figures
            if len(results) > 1 and out is not None:
                folder = out / name  # one folder each, whatever the runs' own are called
            for path in save_figures(result, folder):
                say(path)
        return
    writers: dict[str, Callable[[], str]] = {
        "table": lambda: "\n".join("\n".join([result.table(), *told_of_labels(result), ""]) for result in results),
        "csv": lambda: to_csv(first) if len(results) == 1 else csv_text(study.to_table()),
        "latex": lambda: to_latex(first) if len(results) == 1 else study_latex(study),
        "json": lambda: json.dumps(first.to_dict() if len(results) == 1 else study.to_dict(), indent=1) + "\n",
    }
    text = writers[arguments.format]()
    if out is None:
        print(text, end="")
    else:
        atomic_write(out, text)
        say(out)
