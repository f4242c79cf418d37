"""Figures of the methods: how good their students are, what they kept, and how training went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter, NullFormatter

from w2s.report.reading import Run
from w2s.report.style import BLUE, COLOURS, INK, MUTED, ORANGE, PAPER, PERCENT, Plot, plain, styled
from w2s.results.records import Record, RunRecords

__all__ = ["accuracies", "kept", "losses", "pgrs"]

Floats = npt.NDArray[np.float64]

PGR_LOWEST, PGR_HIGHEST = -0.6, 1.6  # an interval that goes further gets an arrow; the others stay legible
MOST_POINTS = 400  # of a curve: more cannot be seen, and make the page large


@styled
def accuracies(result: RunRecords) -> Plot:
    """Test accuracy of every method with its interval; seeds as small marks."""
    records = result.pooled
    plot, axes = _rows([_name(record) for record in records])
    several = len(result.experiment.seeds) > 1
    for row, record in enumerate(records):
        reach = _ends(record.accuracy, record.accuracy_low, record.accuracy_high)
        _dot(axes, row, record.accuracy, *reach, hollow=record.uses_gold)
        if several:
            own = [other.accuracy for other in result.records if other.method == record.method]
            axes.plot(own, [row + 0.26] * len(own), "|", color=MUTED, ms=5)
        _value(axes, row, f"{record.accuracy:.3f}")
    for record in records:
        if record.role in ("supervisor", "bound"):
            axes.axvline(record.accuracy, color=MUTED, lw=1, ls=(0, (4, 2)), zorder=0)
    axes.set_xlabel("accuracy on the test questions")
    axes.xaxis.set_major_formatter(PERCENT)
    told = ", ".join(f"{record.method} {record.accuracy:.3f}" for record in records)
    return plot.describe(
        title="Accuracy",
        alt=f"Test accuracy: {told}.",
        caption=f"95% intervals. Dashed: the weak supervisor and the ceiling.{_marks(records, several)}",
    )


@styled
def pgrs(result: RunRecords) -> Plot:
    """PGR of every method with its interval; where it is not defined, the figure says so."""
    records = _with_pgr(result)
    plot, axes = _rows([_name(record) for record in records])
    ends = [value for record in records for value in (record.pgr, record.pgr_low, record.pgr_high) if value is not None]
    low = max(PGR_LOWEST, min([0.0, *ends]) - 0.08)
    high = min(PGR_HIGHEST, max([1.0, *ends]) + 0.08)
    axes.set_xlim(low, high)
    for row, record in enumerate(records):
        if record.pgr is None:
            axes.text((low + high) / 2, row, "not defined", ha="center", va="center", style="italic", color=MUTED)
            continue
        reach = _ends(record.pgr, record.pgr_low, record.pgr_high)
        _dot(axes, row, record.pgr, *reach, hollow=record.uses_gold, limits=(low, high))
        _value(axes, row, f"{record.pgr:.2f}".replace("-", "−"))
    for value in (0, 1):
        axes.axvline(value, color=MUTED, lw=1, ls=(0, (4, 2)), zorder=0)
    axes.set_xlabel("PGR (0 weak supervisor, 1 ceiling)")
    told = [f"{record.method} {'not defined' if record.pgr is None else f'{record.pgr:.2f}'}" for record in records]
    notes = {record.pgr_note for record in records if record.pgr_note}
    why = f" Not defined where {'; '.join(sorted(notes))}." if notes else ""
    return plot.describe(
        title="Performance gap recovered",
        alt=f"PGR: {', '.join(told)}.",
        caption=f"95% intervals; an arrow goes on beyond the picture.{_marks(records, False)}{why}",
    )


@styled
def kept(result: RunRecords) -> Plot:
    """How many examples each method trained on, and how many of their labels are right."""
    records = [record for record in result.pooled if record.rows and record.role != "supervisor"]
    plot = Plot(figsize=(5.0, 0.8 + 0.3 * len(records)))
    left, right = plot.subplots(1, 2, sharey=True, width_ratios=[1, 1.1])
    for row, record in enumerate(records):
        left.barh(row, record.rows, height=0.6, color="none" if record.uses_gold else BLUE, edgecolor=BLUE)
        left.annotate(f"{record.rows:,.0f}", (record.rows, row), (3, 0), textcoords="offset points", va="center",
                      fontsize=8)  # fmt: skip
        if record.label_accuracy is None:
            right.text(0.5, row, "not known", transform=right.get_yaxis_transform(), ha="center", va="center",
                       style="italic", color=MUTED)  # fmt: skip
            continue
        fill = "none" if record.uses_gold else ORANGE
        right.plot(record.label_accuracy, row, "o", ms=6, color=ORANGE, mfc=fill)
        weighted = record.label_accuracy_weighted
        if weighted is not None and abs(weighted - record.label_accuracy) >= 0.0005:
            right.plot([record.label_accuracy, weighted], [row, row], color=ORANGE, lw=1)
            right.plot(weighted, row, "D", ms=5, color=ORANGE)
        right.annotate(f"{record.label_accuracy if weighted is None else weighted:.3f}", (1.02, row),
                       xycoords=right.get_yaxis_transform(), va="center", fontsize=8)  # fmt: skip
    _name_rows(left, [_name(record) for record in records])
    left.set_xlim(0, max(record.rows for record in records) * 1.3)
    left.set_xlabel("examples")
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    left.locator_params(axis="x", nbins=3)
    right.tick_params(axis="y", length=0)
    right.set_xlabel("share of labels right")
    right.xaxis.set_major_formatter(PERCENT)
    right.locator_params(axis="x", nbins=4)
    right.margins(x=0.1)
    right.grid(axis="x")
    told = [
        f"{record.method} {record.rows:,.0f} examples, "
        + ("labels not checked" if record.label_accuracy is None else f"{record.label_accuracy:.3f} right")
        for record in records
    ]
    weighs = any(record.label_accuracy_weighted != record.label_accuracy for record in records)
    diamond = " Diamond: each example counted by its weight." if weighs else ""
    return plot.describe(
        title="What each method kept",
        alt=f"{'; '.join(told)}.",
        caption=f"Examples that the student was trained on, and how many of their labels are right.{diamond}"
        f"{_marks(records, False)}",
    )


@styled
def losses(run: Run) -> Plot:
    """Training losses: the raw ones faint, their running mean on top; held-out losses as dots."""
    names = [name for name in run.labels if any(name in seed.losses for seed in run.seeds)]
    plot = Plot(figsize=(4.8, 3.3))
    axes = plot.add_subplot()
    told, smooth = [], []
    for number, name in enumerate(names):
        colour, line = COLOURS[number % len(COLOURS)], ("-", "--", ":", "-.")[number // len(COLOURS) % 4]
        ends: list[float] = []
        for seed in run.seeds:
            if name not in seed.losses:
                continue
            found = seed.losses[name]
            mean = _running_mean(found.loss)
            every = slice(None, None, -(-len(mean) // MOST_POINTS))
            axes.plot(found.step[every], found.loss[every], color=colour, lw=0.5, alpha=0.3)
            axes.plot(found.step[every], mean[every], line, color=colour, label=plain(name) if not ends else None)
            axes.plot(found.eval_step, found.eval_loss, "o", color=colour, ms=3.5)
            ends.append(float(mean[-1]))
            smooth.append(mean[np.isfinite(mean) & (mean > 0)])
        told.append(f"{name} {np.mean(ends):.2f}")
    _log_scale(axes, np.concatenate(smooth))
    axes.set(xlabel="optimizer step", ylabel="training loss")
    axes.set_xlim(left=0)
    axes.grid()
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8, columnspacing=1.2)
    return plot.describe(
        title="Training loss",
        alt=f"Smoothed training loss at the end: {', '.join(told)}.",
        caption="Running mean over a tenth of the steps, raw losses faint; one line a seed. Dots: held-out loss.",
    )


def _log_scale(axes: Any, values: Floats) -> None:
    """A log scale that shows the smoothed curves: single raw losses near zero would squeeze them."""
    if not len(values):
        return
    axes.set_yscale("log")
    axes.set_ylim(float(np.quantile(values, 0.01)) * 0.7, float(values.max()) * 1.3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if values.max() / values.min() < 20:
        axes.yaxis.set_minor_formatter(FuncFormatter(_sparse_minor))
    else:
        axes.yaxis.set_minor_formatter(NullFormatter())


def _sparse_minor(value: float, _: int) -> str:
    """Labels at 2 and 5 only, so that they do not overlap."""
    first = f"{value:.1e}"[0]
    return f"{value:g}" if first in "25" else ""


def _running_mean(values: Floats) -> Floats:
    """Mean over a window around each value that is shorter at the ends, (steps,); nan where a loss was."""
    half = max(1, len(values) // 20)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    start, end = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    mean: Floats = (sums[end] - sums[start]) / (end - start)
    return mean


def _with_pgr(result: RunRecords) -> list[Record]:
    """The records that a PGR is asked of: it is 0 for the weak supervisor and 1 for the ceiling by definition."""
    return [record for record in result.pooled if record.role not in ("supervisor", "bound")]


def _rows(names: Sequence[str]) -> tuple[Plot, Any]:
    """An axes with one row a name, the first on top."""
    plot = Plot(figsize=(4.8, 0.85 + 0.32 * len(names)))
    axes = plot.add_subplot()
    _name_rows(axes, names)
    axes.grid(axis="x")
    return plot, axes


def _name_rows(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _ends(value: float, low: float | None, high: float | None) -> tuple[float, float]:
    """The ends of an interval, or the value itself where there is none."""
    return value if low is None else low, value if high is None else high


def _dot(
    axes: Any,
    row: int,
    value: float,
    low: float,
    high: float,
    *,
    hollow: bool,
    limits: tuple[float, float] | None = None,
) -> None:
    start, end = limits or (low, high)
    axes.plot([max(low, start), min(high, end)], [row, row], color=BLUE, lw=1.6, solid_capstyle="butt")
    if low < start:
        axes.plot(start + 0.03 * (end - start), row, "<", color=BLUE, ms=6)
    if high > end:
        axes.plot(end - 0.03 * (end - start), row, ">", color=BLUE, ms=6)
    if start <= value <= end:
        axes.plot(value, row, "o", ms=6.5, color=BLUE, mfc=PAPER if hollow else BLUE, mew=1.4)


def _value(axes: Any, row: int, text: str) -> None:
    """The number at the right border, where nothing else is."""
    axes.annotate(text, (1.02, row), xycoords=axes.get_yaxis_transform(), va="center", fontsize=8.5, color=INK)


def _name(record: Record) -> str:
    return plain(record.method) + (" *" if record.uses_gold else "")


def _marks(records: Sequence[Record], several: bool) -> str:
    marks = " * (hollow): trained on ground truth." if any(record.uses_gold for record in records) else ""
    return marks + (" Small strokes: single seeds." if several else "")
