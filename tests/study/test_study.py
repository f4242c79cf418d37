"""A study of tiny models: one table for all cells, shared steps once, failures apart, killed and gone on with."""

from __future__ import annotations

import copy
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.experiments import tiny_study, without_pages
from w2s.cli import main
from w2s.environment import results_code
from w2s.errors import InputError
from w2s.pipeline import steps
from w2s.results.records import RunRecords
from w2s.runners.base import Event
from w2s.step import Context
from w2s.store import Store
from w2s.study.grid import cells_of
from w2s.study.running import StudyResult, run_study
from w2s.tables import read_table

Settings = Mapping[str, Any]
SIZES = {"weak_train": 8, "transfer": 16, "test": 12, "num_variations": 2}


@pytest.fixture(scope="module", autouse=True)
def no_page() -> Iterator[None]:
    """The pages of single runs have tests of their own, and take longer than all of this."""
    with without_pages():
        yield


@dataclass(frozen=True)
class Study:
    """A study that nothing happened to."""

    settings: Mapping[str, Any]
    folder: Path
    store: Path
    result: StudyResult


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Study:
    """Two data sets, one of which a third cell has with another seed; a cell's data is not there."""
    folder = tmp_path_factory.mktemp("study")
    settings = tiny_study(folder, tiny_llama, tiny_gemma, methods=["naive", "filtering-sampled"])
    settings |= {"name": "tiny", "include": [{"name": "more", "data": "cities", "methods": ["naive", "ceiling"]}]}
    settings["grid"]["data"]["gone"] = {"task.data": str(folder / "gone.jsonl")}
    store = Store(folder / "store")
    result = run_study(cells_of(settings), out=folder / "out", name="tiny", store=store, settings=settings)
    return Study(settings, folder / "out", folder / "store", result)


def numbers(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(folder / "results.parquet").to_pylist()
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_the_store_notes_what_a_study_needs(whole: Study) -> None:
    store = Store(whole.store)
    notes = [note for note in store.contents().notes if note.folder == whole.folder]
    assert [(note.label, note.state) for note in notes] == [("study tiny", "finished")]
    named = {address for cell in whole.result.cells if cell.result for address in cell.result.artifacts}
    assert named and named <= notes[0].steps


def test_every_cell_that_can_be_run_is_in_the_table_with_its_levels(whole: Study) -> None:
    table = read_table(whole.folder / "results.parquet")
    found = {(row["cell"], row["data"], row["method"]) for row in table.to_pylist()}
    both = ["naive", "filtering-sampled"]
    methods = {"cities": both, "towns": both, "more": ["naive", "ceiling"]}
    levels = {"cities": "cities", "towns": "towns", "more": "cities"}
    expected = {(cell, levels[cell], method) for cell, own in methods.items() for method in [*own, "weak supervisor"]}
    assert found == expected
    assert read_table(whole.folder / "results.csv")["accuracy"].to_pylist() == table["accuracy"].to_pylist()
    run = RunRecords.load(whole.folder / "cells" / "towns")
    row = next(row for row in table.to_pylist() if (row["cell"], row["method"]) == ("towns", "naive"))
    assert row["accuracy"] == next(record.accuracy for record in run.pooled if record.method == "naive")
    assert whole.result.to_pandas().shape == (9, table.num_columns)


def test_estimators_that_cells_compare_are_in_a_table_and_those_of_other_cells_are_not(
    whole: Study, tmp_path: Path
) -> None:
    assert not (whole.folder / "estimators.csv").exists() and whole.result.estimators_table().num_rows == 0
    # An axis of the name of a column is told from it.
    settings = {**whole.settings, "grid": {"estimator": {"cities": whole.settings["grid"]["data"]["cities"]}}}
    settings["include"] = []
    settings["base"] = {**settings["base"], "reliability": {"compare": ["margin"]}, "seeds": [0, 1]}
    result = run_study(cells_of(settings), out=tmp_path / "out", store=Store(tmp_path / "store"), settings=settings)
    rows = read_table(tmp_path / "out" / "estimators.csv").to_pylist()
    assert [(row["cell"], row["estimator"], row["seed"]) for row in rows] == [
        ("cities", name, seed) for seed in (None, 0, 1) for name in ("votes", "margin")
    ]
    assert {row["axis estimator"] for row in rows} == {"cities"}
    found = {record.estimator: record for record in result.runs[0][1].compared}
    for row in rows[:2]:
        own = found[row["estimator"]]
        assert row["auroc"] == pytest.approx(own.auroc.estimate)
        assert row["accuracy_50_difference_low"] == pytest.approx(own.accuracy_50.difference_low)
    assert "estimators: AUROC of the weak answers" in str(result.table())
    assert "how well each estimator ranks the weak answers" in (tmp_path / "out" / "report.html").read_text()


def test_a_cell_that_cannot_be_planned_is_one_line_and_the_others_go_on(whole: Study) -> None:
    assert whole.result.failures.keys() == {"gone"} and "gone.jsonl" in whole.result.failures["gone"]
    summary = json.loads((whole.folder / "study.json").read_text())
    assert [(cell["name"], cell["state"]) for cell in summary["cells"]] == [
        ("cities", "done"),
        ("towns", "done"),
        ("gone", "failed"),
        ("more", "done"),
    ]


def test_cells_share_the_steps_that_they_have_in_common(whole: Study) -> None:
    # The weak supervisor of cities and its naive student, each trained once for two cells.
    trainings = list(whole.store.glob("training/*/manifest.json"))
    assert len(trainings) == 2 + 2 + 2 + 1  # weak, naive and filtering of two data sets; the ceiling of one


def test_effects_are_pooled_over_the_cells_that_have_them(whole: Study) -> None:
    (effect,) = whole.result.effects()
    assert (effect.method, effect.reference, list(effect.cells)) == ("filtering-sampled", "naive", ["cities", "towns"])
    gains = [gain.estimate for gain in effect.cells.values()]
    assert min(gains) <= effect.pooled.estimate <= max(gains)
    page = (whole.folder / "report.html").read_text()
    for part in ("filtering-sampled", "Over all experiments", "points over 2 experiments", "gone.jsonl"):
        assert part in page
    assert "filtering-sampled" in str(whole.result.table())


def test_the_table_has_what_guessing_gets_and_a_notebook_shows_it(whole: Study) -> None:
    runs = [result for _, result in whole.result.runs]
    chance = [f"{run.guessing.chance:.3f}" for run in runs]
    constant = [f"{run.guessing.constant_accuracy:.3f}" for run in runs]
    assert len(chance) == 3 and "None" not in {*chance, *constant}
    lines = str(whole.result.table()).splitlines()
    assert [line.split(")")[1].split() for line in lines if line.startswith(("(chance)", "(always"))] == [
        chance,
        constant,
    ]
    shown = whole.result._repr_html_()
    for part in ("(chance)", *chance, "(always ", *constant, "gone.jsonl", "points over 2 experiments"):
        assert part in shown and part in (whole.folder / "report.html").read_text()
    assert "<html" not in shown and "<script" not in shown
    assert repr(whole.result) == str(whole.result.table()) and len(repr(whole.result).splitlines()) <= 25


def test_a_second_study_computes_nothing_and_writes_no_run_again(whole: Study) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole.folder / "cells").rglob("*") if path.is_file()}
    events: list[Event] = []
    again = run_study(
        cells_of(whole.settings), out=whole.folder, name="tiny", store=Store(whole.store), on_event=events.append
    )
    assert {event.kind for event in events} == {"reused"}
    assert again.to_table() == whole.result.to_table()
    after = {path: path.stat().st_mtime_ns for path in (whole.folder / "cells").rglob("*") if path.is_file()}
    assert after == before


DAMAGED: Mapping[str, Callable[[Path], object]] = {
    "a file is gone": lambda cell: (cell / "seed-0" / "naive" / "predictions.parquet").unlink(),
    "its link leads nowhere": lambda cell: _lead_nowhere(cell / "seed-0" / "naive" / "adapter"),
    "its results were edited": lambda cell: _edit(cell / "results.json"),
    "an earlier version wrote it": lambda cell: (cell / "results.json.sha256").unlink(),
}


def _lead_nowhere(link: Path) -> None:
    link.unlink()
    link.symlink_to("nowhere")


def _edit(file: Path) -> None:
    data = json.loads(file.read_text())
    data["pooled"][0]["accuracy"] = 0.987
    file.write_text(json.dumps(data))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_cell_that_is_not_as_it_was_written_is_written_again_and_nothing_computed(whole: Study, damage: str) -> None:
    cell = whole.folder / "cells" / "more"
    before = {path.relative_to(cell) for path in cell.rglob("*")}
    DAMAGED[damage](cell)
    events: list[Event] = []
    again = run_study(
        cells_of(whole.settings), out=whole.folder, name="tiny", store=Store(whole.store), on_event=events.append
    )
    assert {event.kind for event in events} == {"reused"}
    assert again.to_table() == whole.result.to_table()
    assert {path.relative_to(cell) for path in cell.rglob("*")} == before
    assert (cell / "seed-0" / "naive" / "adapter" / "adapter_config.json").is_file()


def test_a_cell_that_other_code_made_from_the_same_steps_is_written_again(
    whole: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a study's table would have numbers of two versions side by side."""
    fewer = {**whole.settings, "grid": {"data": {"cities": whole.settings["grid"]["data"]["cities"]}}, "include": []}
    with monkeypatch.context() as patch:
        patch.setattr("w2s.results.collecting.results_code", lambda: "of another version")
        run_study(cells_of(fewer), out=tmp_path / "out", store=Store(whole.store))
    (written,) = (tmp_path / "out" / "cells").glob("*/results.json")
    assert json.loads(written.read_text())["results_code"] == "of another version"
    run_study(cells_of(fewer), out=tmp_path / "out", store=Store(whole.store))
    assert json.loads(written.read_text())["results_code"] == results_code()


def test_the_store_keeps_what_cells_of_an_earlier_form_of_a_study_name(
    whole: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(whole.store)
    run_study(cells_of(whole.settings), out=tmp_path / "out", name="shrunk", store=store)
    fewer = {**whole.settings, "grid": {"data": {"cities": whole.settings["grid"]["data"]["cities"]}}}
    with caplog.at_level(logging.WARNING, logger="w2s.study"):
        run_study(cells_of(fewer), out=tmp_path / "out", name="shrunk", store=store)
    assert [line for line in caplog.messages if "earlier form of the study" in line] == [
        f"{tmp_path / 'out'} holds cells of an earlier form of the study (towns): the store keeps their results while "
        "they are there"
    ]
    (note,) = [note for note in store.contents().notes if note.folder == tmp_path / "out"]
    assert set(RunRecords.load(tmp_path / "out" / "cells" / "towns").artifacts) <= note.steps


def test_two_cells_of_one_name_are_refused(whole: Study, tmp_path: Path) -> None:
    cells = cells_of(whole.settings)
    with pytest.raises(InputError, match="two cells are named"):
        run_study([*cells, cells[0]], out=tmp_path, store=Store(whole.store))


def test_a_cell_whose_results_were_computed_again_is_written_again(whole: Study, tmp_path: Path) -> None:
    fewer = {**whole.settings, "grid": {"data": {"cities": whole.settings["grid"]["data"]["cities"]}}, "include": []}
    run_study(cells_of(fewer), out=tmp_path / "out", store=Store(whole.store))
    cell = tmp_path / "out" / "cells" / "cities"
    before = json.loads((cell / "results.json").read_text())
    run_study(cells_of(fewer), out=tmp_path / "out", store=Store(tmp_path / "other"))
    after = json.loads((cell / "results.json").read_text())
    steps = [[(step["key"], step["seconds"]) for step in one["steps"]] for one in (before, after)]
    assert [key for key, _ in steps[0]] == [key for key, _ in steps[1]] and steps[0] != steps[1]
    assert (tmp_path / "other").resolve() in (cell / "seed-0" / "naive" / "adapter").resolve().parents


def test_a_cell_that_fails_on_a_second_start_keeps_its_earlier_run_whole_and_that_is_said(
    whole: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(whole.store)
    run_study(cells_of(whole.settings), out=tmp_path / "out", store=store)
    named = set(RunRecords.load(tmp_path / "out" / "cells" / "towns").artifacts)
    broken = copy.deepcopy(dict(whole.settings))
    broken["base"]["student_training"]["learning_rate"] = 1e30
    with caplog.at_level(logging.WARNING, logger="w2s.study"):
        again = run_study(cells_of(broken), out=tmp_path / "out", store=store)
    assert "towns" in again.failures
    assert f"{tmp_path / 'out' / 'cells' / 'towns'} holds the run of an earlier start of the study" in caplog.messages
    (note,) = [note for note in store.contents().notes if note.folder == tmp_path / "out"]
    assert named <= note.steps


def test_results_from_another_environment_are_told_of(
    whole: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("w2s.running.environment", lambda: {"torch": "1.13.0"})
    with caplog.at_level(logging.WARNING, logger="w2s"):
        run_study(cells_of(whole.settings), out=tmp_path, store=Store(whole.store))
    assert any("results are reused that were computed with" in line for line in caplog.messages)


def test_each_cells_settings_repeat_it_alone(whole: Study, tmp_path: Path) -> None:
    saved = whole.folder / "cells" / "more" / "experiment.yaml"
    main(["run", "--config", str(saved), "--store", str(whole.store), "--out", str(tmp_path / "run")])
    assert RunRecords.load(tmp_path / "run").pooled == RunRecords.load(whole.folder / "cells" / "more").pooled


def test_a_step_that_fails_takes_its_cell_and_no_other(
    whole: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = steps.KINDS["training-set"]

    def select(settings: Settings, inputs: Mapping[str, Path], out: Path, context: Context) -> None:
        if settings["method"] == "filtering-sampled":
            raise InputError("no room")
        kind.build(settings, inputs, out, context)

    monkeypatch.setitem(steps.KINDS, "training-set", kind._replace(build=select))
    cells = [cell for cell in cells_of(whole.settings) if cell.name in ("cities", "more")]
    told: list[tuple[str, str]] = []
    result = run_study(
        cells,
        out=tmp_path / "out",
        store=Store(tmp_path / "store"),
        on_cell=lambda cell: told.append((cell.name, cell.state)),
    )
    assert result.failures == {"cities": "no room"} and [name for name, _ in result.runs] == ["more"]
    assert told == [("more", "done"), ("cities", "failed")]
    assert numbers(tmp_path / "out") == [row for row in numbers(whole.folder) if row["cell"] == "more"]


def test_the_command_plans_runs_and_tells_by_its_status(
    whole: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(dict(whole.settings)))
    words = ["study", str(file), "--store", str(whole.store), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--dry-run"])
    plan = capsys.readouterr().out
    for part in ("cities  done", "more    done", "gone    cannot be planned", " 0 of "):
        assert part in f" {plan.replace(chr(10), ' ')}", plan
    assert ended.value.code == 2
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and "w2s: cell gone failed" in err
    assert "filtering-sampled against naive" in out and "0 steps computed" in out
    assert (tmp_path / "out" / "study.yaml").is_file()


@pytest.mark.usefixtures("whole")
def test_a_folder_that_is_somebody_elses_is_refused(whole: Study, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="mine"):
        run_study(cells_of(whole.settings), out=tmp_path, store=Store(whole.store))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_study_that_is_killed_and_begun_again_has_the_same_table(whole: Study, tmp_path: Path) -> None:
    cells = {"cities": whole.settings["grid"]["data"]["cities"]}
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**whole.settings, "grid": {"data": cells}}))
    command = [sys.executable, "-m", "w2s", "study", str(file), "--store", str(tmp_path / "store")]
    command += ["--out", str(tmp_path / "out"), "--jobs", "2"]
    chance = random.Random(0)
    seen: list[set[str]] = []
    for _ in range(3):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wanted = len(seen) + chance.randint(3, 6)  # steps in all, after which it is killed
        while running.poll() is None and len(done(tmp_path / "store")) < wanted:
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        seen.append(done(tmp_path / "store"))
    last = subprocess.run(command, capture_output=True, text=True, check=False)
    assert last.returncode == 0 and "Warning:" not in last.stderr, last.stderr
    assert all(before <= after for before, after in zip(seen, [*seen[1:], done(tmp_path / "store")], strict=True))
    # Several processes have fewer threads each, which may round otherwise: the tables are of tiny models in float32.
    expected = [row for row in numbers(whole.folder) if row["cell"] in ("cities", "more")]
    assert [row["accuracy"] for row in numbers(tmp_path / "out")] == [row["accuracy"] for row in expected]


def done(store: Path) -> set[str]:
    """The finished steps."""
    return {str(path) for path in store.glob("*/*/manifest.json") if ".partial" not in path.parts}
