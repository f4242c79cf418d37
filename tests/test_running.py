"""Runs that are repeated, killed, damaged or out of room end in the table of a run that nothing happened to."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from support.experiments import in_splits, questions, small_experiment, training, without_pages, write_rows
from w2s.config import AnsweringSpec, Experiment, WeakSpec
from w2s.errors import InputError
from w2s.results.records import Record
from w2s.runners.base import Event
from w2s.running import Result, run
from w2s.store import Store

STEPS = 17  # questions, truth of 3 splits; weak set, training, answers, scores, test; set, training, test of 2 methods
TARGETS = STEPS - 1  # the weak supervisor's training set is read by its training only


@pytest.fixture(scope="module", autouse=True)
def no_page() -> Iterator[None]:
    """The page and the figures have tests of their own, and take longer than all of this."""
    with without_pages():
        yield


@dataclass(frozen=True)
class Run:
    """A run that nothing happened to."""

    experiment: Experiment
    store: Path
    records: list[Record]


def without_times(records: list[Record]) -> list[Record]:
    return [replace(record, seconds=None) for record in records]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Run:
    folder = tmp_path_factory.mktemp("undisturbed")
    experiment = small_experiment(
        write_rows(folder / "questions.jsonl", in_splits(questions())),
        tiny_llama,
        tiny_gemma,
        # Several batches of answers, and several checkpoints.
        answering=AnsweringSpec(tokens_per_batch=400),
        student_training=training(5e-2, epochs=2, batch_size=4),
    )
    result = run(experiment, out=folder / "run", store=Store(folder / "store"))
    return Run(experiment, folder / "store", without_times(result.records))


def run_noting(experiment: Experiment, out: Path, store: Path) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    return run(experiment, out=out, store=Store(store), on_event=events.append), events


def labels_of(events: list[Event], kind: str) -> list[str]:
    return [event.step.label for event in events if event.kind == kind]


def manifests(store: Path) -> dict[Path, int]:
    """The finished steps, and when each was finished."""
    return {path: path.stat().st_mtime_ns for path in store.glob("*/*/manifest.json") if ".partial" not in path.parts}


def test_a_run_without_methods_ends_whoever_the_supervisor_is(undisturbed: Run, tmp_path: Path) -> None:
    given = replace(undisturbed.experiment, methods=None, weak=WeakSpec(source="simulated"))  # it says no probabilities
    result = run(given, out=tmp_path / "run", store=Store(tmp_path / "store"))
    assert {"naive", "self", "weak-gold", "ceiling"} < {record.method for record in result.records}
    assert result.experiment.methods == [record.method for record in result.records if record.role != "supervisor"]


def test_a_second_run_computes_nothing_and_finds_the_same(undisturbed: Run, tmp_path: Path) -> None:
    before = manifests(undisturbed.store)
    result, events = run_noting(undisturbed.experiment, tmp_path / "run", undisturbed.store)
    assert labels_of(events, "started") == [] and len(labels_of(events, "reused")) == TARGETS
    assert manifests(undisturbed.store) == before and len(before) == STEPS
    assert without_times(result.records) == undisturbed.records


def test_the_numbers_do_not_depend_on_the_store(undisturbed: Run, tmp_path: Path) -> None:
    alone = replace(undisturbed.experiment, methods=["naive"])
    result, _ = run_noting(alone, tmp_path / "run", tmp_path / "store")
    naive = next(record for record in undisturbed.records if record.method == "naive")
    found = next(record for record in result.records if record.method == "naive")
    assert (found.accuracy, found.label_accuracy) == (naive.accuracy, naive.label_accuracy)


# Kills

CHILD = """
import json, os, signal, sys
from pathlib import Path
from w2s.config_json import experiment_from_dict
from w2s.running import run
from w2s.store import Store

settings, root, out, moment = sys.argv[1:]
store = Store(Path(root))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def progress(label, done, total, unit):
    if moment == "labelling" and label.startswith("weak answers") and done >= total / 2:
        assert done < total, "one batch only"
        die()
    if moment == "training" and label.startswith("naive") and unit == "steps" and done > total / 2:
        assert list(store.root.glob(".partial/training-*/checkpoints/checkpoint-*")), "no checkpoint"
        die()

def on_event(event):
    if event.kind == "progress":
        progress(event.step.label, event.done, event.total, event.unit)
    if moment == "between steps" and event.kind == "finished" and event.step.kind == "scored":
        die()

run(experiment_from_dict(json.loads(settings)), out=out, store=store, on_event=on_event)
"""


@pytest.mark.parametrize(
    ("moment", "unfinished", "said"),
    [
        ("labelling", "weak answers · seed 0", "answers are there already"),
        ("between steps", "weak supervisor: test · seed 0", ""),
        ("training", "naive: training · seed 0", "going on from step"),
    ],
)
def test_a_killed_run_goes_on_to_the_same_table_and_redoes_nothing(
    undisturbed: Run, tmp_path: Path, moment: str, unfinished: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    settings = json.dumps(asdict(undisturbed.experiment))
    command = [sys.executable, "-c", CHILD, settings, str(store), str(tmp_path / "run"), moment]
    child = subprocess.run(command, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not (tmp_path / "run" / "results.json").exists()
    finished = manifests(store)
    assert finished

    with caplog.at_level(logging.INFO, logger="w2s"):
        result, events = run_noting(undisturbed.experiment, tmp_path / "run", store)
    assert without_times(result.records) == undisturbed.records
    assert labels_of(events, "started")[0] == unfinished
    assert len(labels_of(events, "finished")) == STEPS - len(finished)
    after = manifests(store)
    assert {path: after[path] for path in finished} == finished
    assert any(said in message for message in caplog.messages)


# Damage


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_damaged_answers_are_said_and_made_again_to_the_same_table(
    undisturbed: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    shutil.copytree(undisturbed.store, store)
    (answers,) = store.glob("answers/*/answers.parquet")
    whole = answers.read_bytes()
    flip_a_byte(answers)
    result, events = run_noting(undisturbed.experiment, tmp_path / "run", store)
    said = [message for message in caplog.messages if "damaged" in message]
    assert len(said) == 1 and "weak answers · seed 0" in said[0] and "answers.parquet has changed content" in said[0]
    assert labels_of(events, "finished") == ["weak answers · seed 0"]
    assert answers.read_bytes() == whole
    assert without_times(result.records) == undisturbed.records


# No room

FULL = """
import contextlib, hashlib, io, json, sys
from pathlib import Path
from w2s.cli import main

config, root, out = sys.argv[1:]
stdout, stderr = io.StringIO(), io.StringIO()
with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
    try:
        main(["run", "--config", config, "--store", root, "--out", out])
        status = 0
    except SystemExit as error:
        status = error.code
whole = []
for path in Path(root).glob("*/*/manifest.json"):
    files = json.loads(path.read_text())["files"]
    whole.append(all(
        hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == record["sha256"]
        for name, record in files.items()
    ))
print(json.dumps({"status": status, "stderr": stderr.getvalue(), "whole": whole}))
"""


def test_a_full_disk_ends_in_one_line_and_nothing_half_written_counts(undisturbed: Run, tmp_path: Path) -> None:
    disk, config = tmp_path / "disk", tmp_path / "experiment.json"
    disk.mkdir()
    config.write_text(json.dumps(asdict(undisturbed.experiment)))
    namespace = ["unshare", "-rm", "sh", "-ec"]
    mount = f"mount -t tmpfs -o size=192k tmpfs {disk}"
    if shutil.which("unshare") is None or subprocess.run([*namespace, mount], capture_output=True).returncode:
        pytest.skip("no private mounts here")
    words = [sys.executable, "-c", FULL, str(config), str(disk / "store"), str(tmp_path / "run")]
    command = [*namespace, f'{mount}; "$@"', "sh", *words]
    ended = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert ended["status"] == 2
    assert "Traceback" not in ended["stderr"]
    last = ended["stderr"].splitlines()[-1]
    assert last.startswith(f"w2s: cannot use the store {disk / 'store'}: no space left on device")
    assert ended["stderr"].count("w2s:") == 1
    assert ended["whole"] and all(ended["whole"])
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_file_in_the_place_of_the_results_is_refused_before_anything_runs(undisturbed: Run, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="is a file: expected a folder"):
        run(undisturbed.experiment, out=tmp_path / "run", store=Store(tmp_path / "store"))
    assert (tmp_path / "run").read_text() == "mine" and not (tmp_path / "store").exists()


def test_the_page_and_the_figures_are_written_beside_the_results(
    undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(Result, "save_report", lambda self, path: written.append(path))
    monkeypatch.setattr(Result, "save_figures", lambda self, folder, **more: written.append(folder))
    result, _ = run_noting(undisturbed.experiment, tmp_path / "run", undisturbed.store)
    assert set(written) == {tmp_path / "run" / "report.html", tmp_path / "run" / "figures"}
    assert result.folder == tmp_path / "run"
