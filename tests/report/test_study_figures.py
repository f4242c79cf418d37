"""Over a study: the paper's figures, a panel a data set and a figure a supervisor, and its table in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import Kind, write_run

from w2s.metrics import pool_effects
from w2s.report.paper_figures import MOST_PANELS, confidence_heat_map, entropy_histogram, study_entropies
from w2s.report.reading import read_run
from w2s.report.study_figure import answers_side_by_side, forest
from w2s.report.study_table import study_latex
from w2s.results.records import RunRecords
from w2s.results.study import CellRecords, Effect, Gain, StudyRecords

DATA: dict[str, Kind] = {"hellaswag": "options", "ethics": "fixed", "gsm8k": "free"}


def a_run(folder: Path, task: str, supervisor: str, student: str, *, gold: bool = True) -> RunRecords:
    found = write_run(folder, kind=DATA[task], num_questions=20 + len(task), gold=gold)
    own = replace(found.experiment, task=replace(found.experiment.task, name=task))
    own = replace(own, strong=replace(own.strong, name=student))
    return replace(found, experiment=own, info={**found.info, "supervisor": supervisor})


def a_study(folder: Path, pairs: Sequence[tuple[str, str]], *, gold: bool = True) -> StudyRecords:
    cells = []
    for task in DATA:
        for supervisor, student in pairs:
            name = f"{task}-{supervisor}-{student}"
            result = a_run(folder / name, task, supervisor, student, gold=gold)
            levels = {"data": task, "pair": f"{supervisor}-{student}"}
            cells.append(CellRecords(name=name, levels=levels, result=result))
    return StudyRecords(name="grid", cells=cells)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecords:
    return a_study(tmp_path_factory.mktemp("study"), [("small", "large"), ("small", "larger"), ("other", "larger")])


def test_a_forest_has_the_intervals_of_the_table_and_a_point_where_there_is_none() -> None:
    cells = {"three seeds": Gain(0.1, -0.05, 0.25, 0.03), "two seeds": Gain(0.02, None, None, 0.04)}
    pooled = pool_effects([0.1, 0.02], [0.03, 0.04])
    (axes,) = forest(Effect("filtering", "naive", cells, pooled)).axes
    drawn = [list(line.get_xdata()) for line in axes.lines]
    assert [-0.05, 0.25] in drawn and [0.1] in drawn and [0.02] in drawn
    assert len([ends for ends in drawn if len(ends) == 2 and ends != [0, 0]]) == 1, "one interval"


def test_cells_of_a_pair_are_named_by_what_they_differ_in(study: StudyRecords) -> None:
    pairs = study.pairs()
    assert [(pair.supervisor, pair.student) for pair in pairs] == [
        ("small", "large"),
        ("small", "larger"),
        ("other", "larger"),
    ]
    assert all(list(pair.cells) == list(DATA) for pair in pairs)


def test_cells_that_short_names_do_not_tell_apart_keep_their_own(study: StudyRecords) -> None:
    twice = [*study.cells[:1], replace(study.cells[0], name="again")]
    (pair,) = StudyRecords(name="twice", cells=twice).pairs()
    assert list(pair.cells) == [cell.name for cell in twice]


def test_each_supervisor_has_a_figure_and_each_data_set_a_panel(study: StudyRecords) -> None:
    figures = answers_side_by_side(study)
    assert list(figures) == ["entropy-1", "confidence-1", "entropy-2", "confidence-2"]
    for figure in figures.values():
        # Two students of one supervisor learn from the same answers: these are shown once.
        assert [axes.get_title() for axes in figure.axes if axes.axison] == list(DATA)
        assert all(f"{task}: " in figure.alt for task in DATA)
    assert "small" in figures["entropy-1"].title and "other" in figures["confidence-2"].title


def test_a_panel_tells_what_the_figure_of_its_run_tells(study: StudyRecords) -> None:
    figures = answers_side_by_side(study)
    run = read_run(study.runs[0][1])
    assert entropy_histogram(run).alt in figures["entropy-1"].alt
    assert confidence_heat_map(run).alt in figures["confidence-1"].alt


def test_without_ground_truth_there_is_no_heat_map(tmp_path: Path) -> None:
    figures = answers_side_by_side(a_study(tmp_path, [("small", "large")], gold=False))
    assert list(figures) == ["entropy-1"] and "Share of" in figures["entropy-1"].alt


def test_panels_beyond_the_most_are_named(study: StudyRecords) -> None:
    run = read_run(study.runs[0][1])
    figure = study_entropies("small", {f"set {number}": run for number in range(MOST_PANELS + 2)})
    assert len(figure.axes) == MOST_PANELS
    assert figure.caption.endswith(f"Not shown: set {MOST_PANELS}, set {MOST_PANELS + 1}.")


def test_the_table_has_a_block_a_pair_and_two_columns_a_data_set(study: StudyRecords) -> None:
    lines = study_latex(study).splitlines()
    blocks = [line for line in lines if r"\emph{" in line]
    assert [line.split(r"\emph{")[1].split("}")[0] for line in blocks] == [
        "small teaches large",
        "small teaches larger",
        "other teaches larger",
    ]
    rows = [line for line in lines if line.startswith(("naive", "filtering-sampled", "ceiling"))]
    assert len(rows) == 9 and all(row.count(" & ") == 2 * len(DATA) and row.endswith(r" \\") for row in rows)
    naive = next(record for record in study.runs[0][1].pooled if record.method == "naive")
    assert f"{naive.accuracy:.3f}" in rows[0] and f"& {naive.pgr:.2f}" in rows[0]
    assert next(row for row in rows if "ceiling" in row).startswith("ceiling*")


def test_a_cell_that_is_missing_leaves_dashes_in_the_table(study: StudyRecords) -> None:
    cells = [cell if cell.name != "ethics-other-larger" else replace(cell, result=None) for cell in study.cells]
    lines = study_latex(StudyRecords(name="grid", cells=cells)).splitlines()
    assert sum("-- & --" in line for line in lines) == len(study.runs[0][1].pooled)
