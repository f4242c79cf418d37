"""Figures of the weak supervisor's answers: how far trust in them is right, and where they lean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from w2s.metrics import accuracy_interval, risk_coverage
from w2s.report.reading import Answers, Run
from w2s.report.style import BLUE, COLOURS, GREEN, INK, MOST_BARS, MUTED, ORANGE, PERCENT, Plot, one_axes, styled
from w2s.results.comparison import CURVE, ComparedEstimator
from w2s.results.diagnosis import WeakLabelSummary

__all__ = ["calibration", "estimators", "positions", "risk_coverage_curves"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STYLES = (("-", "o", BLUE), ("--", "s", ORANGE), (":", "^", GREEN), ("-.", "D", COLOURS[3]), ("-", "v", COLOURS[4]))


@styled
def risk_coverage_curves(run: Run) -> Plot:
    """Error rate of the most trusted answers, as more and more are taken; random and oracle as bounds."""
    answers = run.answers
    known, correct = answers.known, answers.correct[answers.known]
    error = 1 - float(correct.mean())
    plot, axes = one_axes(4.6, 3.2)
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
    plot, axes = one_axes(4.6, 3.2)
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
    plot, axes = one_axes(4.0, 3.4)
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
    plot, axes = one_axes(4.2, 2.8)
    told = []
    shown = [(found.seed, found.position) for found in diagnoses if found.position]
    apart = min(0.12, 0.7 / len(shown))  # all seeds of a position lie between it and the next
    for number, (seed, bias) in enumerate(shown):
        shift = (number - (len(shown) - 1) / 2) * apart
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


def _distinct(answers: Answers) -> tuple[Floats, Bools]:
    """Confidence and correctness of each distinct answer to each question with ground truth."""
    rows = np.flatnonzero(answers.known)
    first = {(answers.question[row], answers.label[row]): row for row in rows[::-1]}
    own = np.array(sorted(first.values()), np.int64)
    return answers.confidence[own], answers.correct[own]
