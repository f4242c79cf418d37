"""The page that compares experiments: a study's cells, or runs that were made apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from w2s.report import words
from w2s.report.page import flat_settings, pictures, template, write
from w2s.report.study_figure import study_figures
from w2s.report.style import Plot
from w2s.results.records import RunRecords
from w2s.results.study import StudyRecords

__all__ = ["study_html", "write_study_page"]


def write_study_page(study: StudyRecords, path: str | Path, *, figures: Mapping[str, Plot] | None = None) -> Path:
    """Write the page of a study: one HTML file that needs nothing else.

    Args:
        study: Finished runs, each a cell.
        path: The HTML file; what is there is replaced.
        figures: Those of `study_figures`, where they are drawn already.

    Returns:
        The file.
    """
    page = template("study.html").render(
        **_shown(study),
        unfinished=[cell.name for cell in study.cells if cell.state == "open"],
        pictures=pictures(study_figures(study) if figures is None else figures),
        differing=_differing(study.runs),
    )
    return write(page, Path(path))


def study_html(study: StudyRecords) -> str:
    """The table of a study, to stand in a notebook."""
    page: str = template("notebook_study.html").render(**_shown(study))
    return page


def _shown(study: StudyRecords) -> dict[str, Any]:
    """What page and notebook both show."""
    results = [result for _, result in study.runs]
    return {
        "title": study.name,
        "experiments": study.runs,
        "methods": list(dict.fromkeys(record.method for result in results for record in result.pooled)),
        "guessing": words.guessing_rows(results),
        "failures": study.failures,
        "effects": study.effects(),
        "effect_of": words.effect,
    }


def _differing(experiments: Sequence[tuple[str, RunRecords]]) -> list[tuple[str, list[str]]]:
    """The settings in which experiments differ, and their values in each."""
    flat = [dict(flat_settings(asdict(result.experiment))) for _, result in experiments]
    names = list(dict.fromkeys(name for settings in flat for name in settings))
    rows = [(name, [settings.get(name, "–") for settings in flat]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
