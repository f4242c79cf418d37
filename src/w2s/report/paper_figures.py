"""The figures of Guo and Yang (arXiv 2406.19032), of one run; and over a study, a panel a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

from w2s.report.reading import Run
from w2s.report.style import BLUE, MOST_BARS, MUTED, ORANGE, Plot, one_axes, plain, styled
from w2s.results.guessing import fixed_classes

__all__ = ["confidence_heat_map", "entropy_histogram", "has_classes", "study_confidences", "study_entropies"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_CELLS = 8  # of a heat map, a side: more would not be legible at half a page's width
MOST_PANELS = 12  # of a figure over a study
UNPARSED = "unparsed"
_SCALE = ("#e6f0f8", "#6aaedb", "#06457a")


@styled
def entropy_histogram(run: Run) -> Plot:
    """For each entropy the number of right and wrong weak answers, the accuracy above the bar.

    Figures 3 and 5 of Guo and Yang (2024). Without ground truth the number of answers, their share above.
    """
    plot, axes = one_axes(4.6, 3.1)
    checked = bool(run.answers.known.any())
    told = draw_entropies(axes, run)
    if checked:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return plot.describe(
        title="Right and wrong answers by entropy" if checked else "Answers by entropy",
        alt=told,
        caption=ENTROPIES[checked],
    )


ENTROPIES = {
    right: f"Entropy is 0 where all variations of a question got the same answer. Above each bar: {above}"
    for right, above in ((True, "the share of its answers that are right."), (False, "its share."))
}
"""How to read the bars, by whether ground truth is known."""


def draw_entropies(axes: Any, run: Run) -> str:
    """Draw the bars of `entropy_histogram`, and tell them in a sentence."""
    answers = run.answers
    checked = bool(answers.known.any())
    entropy = answers.entropy[answers.known] if checked else answers.entropy
    names, level = _levels(entropy)
    total = np.bincount(level, minlength=len(names))
    right = np.bincount(level, weights=answers.correct[answers.known], minlength=len(names)) if checked else total
    rate = np.divide(right, total, out=np.zeros(len(names)), where=total > 0) if checked else total / len(level)
    above = [(f"{value:.2f}" if checked else f"{value:.0%}") if n else "" for value, n in zip(rate, total, strict=True)]

    x = np.arange(len(names))
    axes.bar(x, right, width=0.74, color=BLUE, label="right weak answers")
    if checked:
        style = {"color": ORANGE, "hatch": "////", "edgecolor": "white", "lw": 0}
        axes.bar(x, total - right, width=0.74, bottom=right, label="wrong ones", **style)
    for position, count, text in zip(x, total, above, strict=True):
        axes.annotate(text, (position, count), (0, 2.5), textcoords="offset points", ha="center", fontsize=8.5)
    if max(map(len, names)) > 5:
        axes.set_xticks(x, names, rotation=35, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(x, names)
    axes.set_xlabel("entropy of a question's answers (nats)")
    axes.set_ylabel("answers")
    axes.set_ylim(0, total.max() * 1.14)
    axes.grid(axis="y")
    told = ", ".join(f"{value} at {name}" for name, value in zip(names, above, strict=True) if value)
    return f"{'Accuracy' if checked else 'Share'} of {len(level):,} weak answers by entropy: {told}."


def has_classes(run: Run) -> bool:
    """Whether all questions choose from the same few classes: a heat map of options by number says nothing."""
    truths = {run.answers.question_id[row]: str(run.answers.truth[row]) for row in np.flatnonzero(run.answers.known)}
    classes = fixed_classes([run.choices.get(id, []) for id in truths], list(truths.values()))
    return classes is not None and len(classes) <= MOST_CELLS


@styled
def confidence_heat_map(run: Run) -> Plot:
    """Mean confidence, weak label × ground truth: figures 4 and 6 of Guo and Yang (2024).

    Answers of a fixed small set stand for themselves; options that differ from question to question are
    numbered as the data lists them; free answers are only right or wrong.
    """
    table = confidences(run)
    rows, columns = table.number.shape
    plot, axes = one_axes(max(3.6, 1.6 + 0.72 * columns), max(1.5, 1.0 + 0.5 * rows))
    told = draw_confidences(axes, run, table)
    return plot.describe(
        title="Mean confidence, weak label against ground truth",
        alt=told,
        caption=f"{table.note} Darker is more trusted; n is the number of answers.",
    )


def draw_confidences(axes: Any, run: Run, table: Confidences) -> str:
    """Draw the cells of `confidence_heat_map`, and tell them in a sentence."""
    answers = run.answers
    mean = np.divide(table.total, table.number, out=np.full(table.number.shape, np.nan), where=table.number > 0)
    rows, columns = mean.shape
    colours = LinearSegmentedColormap.from_list("confidence", _SCALE)
    floor = min(0.8, np.floor(np.nanmin(mean) * 10) / 10)
    for (row, column), value in np.ndenumerate(mean):
        empty = bool(np.isnan(value))
        colour = "none" if empty else to_hex(colours((value - floor) / (1 - floor)))
        axes.add_patch(_cell(row, column, colour))
        ink = MUTED if empty else _ink_on(colour)
        style = {"ha": "center", "va": "center", "color": ink, "textcoords": "offset points"}
        axes.annotate("–" if empty else f"{value:.2f}", (column, row), (0, 0 if empty else 4), **style)
        if not empty:
            axes.annotate(f"n={int(table.number[row, column]):,}", (column, row), (0, -8.5), fontsize=6.5, **style)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), ylabel=table.row_name, xlabel=table.column_name)
    axes.set_xticks(range(columns), [plain(name, 14) for name in table.columns], rotation=30 if table.long else 0)
    axes.set_yticks(range(rows), [plain(name, 14) for name in table.rows] if rows > 1 else [""])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    right = float(answers.confidence[answers.correct].mean()) if answers.correct.any() else float("nan")
    wrong_rows = answers.known & ~answers.correct
    wrong = float(answers.confidence[wrong_rows].mean()) if wrong_rows.any() else float("nan")
    return f"Mean confidence is {right:.2f} for right answers and {wrong:.2f} for wrong ones."


@styled
def study_entropies(supervisor: str, runs: Mapping[str, Run]) -> Plot:
    """`entropy_histogram` of several runs of one supervisor, a panel each.

    Args:
        supervisor: Whose answers they are.
        runs: By the titles of their panels.
    """
    shown, left_out = _shown(runs)
    columns, rows = _grid(len(shown))
    plot = Plot(figsize=(3.6 * columns, 0.5 + 2.7 * rows))
    told: list[str] = []
    handles: dict[str, Any] = {}
    for axes, (name, run) in zip(_panels(plot, rows, columns, shown), shown.items(), strict=True):
        told.append(f"{name}: {draw_entropies(axes, run)}")
        found, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True)) if run.answers.known.any() else {}
    if handles:
        plot.legend(handles=list(handles.values()), loc="outside upper center", ncols=2)
    return plot.describe(
        title=f"Right and wrong answers by entropy: {supervisor}",
        alt=" ".join(told),
        caption=ENTROPIES[all(run.answers.known.any() for run in shown.values())] + left_out,
    )


@styled
def study_confidences(supervisor: str, runs: Mapping[str, Run]) -> Plot:
    """`confidence_heat_map` of several runs of one supervisor, a panel each.

    Args:
        supervisor: Whose answers they are.
        runs: By the titles of their panels; all have ground truth.
    """
    shown, left_out = _shown(runs)
    tables = [confidences(run) for run in shown.values()]
    columns, rows = _grid(len(shown))
    wide, high = (max(table.number.shape[side] for table in tables) for side in (1, 0))
    plot = Plot(figsize=(columns * max(3.0, 1.5 + 0.6 * wide), rows * max(1.6, 1.1 + 0.46 * high)))
    told = []
    for axes, table, (name, run) in zip(_panels(plot, rows, columns, shown), tables, shown.items(), strict=True):
        told.append(f"{name}: {draw_confidences(axes, run, table)}")
    notes = " ".join(dict.fromkeys(table.note for table in tables))
    return plot.describe(
        title=f"Mean confidence, weak label against ground truth: {supervisor}",
        alt=" ".join(told),
        caption=f"{notes} Darker is more trusted; n is the number of answers.{left_out}",
    )


def _shown(runs: Mapping[str, Run]) -> tuple[dict[str, Run], str]:
    """The runs that have a panel, and a sentence on those that have none."""
    names = list(runs)
    left_out = f" Not shown: {', '.join(names[MOST_PANELS:])}." if len(names) > MOST_PANELS else ""
    return {name: runs[name] for name in names[:MOST_PANELS]}, left_out


def _grid(panels: int) -> tuple[int, int]:
    columns = 1 if panels == 1 else 2 if panels <= 4 else 3
    return columns, math.ceil(panels / columns)


def _panels(plot: Plot, rows: int, columns: int, names: Sequence[str] | Mapping[str, Run]) -> list[Any]:
    """The axes of the panels, titled; a place that is left stays empty."""
    places = plot.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(places, names, strict=False):
        axes.set_title(plain(name), fontsize=10)
    for axes in places[len(names) :]:
        axes.set_axis_off()
    return list(places[: len(names)])


class Confidences(NamedTuple):
    """Sums of confidence and numbers of answers, (rows, columns), and what rows and columns are."""

    total: npt.NDArray[Any]
    number: Ints
    rows: list[str]
    columns: list[str]
    row_name: str
    column_name: str
    note: str

    @property
    def long(self) -> bool:
        return max(map(len, self.columns)) > 8


def confidences(run: Run) -> Confidences:
    """The weak answers, by label and truth."""
    answers = run.answers
    known = np.flatnonzero(answers.known)
    truth = [str(answers.truth[row]) for row in known]
    # A right answer of several stands where the first of them does.
    label = [answers.truth[row] if answers.correct[row] else answers.label[row] for row in known]
    confidence = answers.confidence[known]
    choices = [run.choices.get(answers.question_id[row], []) for row in known]
    distinct = {*truth, *(answer for answer in label if answer is not None)}
    if len(distinct) <= MOST_CELLS:
        names = sorted(distinct)
        number = {name: index for index, name in enumerate(names)}
        rows = [number.get(answer, len(names)) if answer is not None else len(names) for answer in label]
        columns = [number[answer] for answer in truth]
        note = "Each answer against the right one."
    elif max(map(len, choices)) <= MOST_CELLS and all(map(_in, truth, choices)):
        size = max(map(len, choices))
        names = [str(number + 1) for number in range(size)]
        # An answer that is none of the options counts as unparsed.
        rows = [own.index(answer) if answer in own else size for answer, own in zip(label, choices, strict=True)]
        columns = [own.index(answer) for answer, own in zip(truth, choices, strict=True)]
        note = "Options are numbered as the data lists them."
    else:
        right = answers.correct[known].astype(int)
        count = np.bincount(right, minlength=2)[None, ::-1]
        total = np.bincount(right, weights=confidence, minlength=2)[None, ::-1]
        note = "Answers are free, so they are only right or wrong."
        return Confidences(total, count, [""], ["right", "wrong"], "", "weak answer", note)
    height = len(names) + (len(names) in rows)
    shape = (height, len(names))
    cell = np.ravel_multi_index((np.array(rows), np.array(columns)), shape)
    count = np.bincount(cell, minlength=height * len(names)).reshape(shape)
    total = np.bincount(cell, weights=confidence, minlength=height * len(names)).reshape(shape)
    return Confidences(total, count, [*names, UNPARSED][:height], names, "weak label", "ground truth", note)


def _in(answer: str, choices: list[str]) -> bool:
    return answer in choices


def _levels(values: Floats) -> tuple[list[str], Ints]:
    """Names of the distinct values, or of ranges where there are too many, and each row's number."""
    distinct, level = np.unique(values, return_inverse=True)
    if len(distinct) <= MOST_BARS:
        return [f"{value:.2f}".replace("0.00", "0") for value in distinct], level.astype(np.int64)
    edges = np.linspace(0, float(values.max()), MOST_BARS)
    # Unanimous questions are a bar of their own, whatever the ranges.
    level = np.where(values == 0, 0, np.clip(np.searchsorted(edges, values, "left"), 1, MOST_BARS - 1))
    ranges = [f"{low:.2f}–{high:.2f}" for low, high in pairwise(edges)]
    return ["0", *ranges], level.astype(np.int64)


def _cell(row: int, column: int, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    edge = "none" if colour != "none" else MUTED
    return Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, edgecolor=edge, lw=0.5)


def _ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour; a shade off, since the page leaves both as they are."""
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04 else c / 12.92 for c in to_rgb(colour)]
    luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return "#000001" if luminance > 0.18 else "#fffffe"  # where both have a contrast of 4.6
