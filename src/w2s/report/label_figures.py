"""Figures of the weak supervisor's answers: how right they are, and what their agreement tells of that."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

from w2s.metrics import accuracy_interval, risk_coverage
from w2s.report.reading import Answers, Run
from w2s.report.style import BLUE, COLOURS, GREEN, INK, MUTED, ORANGE, PERCENT, Plot, plain, styled
from w2s.results.comparison import CURVE, ComparedEstimator
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.guessing import fixed_classes

__all__ = [
    "calibration",
    "confidence_heat_map",
    "entropy_histogram",
    "estimators",
    "has_classes",
    "positions",
    "risk_coverage_curves",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_BARS = 10  # of a histogram: more distinct values are put into as many ranges
MOST_CELLS = 8  # of a heat map, a side: more would not be legible at half a page's width
UNPARSED = "unparsed"
_STYLES = (("-", "o", BLUE), ("--", "s", ORANGE), (":", "^", GREEN), ("-.", "D", COLOURS[3]), ("-", "v", COLOURS[4]))
_SCALE = ("#e6f0f8", "#6aaedb", "#06457a")


@styled
def entropy_histogram(run: Run) -> Plot:
    """For each entropy the number of right and wrong weak answers, the accuracy above the bar.

    Figures 3 and 5 of Guo and Yang (2024). Without ground truth the number of answers, their share above.
    """
    answers = run.answers
    checked = bool(answers.known.any())
    entropy = answers.entropy[answers.known] if checked else answers.entropy
    names, level = _levels(entropy)
    total = np.bincount(level, minlength=len(names))
    right = np.bincount(level, weights=answers.correct[answers.known], minlength=len(names)) if checked else total
    rate = np.divide(right, total, out=np.zeros(len(names)), where=total > 0) if checked else total / len(level)
    above = [(f"{value:.2f}" if checked else f"{value:.0%}") if n else "" for value, n in zip(rate, total, strict=True)]

    plot, axes = _one_axes(4.6, 3.1)
    x = np.arange(len(names))
    axes.bar(x, right, width=0.74, color=BLUE)
    if checked:
        axes.bar(x, total - right, width=0.74, bottom=right, color=ORANGE, hatch="////", edgecolor="white", lw=0)
        handles = [axes.containers[0], axes.containers[1]]
        labels = ["right weak answers", "wrong ones"]
        axes.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
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
    return plot.describe(
        title="Right and wrong answers by entropy" if checked else "Answers by entropy",
        alt=f"{'Accuracy' if checked else 'Share'} of {len(level):,} weak answers by entropy: {told}.",
        caption=(
            "Entropy is 0 where all variations of a question got the same answer. "
            + ("Above each bar: the share of its answers that are right." if checked else "Above each bar: its share.")
        ),
    )


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
    answers = run.answers
    table = _cells(answers, run)
    mean = np.divide(table.total, table.number, out=np.full(table.number.shape, np.nan), where=table.number > 0)
    rows, columns = mean.shape
    plot, axes = _one_axes(max(3.6, 1.6 + 0.72 * columns), max(1.5, 1.0 + 0.5 * rows))
    colours = LinearSegmentedColormap.from_list("confidence", _SCALE)
    floor = min(0.8, np.floor(np.nanmin(mean) * 10) / 10)
    for (row, column), value in np.ndenumerate(mean):
        empty = bool(np.isnan(value))
        colour = "none" if empty else to_hex(colours((value - floor) / (1 - floor)))
        axes.add_patch(_cell(row, column, colour))
        ink = MUTED if empty else _ink_on(colour)
        style = {"ha": "center", "va": "center", "color": ink}
        axes.text(column, row if empty else row - 0.12, "–" if empty else f"{value:.2f}", **style)
        if not empty:
            axes.text(column, row + 0.24, f"n={int(table.number[row, column]):,}", fontsize=6.5, **style)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), ylabel=table.row_name, xlabel=table.column_name)
    axes.set_xticks(range(columns), [plain(name, 14) for name in table.columns], rotation=30 if table.long else 0)
    axes.set_yticks(range(rows), [plain(name, 14) for name in table.rows] if rows > 1 else [""])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    right = float(answers.confidence[answers.correct].mean()) if answers.correct.any() else float("nan")
    wrong_rows = answers.known & ~answers.correct
    wrong = float(answers.confidence[wrong_rows].mean()) if wrong_rows.any() else float("nan")
    return plot.describe(
        title="Mean confidence, weak label against ground truth",
        alt=f"Mean confidence is {right:.2f} for right answers and {wrong:.2f} for wrong ones.",
        caption=f"{table.note} Darker is more trusted; n is the number of answers.",
    )


@styled
def risk_coverage_curves(run: Run) -> Plot:
    """Error rate of the most trusted answers, as more and more are taken; random and oracle as bounds."""
    answers = run.answers
    known, correct = answers.known, answers.correct[answers.known]
    error = 1 - float(correct.mean())
    plot, axes = _one_axes(4.6, 3.2)
    told = []
    for number, (name, score) in enumerate(answers.scores.items()):
        line, marker, colour = _STYLES[number % len(_STYLES)]
        curve = risk_coverage(score[known], correct)
        # Answers of the same score come in any order, so up to the first level the error is that level's.
        coverage, risk = np.r_[0, curve.coverage], 1 - np.r_[curve.accuracy[0], curve.accuracy]
        size = 3.5 if len(coverage) < 30 else 0
        axes.plot(
            coverage,
            risk,
            line,
            marker=marker,
            markevery=slice(1, None),
            ms=size,
            color=colour,
            label=name.replace("_", " "),
        )
        told.append(f"{name} {1 - curve.area:.2f}")
    axes.axhline(error, color=MUTED, lw=1, ls=(0, (4, 2)), label="random")
    share = np.linspace(0, 1, 201)
    axes.plot(share, np.maximum(0, 1 - (1 - error) / np.maximum(share, 1e-9)), color=INK, lw=1, label="oracle")
    axes.set(
        xlim=(0, 1.01), xlabel="share of the answers taken, most trusted first", ylabel="error rate of those taken"
    )
    axes.set_ylim(0, max(error * 1.15, 0.05))
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.grid()
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return plot.describe(
        title="Risk and coverage",
        alt=f"Mean error rate over all coverages: {', '.join(told)}; random {error:.2f}.",
        caption="Lower is better. The oracle takes all right answers first; random takes them in any order.",
    )


@styled
def estimators(compared: Sequence[ComparedEstimator]) -> Plot:
    """Error rate of the most confident answers by each estimator, as more and more are taken."""
    plot, axes = _one_axes(4.6, 3.2)
    for number, record in enumerate(compared):
        line, marker, _ = _STYLES[number % len(_STYLES)]
        label = f"{record.estimator} (of the run)" if record.own else record.estimator
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(
            CURVE, record.risk, line, marker=marker, ms=3, color=colour, label=label, lw=2.2 if record.own else 1.4
        )
    axes.set(xlim=(0, 1.01), xlabel="share of the answers taken, most confident first")
    axes.set(ylim=(0, None), ylabel="error rate of those taken")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.grid()
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    told = ", ".join(f"{record.estimator} {record.aurc.estimate:.2f}" for record in compared)
    return plot.describe(
        title="Estimators on the same answers",
        alt=f"Mean error rate over all coverages: {told}.",
        caption=(
            "Lower is better. These lines need ground truth: they say which estimator would have been best, and are no "
            "way to choose that of this run."
        ),
    )


@styled
def calibration(run: Run) -> Plot:
    """Share of right answers by confidence. Each distinct answer to a question counts once."""
    answers = run.answers
    score, correct = _distinct(answers)
    values = np.unique(np.round(score, 6))
    if len(values) > MOST_BARS:
        edges = np.unique(np.quantile(score, np.linspace(0, 1, MOST_BARS + 1)))
        level = np.clip(np.searchsorted(edges, score, "right") - 1, 0, max(len(edges) - 2, 0))
    else:
        level = np.searchsorted(values, np.round(score, 6))
    plot, axes = _one_axes(4.0, 3.4)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 2)), label="as often right as confident")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
    gap, told = 0.0, []
    for number in np.unique(level):
        own = level == number
        interval, at = accuracy_interval(correct[own]), float(score[own].mean())
        axes.vlines(at, interval.low, interval.high, color=BLUE, lw=1.2)
        axes.scatter(at, interval.estimate, s=14 + 130 * float(own.mean()), color=BLUE, zorder=3, lw=0)
        gap += float(own.mean()) * abs(at - interval.estimate)
        told.append(f"{interval.estimate:.2f} at {at:.2f}")
    axes.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel="confidence of an answer", ylabel="share that is right")
    axes.set_aspect("equal")
    axes.grid()
    return plot.describe(
        title="Calibration of the confidence",
        alt=f"Share of right answers by confidence: {', '.join(told)}. Mean distance from it {gap:.2f}.",
        caption=(
            "A confidence need not be a probability, but it should rise with one. Below the line the supervisor is "
            f"trusted too much. Mean distance {gap:.2f}; bars are 95% intervals; larger dots stand for more answers."
        ),
    )


@styled
def positions(diagnoses: Sequence[WeakLabelSummary]) -> Plot:
    """Share of the answers by the position of the chosen option, one series a seed."""
    plot, axes = _one_axes(4.2, 2.8)
    told = []
    shown = [(found.seed, found.position) for found in diagnoses if found.position]
    for number, (seed, bias) in enumerate(shown):
        shift = (number - (len(shown) - 1) / 2) * 0.12
        for position in bias.positions:
            axes.vlines(
                position.position + 1 + shift,
                position.share.low,
                position.share.high,
                color=COLOURS[number % 8],
                lw=1.4,
            )
        x = [position.position + 1 + shift for position in bias.positions]
        shares = [position.share.estimate for position in bias.positions]
        axes.plot(x, shares, "o", ms=5, color=COLOURS[number % 8], label=f"seed {seed}")
        told.append(", ".join(f"{share:.0%} in position {index + 1}" for index, share in enumerate(shares)))
    bias = max((bias for _, bias in shown), key=lambda bias: len(bias.positions))
    for position in bias.positions:
        axes.hlines(
            position.expected, position.position + 0.6, position.position + 1.4, color=MUTED, lw=1, ls=(0, (4, 2))
        )
    axes.set_xticks([position.position + 1 for position in bias.positions])
    axes.set_xlim(0.5, len(bias.positions) + 0.5)
    highest = max(position.share.high for _, found in shown for position in found.positions)
    axes.set_ylim(0, min(1.02, max(highest * 1.15, 1.6 * bias.positions[0].expected)))
    axes.set(xlabel="position of the chosen option in the prompt", ylabel="share of the answers")
    axes.yaxis.set_major_formatter(PERCENT)
    axes.grid(axis="y")
    if len(shown) > 1:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return plot.describe(
        title="Answers by position of the option",
        alt=f"Share of the answers: {'; '.join(told)}.",
        caption="Dashed: the share that a position would get if position made no difference. Bars are 95% intervals.",
    )


class _Table(NamedTuple):
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


def _cells(answers: Answers, run: Run) -> _Table:
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
        return _Table(total, count, [""], ["right", "wrong"], "", "weak answer", note)
    height = len(names) + (len(names) in rows)
    shape = (height, len(names))
    cell = np.ravel_multi_index((np.array(rows), np.array(columns)), shape)
    count = np.bincount(cell, minlength=height * len(names)).reshape(shape)
    total = np.bincount(cell, weights=confidence, minlength=height * len(names)).reshape(shape)
    return _Table(total, count, [*names, UNPARSED][:height], names, "weak label", "ground truth", note)


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


def _distinct(answers: Answers) -> tuple[Floats, Bools]:
    """Confidence and correctness of each distinct answer to each question with ground truth."""
    rows = np.flatnonzero(answers.known)
    first = {(answers.question[row], answers.label[row]): row for row in rows[::-1]}
    own = np.array(sorted(first.values()), np.int64)
    return answers.confidence[own], answers.correct[own]


def _one_axes(width: float, height: float) -> tuple[Plot, Any]:
    plot = Plot(figsize=(width, height))
    return plot, plot.add_subplot()


def _cell(row: int, column: int, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    edge = "none" if colour != "none" else MUTED
    return Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, edgecolor=edge, lw=0.5)


def _ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour; a shade off, since the page leaves both as they are."""
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04 else c / 12.92 for c in to_rgb(colour)]
    luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return "#000001" if luminance > 0.18 else "#fffffe"  # where both have a contrast of 4.6
