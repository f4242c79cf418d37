"""The page that compares experiments: a study's cells, or runs that were made apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from w2s.report import words
from w2s.report.page import flat_settings, pictures, template, write
from w2s.report.study_figure import study_figures
from w2s.report.style import Plot
from w2s.results.records import RunRecords
from w2s.results.study import StudyRecords

__all__ = ["write_study_page"]


def write_study_page(study: StudyRecords, path: str | Path, *, figures: Mapping[str, Plot] | None = None) -> Path:
    """Write the page of a study: one HTML file that needs nothing else.

    Args:
        study: Finished runs, each a cell.
        path: The HTML file; what is there is replaced.
        figures: Those of `study_figures`, where they are drawn already.

    Returns:
        The file.
    """
    runs, effects = study.runs, study.effects()
    page = template("study.html").render(
        title=study.name,
        experiments=runs,
        failures=study.failures,
        unfinished=[cell.name for cell in study.cells if cell.state == "open"],
        methods=list(dict.fromkeys(record.method for _, result in runs for record in result.pooled)),
        pictures=pictures(study_figures(study) if figures is None else figures),
        effects=effects,
        effect_of=words.effect,
        differing=_differing(runs),
    )
    return write(page, Path(path))


def _differing(experiments: Sequence[tuple[str, RunRecords]]) -> list[tuple[str, list[str]]]:
    """The settings in which experiments differ, and their values in each."""
    flat = [dict(flat_settings(asdict(result.experiment))) for _, result in experiments]
    names = list(dict.fromkeys(name for settings in flat for name in settings))
    rows = [(name, [settings.get(name, "–") for settings in flat]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
