"""A run as a web page: one HTML file that needs nothing else, and asks for nothing else.

All text that comes from data or models is escaped by the template, or is data in a JSON script element that
the page's script puts into text nodes. The page's content security policy forbids every request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from w2s.config import Experiment
from w2s.files import atomic_write
from w2s.report import words
from w2s.report.browser import MAX_BYTES, browser_data
from w2s.report.figures import all_figures
from w2s.report.reading import Run, read_run
from w2s.report.style import Plot, as_page_svg
from w2s.report.supervisors import shown_supervisors
from w2s.results.comparison import ComparedEstimator
from w2s.results.records import WEAK, Record, RunRecords
from w2s.results.verdicts import best_estimator

__all__ = ["flat_settings", "pictures", "result_html", "template", "write", "write_page"]

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """A figure in the page."""

    name: str
    title: str
    alt: str
    caption: str
    svg: Markup


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """One setting, and where its value came from."""

    name: str
    value: str
    origin: str


def write_page(result: RunRecords, path: str | Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Write the page of a run.

    Args:
        result: A finished run; its tables are read from its folder.
        path: The HTML file; what is there is replaced.
        max_bytes: Of the questions in it. Where they are more, the page shows a sample and says so.

    Returns:
        The file.
    """
    run = read_run(result)
    browser = browser_data(run, max_bytes=max_bytes)
    checked = any(labels.checked for labels in result.labels)
    info = result.info
    page = template("page.html").render(
        title=words.title(result),
        headline=words.headline(result),
        subtitle=_subtitle(result, run),
        diagnoses=[(labels.seed, labels) for labels in result.labels if labels.rows],
        compared=result.compared,
        compared_by_seed=_compared_by_seed(result),
        best_estimator=best_estimator(result.compared),
        same_verdict=len({labels.verdict for labels in result.labels}) == 1,
        supervisors=[shown_supervisors(one, run.texts, run.gold) for one in result.supervisors],
        missing=words.missing(result, checked=checked, answered=browser.total > 0),
        records=result.pooled,
        against=words.against(result),
        guessing=words.guessing_rows([result]),
        told_of_test=words.told_of_test(result),
        by_seed=_by_seed(result),
        several=len(result.experiment.seeds) > 1,
        pgr_notes=sorted({record.pgr_note for record in result.pooled if record.pgr_note}),
        pictures=pictures(all_figures(result, run=run)),
        browser=browser,
        data=Markup(browser.json),  # made safe there
        settings=_settings(result),
        versions=flat_settings(info.get("environment", {})),
        machine=flat_settings(info.get("machine", {})),
        task=flat_settings(info.get("task", {})),
        steps=info.get("steps", []),
        created=info.get("created", ""),
        commands=info.get("commands") or ["w2s run --config experiment.yaml"],
    )
    return write(page, Path(path))


def result_html(result: RunRecords) -> str:
    """The table of a run with its notes, to stand in a notebook."""
    notes = ["Brackets: 95% intervals", *words.told_of_test(result)]
    notes += sorted({f"PGR not defined: {record.pgr_note}" for record in result.pooled if record.pgr_note})
    notes += [f"The weak supervisor: {labels.title}" for labels in result.labels[:1] if labels.rows]
    page: str = template("notebook.html").render(
        records=result.pooled,
        caption=words.title(result),
        against=words.against(result),
        guessing=words.guessing_rows([result]),
        notes=notes,
    )
    return page


def _subtitle(result: RunRecords, run: Run) -> str:
    seeds = len(result.experiment.seeds)
    splits = run.questions[0]["split"].to_pylist()
    counts = [f"{splits.count(name):,} {name}" for name in ("weak_train", "transfer", "test") if name in splits]
    each = ", drawn for each seed" if result.experiment.split_per_seed and counts else ""
    questions = f"; questions: {', '.join(counts)}{each}" if counts else ""
    return f"{seeds} seed{'s' if seeds > 1 else ''}{questions}"


def _by_seed(result: RunRecords) -> list[tuple[int, list[Record]]]:
    """The records of each seed, where there are several."""
    seeds = result.experiment.seeds
    if len(seeds) < 2:
        return []
    return [(seed, [record for record in result.records if record.seed == seed]) for seed in seeds]


def _compared_by_seed(result: RunRecords) -> list[tuple[int, list[ComparedEstimator]]]:
    seeds = result.experiment.seeds
    return [(seed, [record for record in result.estimators if record.seed == seed]) for seed in seeds]


def pictures(figures: Mapping[str, Plot]) -> list[_Picture]:
    """Figures, as the templates take them."""
    return [
        _Picture(
            name=name,
            title=figure.title,
            alt=figure.alt,
            caption=figure.caption,
            svg=Markup(as_page_svg(figure, name)),  # matplotlib escapes its text
        )
        for name, figure in figures.items()
    ]


def _settings(result: RunRecords) -> list[_Setting]:
    origins = result.info.get("origins", {})
    defaults = dict(flat_settings(asdict(Experiment())))
    return [
        _Setting(name=name, value=value, origin=origins.get(name, "default" if defaults.get(name) == value else "set"))
        for name, value in flat_settings(asdict(result.experiment))
    ]


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted names and values in words."""
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            rows += flat_settings(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _value(value)))
    return rows


def _value(value: Any) -> str:
    if value is None or value == {} or value == []:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> Any:
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def template(name: str) -> jinja2.Template:
    """A template, with what all of them use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals.update(
        against_of=words.against,
        share=words.share,
        interval=words.interval,
        pgr_of=words.pgr_of,
        duration=words.duration,
        weak_name=WEAK,
        css=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        js=Markup((_HERE / "page.js").read_text(encoding="utf-8")),
    )
    return environment.get_template(name)


def write(page: str, path: Path) -> Path:
    """Write a page, whole at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, page)
    return path
