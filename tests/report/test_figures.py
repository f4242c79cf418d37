"""Figures: which of them a run gets, what they show, and that they change nothing outside."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pyarrow as pa
import pytest
from made_up import HOSTILE, write_run

from w2s.report.figures import (
    accuracies,
    all_figures,
    confidence_heat_map,
    entropy_histogram,
    kept,
    pgrs,
    read_run,
    risk_coverage_curves,
    save_figures,
)
from w2s.report.style import Plot, as_page_svg, plain
from w2s.results.records import RunRecords
from w2s.tables import read_table, write_table

ALL = ["accuracy", "pgr", "kept", "entropy", "risk-coverage", "calibration", "positions", "loss"]


def words_of(figure: Plot) -> list[str]:
    """All texts in a figure."""
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def test_run_with_everything_has_every_figure_with_words(tmp_path: Path) -> None:
    figures = all_figures(write_run(tmp_path))
    assert list(figures) == ALL
    for figure in figures.values():
        assert figure.title and figure.caption
        assert re.search(r"\d", figure.alt), "an alt text tells the main numbers"


def test_a_heat_map_is_shown_where_all_questions_choose_from_the_same_classes(tmp_path: Path) -> None:
    assert "reliability" in all_figures(write_run(tmp_path / "fixed", kind="fixed"))
    assert "reliability" not in all_figures(write_run(tmp_path / "options", kind="options"))
    assert "reliability" not in all_figures(write_run(tmp_path / "free", kind="free"))


def test_run_without_ground_truth_has_the_figures_that_need_none(tmp_path: Path) -> None:
    figures = all_figures(write_run(tmp_path, gold=False))
    assert list(figures) == [name for name in ALL if name not in ("risk-coverage", "calibration")]
    assert "right" not in " ".join(words_of(figures["entropy"]))


def test_folder_without_tables_has_the_figures_of_the_results(tmp_path: Path) -> None:
    result = dataclasses.replace(write_run(tmp_path / "run"), folder=tmp_path / "elsewhere")
    assert list(all_figures(result)) == ["accuracy", "pgr", "kept", "positions"]


@pytest.mark.parametrize("questions, variations", [(0, 5), (1, 1), (3, 1), (150, 20)])
def test_any_size_can_be_drawn(tmp_path: Path, questions: int, variations: int) -> None:
    for figure in all_figures(write_run(tmp_path, num_questions=questions, num_variations=variations)).values():
        figure.draw_without_rendering()


def test_entropy_histogram_counts_right_and_wrong_answers(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, num_questions=60))
    axes = entropy_histogram(run).axes[0]
    right, wrong = ([bar.get_height() for bar in container] for container in axes.containers)
    assert sum(right) == run.answers.correct.sum()
    assert sum(right) + sum(wrong) == len(run.answers)
    first = run.answers.correct[run.answers.entropy == 0].mean()
    assert f"{first:.2f}" in [text.get_text() for text in axes.texts]


def test_histogram_of_many_entropies_keeps_unanimous_questions_apart(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, num_questions=150, num_variations=20))
    axes = entropy_histogram(run).axes[0]
    assert len(axes.containers[0]) == 10
    total = axes.containers[0][0].get_height() + axes.containers[1][0].get_height()
    assert total == (run.answers.entropy == 0).sum() > 0


def test_seeds_are_pooled_without_mixing_their_questions(tmp_path: Path) -> None:
    one = read_run(write_run(tmp_path / "one", num_questions=30)).answers
    two = read_run(write_run(tmp_path / "two", num_questions=30, seeds=(0, 1))).answers
    assert len(two) == 2 * len(one)
    assert len(np.unique(two.question)) == 60


@pytest.mark.parametrize(
    "kind, row_name, labels",
    [
        ("options", "weak label", ["1", "2", "3", "4"]),
        ("fixed", "weak label", ["acceptable", "unacceptable"]),
        ("free", "", ["right", "wrong"]),
    ],
)
def test_heat_map_takes_the_form_that_fits_the_answers(
    tmp_path: Path, kind: str, row_name: str, labels: list[str]
) -> None:
    run = read_run(write_run(tmp_path, kind=kind, num_questions=60))  # type: ignore[arg-type]
    axes = confidence_heat_map(run).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == labels
    assert axes.get_ylabel() == row_name
    counts = [int(text.get_text()[2:].replace(",", "")) for text in axes.texts if text.get_text().startswith("n=")]
    assert sum(counts) == len(run.answers)


def test_heat_map_shows_the_mean_confidence(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, kind="free", num_questions=60))
    right = run.answers.confidence[run.answers.correct].mean()
    wrong = run.answers.confidence[~run.answers.correct].mean()
    assert {f"{right:.2f}", f"{wrong:.2f}"} <= set(words_of(confidence_heat_map(run)))


def test_heat_map_of_ground_truth_that_is_no_option_is_right_or_wrong(tmp_path: Path) -> None:
    result = write_run(tmp_path)
    gold = read_table(tmp_path / "gold.parquet")
    other = pa.array(["none of them", *gold["answer"].to_pylist()[1:]])
    write_table(gold.set_column(2, "answer", other), tmp_path / "gold.parquet")
    axes = confidence_heat_map(read_run(result)).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["right", "wrong"]


def test_majority_margin_is_that_of_the_two_most_frequent_answers(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, num_questions=30))
    answers = run.answers
    for number in np.unique(answers.question):
        own = [answers.label[row] for row in np.flatnonzero(answers.question == number)]
        counts = [*sorted((own.count(label) for label in set(own)), reverse=True), 0]
        margin = (counts[0] - counts[1]) / len(own)
        assert np.allclose(answers.scores["majority margin"][answers.question == number], margin)


def test_risk_coverage_ends_at_the_error_rate_of_all_answers(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path))
    error = 1 - run.answers.correct.mean()
    for line in risk_coverage_curves(run).axes[0].lines:
        assert np.isclose(line.get_ydata()[-1], error)


def test_the_answers_of_many_seeds_stay_beside_their_position(tmp_path: Path) -> None:
    result = write_run(tmp_path, num_questions=8, num_variations=2, seeds=range(20), methods=["naive"])
    (axes,) = all_figures(result)["positions"].axes
    series = [line.get_xdata() for line in axes.get_lines()]
    assert len(series) == 20
    for xs in series:
        assert np.abs(np.asarray(xs, float) - np.arange(1, len(xs) + 1)).max() < 0.5


def test_estimators_are_drawn_where_there_are_several(tmp_path: Path) -> None:
    assert "estimators" not in all_figures(write_run(tmp_path / "one"))
    result = write_run(tmp_path / "two", compare=("margin",))
    plot = all_figures(result)["estimators"]
    lines = {line.get_label(): line.get_ydata() for line in plot.axes[0].lines}
    assert list(lines) == ["votes (of the run)", "margin"]
    for record, drawn in zip(result.compared, lines.values(), strict=True):
        assert list(drawn) == pytest.approx(record.risk)
        assert f"{record.estimator} {record.aurc.estimate:.2f}" in plot.alt


def test_undefined_pgr_is_said_in_words(tmp_path: Path) -> None:
    figure = pgrs(write_run(tmp_path, pgr=False))
    assert words_of(figure).count("not defined") == 4
    assert "not clearly above 0" in figure.caption


def test_methods_trained_on_ground_truth_are_marked(tmp_path: Path) -> None:
    result = write_run(tmp_path)
    for figure in (accuracies(result), kept(result)):
        assert "ceiling *" in words_of(figure)
        assert "trained on ground truth" in figure.caption


@pytest.mark.parametrize("pgr", [True, False])
def test_every_label_lies_inside_the_picture(tmp_path: Path, pgr: bool) -> None:
    result = write_run(tmp_path, seeds=(0, 1), texts=HOSTILE, pgr=pgr)
    for name, figure in all_figures(result).items():
        figure.draw_without_rendering()
        width, height = figure.canvas.get_width_height()
        for text in shown_texts(figure):
            box = text.get_window_extent()
            inside = box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
            assert inside, (name, text.get_text())


def shown_texts(figure: Plot) -> Iterator[Any]:
    """The texts of a figure without the tick labels beyond its limits, which matplotlib keeps but does not draw."""
    for axes in figure.axes:
        yield from (text for text in (*axes.texts, axes.xaxis.label, axes.yaxis.label) if text.get_text())
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)
        if axes.get_legend():
            yield from axes.get_legend().get_texts()


def test_figures_are_saved_as_svg_and_png_without_a_warning(tmp_path: Path) -> None:
    result = write_run(tmp_path, kind="fixed", texts=HOSTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = save_figures(result, tmp_path / "figures")
    assert {path.suffix for path in paths} == {".svg", ".png"}
    assert all(path.stat().st_size > 1000 for path in paths)
    assert "<title>" in paths[0].read_text() or "Accuracy" in paths[0].read_text()


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    all_figures(write_run(tmp_path))
    assert dict(matplotlib.rcParams) == before


def test_report_needs_neither_pyplot_nor_torch() -> None:
    code = (
        "import sys, w2s.report.page; print([name for name in ('torch', 'matplotlib.pyplot') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_same_run_gives_the_same_file(tmp_path: Path) -> None:
    result = write_run(tmp_path)
    first = as_page_svg(accuracies(result), "accuracy")
    assert as_page_svg(accuracies(RunRecords.load(tmp_path)), "accuracy") == first


def test_page_svg_has_no_colours_that_only_fit_a_light_page(tmp_path: Path) -> None:
    svg = as_page_svg(accuracies(write_run(tmp_path)), "accuracy")
    assert "#1b1f24" not in svg and "currentColor" in svg
    assert "<style" not in svg and ' id="text' not in svg


@pytest.mark.parametrize(
    "text, label",
    [("a$b$", r"a\$b\$"), ("", "(empty)"), ("a\nb\x00c", "a b c"), ("x" * 99, "x" * 27 + "…"), ("\\frac", "\\frac")],
)
def test_labels_are_plain(text: str, label: str) -> None:
    assert plain(text) == label
