"""What a tracker is told of a run, and that it decides nothing."""

from __future__ import annotations

import importlib.util
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.commands import refused
from support.experiments import ancestors, questions, small_experiment, without_pages, write_rows
from w2s.cli import main
from w2s.config import Experiment
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.results.records import RunRecords
from w2s.runners import local
from w2s.store import Store
from w2s.tracking.base import Tracking, open_tracker

Row = tuple[int, Mapping[str, float]]


class Notes:
    """Notes what it is told; breaks at one call where it is asked to."""

    def __init__(self, *, breaks_at: int | None = None) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.tables: list[Sequence[Sequence[object]]] = []
        self.closed: list[str] = []
        self.calls, self.breaks_at = 0, breaks_at

    def series(self, group: str, name: str) -> _Noted:
        self.rows[name] = []
        return _Noted(self, name)


class _Noted:
    def __init__(self, notes: Notes, name: str) -> None:
        self._notes, self._name = notes, name

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._notes.calls += 1
        print("a tracker's word")
        if self._notes.calls == self._notes.breaks_at:
            raise ConnectionError("no route\nto host")
        self._notes.rows[self._name].append((step, values))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._notes.tables.append([columns, *rows])

    def close(self) -> None:
        self._notes.closed.append(self._name)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", questions())
    return small_experiment(data, tiny_llama, tiny_gemma)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def follow(experiment: Experiment, store: Store, notes: Notes) -> None:
    tracking = Tracking(notes, "run", store)
    local.run(Graph(experiment).targets(), store, on_event=tracking.on_event)
    tracking.table(["method"], [["naive"]])
    tracking.close()


def test_every_step_of_every_training_is_told_once_computed_or_found_done(
    experiment: Experiment, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = Notes(), Notes()
    follow(experiment, store, first)
    follow(experiment, store, again)
    trainings = {step.label: step for target in Graph(experiment).targets() for step in ancestors(target)}
    labels = {label for label, step in trainings.items() if step.kind == "training"}
    assert len(labels) == 3 and first.rows.keys() == again.rows.keys() == labels | {"results"}
    assert first.rows == again.rows
    told = capsys.readouterr()
    assert told.out == "" and "a tracker's word" in told.err
    for label in labels:
        steps = [step for step, _ in first.rows[label]]
        assert steps == list(range(1, len(steps) + 1)) and len(steps) in (1, 2)
        assert all(values["loss"] > 0 and "learning_rate" in values for _, values in first.rows[label])
    assert sorted(first.closed) == sorted(first.rows) and first.tables == again.tables == [[["method"], ["naive"]]]


def test_trainings_of_one_label_in_two_cells_are_two_series(experiment: Experiment, store: Store) -> None:
    other = replace(experiment, student_training=replace(experiment.student_training, learning_rate=0.011))
    notes = Notes()
    tracking = Tracking(notes, "study", store)
    for one in (experiment, other):
        local.run(Graph(one).targets(), store, on_event=tracking.on_event)
    tracking.close()
    naive = [name for name in notes.rows if name.startswith("naive: training")]
    assert len(naive) == 2 and all(
        len({step for step, _ in notes.rows[name]}) == len(notes.rows[name]) for name in naive
    )


def test_a_tracker_that_breaks_is_said_in_one_line_and_ends_nothing(
    experiment: Experiment, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes(breaks_at=2)
    with caplog.at_level(logging.WARNING, "w2s"):
        follow(experiment, store, notes)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == "tracking ends here, the run goes on: ConnectionError: no route to host"
    assert notes.calls == 2 and not notes.tables


def test_an_unknown_tracker_and_one_that_is_not_installed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="did you mean 'wandb'"):
        open_tracker("wandbb")
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(InputError, match=r"pip install 'w2s\[trackio\]'"):
        open_tracker("trackio")


class Recorded:
    """Stands in for trackio and wandb: their module, a run of theirs, and settings; notes what is called with what."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def init(self, **more: Any) -> Recorded:
        self.calls.append(("init", more))
        return self

    def log(self, values: Any, step: int | None = None) -> None:
        self.calls.append(("log", (values, step)))

    def finish(self) -> None:
        self.calls.append(("finish", None))

    def Table(self, **more: Any) -> str:  # noqa: N802 - their name
        self.calls.append(("Table", more))
        return "the table"

    def Settings(self, **more: Any) -> dict[str, Any]:  # noqa: N802 - their name
        return more


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_trackers_of_others_get_losses_and_table_and_stay_on_this_machine(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Recorded()
    monkeypatch.setitem(sys.modules, name, fake)  # type: ignore[arg-type]
    for variable in ("TRACKIO_SPACE_ID", "WANDB_MODE"):
        monkeypatch.delenv(variable, raising=False)
    series = open_tracker(name).series("mine-1", "naive: training")
    series.log(3, {"loss": 0.5})
    series.table(["method", "accuracy"], [["naive", 0.7], ["majority", None]])
    series.close()
    (_, given), logged, (_, table), of_table, finished = fake.calls
    assert given["group"] == "mine-1" and "naive: training" in given["name"]
    assert given.get("mode", "offline") == "offline" and given.get("space_id") is None
    assert logged == ("log", ({"loss": 0.5}, 3)) and finished[0] == "finish"
    assert of_table == ("log", ({"results": "the table"}, None))
    first, second = table["data"] if name == "wandb" else table["dataframe"].to_numpy().tolist()
    assert first == ["naive", 0.7] and second[0] == "majority" and (second[1] is None or math.isnan(second[1]))


def words_of(experiment: Experiment) -> list[str]:
    sizes = [f"--task.{name}={getattr(experiment.task, name)}" for name in ("weak_train", "transfer", "test")]
    models = [f"--weak.name={experiment.weak.name}", f"--strong.name={experiment.strong.name}"]
    return ["run", "--task.name=file", f"--task.data={experiment.task.data}", *sizes, *models, "--methods=[naive]"]


def test_a_command_with_a_tracker_that_is_none_is_refused_before_it_begins(
    experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected one of trackio, tensorboard, wandb" in refused([*words_of(experiment), "--track=mlflow"], capsys)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_tensorboard_has_the_losses_and_the_table(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    with without_pages():
        main([*words_of(experiment), "--track=tensorboard", "--out=mine", f"--store={tmp_path / 'store'}"])
    assert RunRecords.load(tmp_path / "mine").pooled
    (group,) = (tmp_path / "runs" / "tensorboard").iterdir()
    assert group.name.startswith("mine-")
    found = {}
    for folder in group.iterdir():
        events = EventAccumulator(str(folder))
        events.Reload()
        found[folder.name] = events
    (naive,) = [events for name, events in found.items() if name.startswith("naive")]
    assert [event.step for event in naive.Scalars("loss")] == list(range(1, len(naive.Scalars("loss")) + 1))
    assert "naive" in found["results"].Tensors("results/text_summary")[0].tensor_proto.string_val[0].decode()
