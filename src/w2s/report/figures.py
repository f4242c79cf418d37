"""The figures of a run: the paper's, and those that a reviewer asks for.

    run = read_run(RunRecords.load("runs/latest"))
    entropy_histogram(run).savefig("figure3.pdf")

Each figure is a `Plot`: a matplotlib figure with a title, a caption and an alt text. None touches pyplot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from w2s.report.label_figures import calibration, estimators, positions, risk_coverage_curves
from w2s.report.method_figures import accuracies, kept, losses, pgrs
from w2s.report.paper_figures import confidence_heat_map, entropy_histogram, has_classes
from w2s.report.reading import Run, read_run
from w2s.report.style import Plot, save
from w2s.results.records import RunRecords

__all__ = [
    "Plot",
    "accuracies",
    "all_figures",
    "calibration",
    "confidence_heat_map",
    "entropy_histogram",
    "estimators",
    "has_classes",
    "kept",
    "losses",
    "pgrs",
    "positions",
    "read_run",
    "risk_coverage_curves",
    "save_figures",
    "write_figures",
]


def all_figures(result: RunRecords, *, run: Run | None = None) -> dict[str, Plot]:
    """The figures that make sense for a run, by name, in the order in which one would read them.

    Args:
        result: A finished run.
        run: Its files, where they have been read already.
    """
    run = run or read_run(result)
    figures = {}
    methods = [record for record in result.pooled if record.role != "supervisor"]
    if result.pooled:
        figures["accuracy"] = accuracies(result)
    if any(record.role != "bound" and record.pgr is not None for record in methods):
        figures["pgr"] = pgrs(result)
    elif any(record.role == "bound" for record in methods) and len(methods) > 1:
        figures["pgr"] = pgrs(result)  # none is defined, which is a finding: a ceiling was asked for
    if any(record.rows for record in methods):
        figures["kept"] = kept(result)
    answers = run.answers
    if len(answers):
        figures["entropy"] = entropy_histogram(run)
    if answers.known.any():
        if has_classes(run):
            figures["reliability"] = confidence_heat_map(run)
        figures["risk-coverage"] = risk_coverage_curves(run)
        figures["calibration"] = calibration(run)
    if len(result.compared) > 1:
        figures["estimators"] = estimators(result.compared)
    if any(labels.position for labels in result.labels):
        figures["positions"] = positions(result.labels)
    if any(seed.losses for seed in run.seeds):
        figures["loss"] = losses(run)
    return figures


def save_figures(result: RunRecords, folder: str | Path, *, before: Callable[[Path], object] = str) -> list[Path]:
    """Write every figure of a run as `NAME.svg` and `NAME.png`.

    Args:
        result: A finished run.
        folder: Where they go; it is made where it is missing.
        before: Is told each file before it is written.

    Returns:
        The files.
    """
    return write_figures(all_figures(result), folder, before=before)


def write_figures(
    figures: Mapping[str, Plot], folder: str | Path, *, before: Callable[[Path], object] = str
) -> list[Path]:
    """Write figures as `NAME.svg` and `NAME.png`; see `save_figures`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        for suffix in (".svg", ".png"):
            paths.append(folder / f"{name}{suffix}")
            before(paths[-1])
            save(figure, paths[-1])
    return paths
