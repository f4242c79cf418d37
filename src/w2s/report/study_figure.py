"""The figures that compare experiments, and those of their weak answers side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from w2s.report.method_figures import PGR_HIGHEST, PGR_LOWEST
from w2s.report.paper_figures import study_confidences, study_entropies
from w2s.report.reading import Run, read_run
from w2s.report.style import BLUE, COLOURS, INK, MUTED, PERCENT, Plot, plain, styled
from w2s.report.words import effect as in_words
from w2s.results.records import RunRecords
from w2s.results.study import Effect, StudyRecords

__all__ = ["answers_side_by_side", "forest", "study_dots", "study_figures"]

MARKERS = "osD^vPX*<>"


def study_figures(study: StudyRecords) -> dict[str, Plot]:
    """The figures of a study by name, in the order in which one would read them."""
    figures = {"study": study_dots(study.runs)} if study.runs else {}
    figures |= {f"forest-{number}": forest(effect) for number, effect in enumerate(study.effects())}
    return figures | answers_side_by_side(study)


def answers_side_by_side(study: StudyRecords) -> dict[str, Plot]:
    """Figures 3 to 6 of Guo and Yang (2024): `entropy-N` and `confidence-N` of the N-th supervisor, a panel a data set.

    Cells with the very same weak answers, as those of one supervisor with several students are, have one panel.
    """
    panels: dict[str, dict[str, Run]] = {}
    seen = set()
    for pair in study.pairs():
        own = panels.setdefault(pair.supervisor, {})
        for name, result in pair.cells.items():
            run = read_run(result)
            content = _content(run)
            if len(run.answers) and (pair.supervisor, content) not in seen:
                seen.add((pair.supervisor, content))
                own[f"{name} ({pair.student})" if name in own else name] = run
    figures = {}
    for number, (supervisor, own) in enumerate(panels.items(), 1):
        if own:
            figures[f"entropy-{number}"] = study_entropies(supervisor, own)
        if checked := {name: run for name, run in own.items() if run.answers.known.any()}:
            figures[f"confidence-{number}"] = study_confidences(supervisor, checked)
    return figures


def _content(run: Run) -> bytes:
    """Tells whether two runs have the same weak answers and trust them alike."""
    answers = run.answers
    texts = json.dumps([answers.question_id, answers.label, answers.truth])
    return hashlib.sha256(texts.encode() + answers.confidence.tobytes()).digest()


@styled
def study_dots(experiments: Sequence[tuple[str, RunRecords]]) -> Plot:
    """Accuracy and PGR of every method in every experiment; a row an experiment."""
    methods = list(dict.fromkeys(record.method for _, result in experiments for record in result.pooled))
    plot = Plot(figsize=(6.6, 1.5 + 0.42 * len(experiments)))
    left, right = plot.subplots(1, 2, sharey=True)
    handles = {}
    undefined = []
    for row, (name, result) in enumerate(experiments):
        for record in result.pooled:
            number = methods.index(record.method)
            shift = (number - (len(methods) - 1) / 2) * 0.6 / max(1, len(methods))
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            if record.accuracy_low is not None:
                left.plot([record.accuracy_low, record.accuracy_high], [row + shift] * 2, color=colour, lw=1)
            handles[record.method] = left.plot(
                record.accuracy, row + shift, marker, color=colour, ms=4.5, ls="none", label=plain(record.method)
            )[0]
            if record.pgr is None:
                continue
            low, high = record.pgr_low, record.pgr_high
            if low is not None and high is not None:
                right.plot([max(low, PGR_LOWEST), min(high, PGR_HIGHEST)], [row + shift] * 2, color=colour, lw=1)
            if PGR_LOWEST <= record.pgr <= PGR_HIGHEST:
                right.plot(record.pgr, row + shift, marker, color=colour, ms=4.5)
        if all(record.pgr is None for record in result.pooled):
            right.text(0.5, row, "not defined", ha="center", va="center", style="italic", color=MUTED)
            undefined.append(name)
    left.set_yticks(range(len(experiments)), [plain(name) for name, _ in experiments])
    left.set_ylim(len(experiments) - 0.5, -0.5)
    left.set_xlabel("accuracy")
    left.xaxis.set_major_formatter(PERCENT)
    right.set_xlabel("PGR")
    right.set_xlim(PGR_LOWEST, PGR_HIGHEST)
    for value in (0, 1):
        right.axvline(value, color=MUTED, lw=1, ls=(0, (4, 2)), zorder=0)
    for axes in (left, right):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    plot.legend(handles=list(handles.values()), loc="outside upper center", ncols=4)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{record.method} {record.accuracy:.3f}" for record in result.pooled)
        for name, result in experiments
    )
    none = f" No PGR is defined for {', '.join(undefined)}." if undefined else ""
    return plot.describe(
        title="Accuracy and PGR of every experiment",
        alt=f"Test accuracy by experiment. {told}.{none}",
        caption="Lines are 95% intervals. PGR beyond the picture is in the table.",
    )


@styled
def forest(effect: Effect) -> Plot:
    """A method's gain in every experiment, and the summary below: a square's area is its weight."""
    pooled, names = effect.pooled, list(effect.cells)
    plot = Plot(figsize=(6.6, 1.5 + 0.32 * len(names)))
    axes = plot.subplots()
    weights = [1 / (one.standard_error**2 + pooled.between**2) for one in effect.cells.values()]
    for row, (one, weight) in enumerate(zip(effect.cells.values(), weights, strict=True)):
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [row, row], color=BLUE, lw=1.2)
        axes.plot(one.estimate, row, "s", color=BLUE, ms=3 + 6 * (weight / max(weights)) ** 0.5)
    row = len(names)
    axes.fill(
        [pooled.low, pooled.estimate, pooled.high, pooled.estimate], [row, row - 0.25, row, row + 0.25], color=INK
    )
    labels = [*map(plain, names), "mean"]
    if pooled.experiments > 2:
        axes.plot([pooled.low_next, pooled.high_next], [row + 1, row + 1], color=INK, lw=1.2, ls=(0, (2, 2)))
        labels.append("another experiment")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.axvline(0, color=MUTED, lw=1, ls=(0, (4, 2)), zorder=0)
    axes.set_xlabel(plain(f"accuracy of {effect.method} minus that of {effect.reference}"))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    told = "; ".join(f"{name} {one.estimate:+.3f}" for name, one in effect.cells.items())
    return plot.describe(
        title=f"{effect.method} against {effect.reference}",
        alt=f"Gain in accuracy by experiment: {told}. Pooled: {in_words(pooled)}.",
        caption=(
            "Lines are each experiment's 95% interval, where it has one; the diamond is the mean of a random-effects "
            "summary, which takes the experiments' errors as independent."
        ),
    )
