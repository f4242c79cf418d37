"""A run that is killed and started again ends where an undisturbed one does."""

from __future__ import annotations

import os
import pickletools
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel

from support.training import Run, same, train
from w2s.models.load import LanguageModel
from w2s.training import checkpoint
from w2s.training.checkpoint import last_checkpoint

# Everything that has a state of its own: dropout, a schedule, held-out rows, micro-batches.
SETTINGS: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 2,
    "micro_batch_size": 1,
    "lora": {"dropout": 0.1},
    "eval_fraction": 0.2,
    "schedule": "cosine",
    "warmup_ratio": 0.3,
    "checkpoints": 4,
}
STEPS = 8  # of eight rows that are not held out


class Killed(BaseException):
    """No `except Exception` stops it, as none stops a kill."""


@pytest.fixture(scope="module")
def undisturbed(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that the others are compared with."""
    run = train(lm, tmp_path_factory.mktemp("undisturbed"), **SETTINGS)
    assert run.report.steps == STEPS and run.said == []
    return run


def killed_at(lm: LanguageModel, out: Path, step: int, **changes: Any) -> None:
    def progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        train(lm, out, progress=progress, **{**SETTINGS, **changes})
    assert not (out / "adapter").exists()


def steps_of(run: Run) -> list[int]:
    return [entry["step"] for entry in run.log if "loss" in entry]


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_run_killed_at_any_step_ends_in_the_same_adapter(
    lm: LanguageModel, undisturbed: Run, tmp_path: Path, step: int
) -> None:
    killed_at(lm, tmp_path, step)
    saved = (step - 1) // 2 * 2  # a step's checkpoint is written after its progress is told
    again: list[int] = []
    run = train(lm, tmp_path, progress=lambda done, total, unit, tokens: again.append(done), **SETTINGS)
    assert again == list(range(saved + 1, STEPS + 1))
    assert run.said == ([f"going on from step {saved} of {STEPS}"] if saved else [])
    assert same(run.adapter, undisturbed.adapter)
    assert run.losses == undisturbed.losses and steps_of(run) == list(range(1, STEPS + 1))
    assert not (tmp_path / "checkpoints").exists()


def test_a_run_killed_twice_ends_in_the_same_adapter(lm: LanguageModel, undisturbed: Run, tmp_path: Path) -> None:
    killed_at(lm, tmp_path, 4)
    killed_at(lm, tmp_path, 7)
    run = train(lm, tmp_path, **SETTINGS)
    assert run.said == [f"going on from step 6 of {STEPS}"]
    assert same(run.adapter, undisturbed.adapter) and run.log == undisturbed.log


def test_a_run_in_the_order_of_questions_goes_on_in_that_order(lm: LanguageModel, tmp_path: Path) -> None:
    whole = train(lm, tmp_path / "whole", order="questions", **SETTINGS)
    killed_at(lm, tmp_path / "killed", 7, order="questions")
    run = train(lm, tmp_path / "killed", order="questions", **SETTINGS)
    assert run.said == [f"going on from step 6 of {STEPS}"] and same(run.adapter, whole.adapter)


def test_a_run_killed_between_its_last_step_and_its_adapter_has_nothing_left_to_train(
    lm: LanguageModel, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(PeftModel, "save_pretrained", killed)
        train(lm, tmp_path, **SETTINGS)
    steps: list[int] = []
    run = train(lm, tmp_path, progress=lambda done, total, unit, tokens: steps.append(done), **SETTINGS)
    assert steps == [] and run.said == [f"going on from step {STEPS} of {STEPS}"]
    assert same(run.adapter, undisturbed.adapter) and run.losses == undisturbed.losses
    assert run.report.loss == undisturbed.report.loss


def test_a_checkpoint_torn_while_it_is_written_is_not_gone_on_from(
    lm: LanguageModel, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def torn(tensors: object, path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            path.write_bytes(b"half of it")
            raise Killed
        original(tensors, path)

    original = checkpoint.save_file
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "save_file", torn)
        train(lm, tmp_path, **SETTINGS)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir() if path.is_dir()} == {".writing", "checkpoint-2"}
    run = train(lm, tmp_path, **SETTINGS)
    assert run.said == [f"going on from step 2 of {STEPS}"] and same(run.adapter, undisturbed.adapter)


def test_a_torn_line_of_the_log_is_replaced(lm: LanguageModel, undisturbed: Run, tmp_path: Path) -> None:
    killed_at(lm, tmp_path, 5)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 5, "los')
    assert train(lm, tmp_path, **SETTINGS).log == undisturbed.log


def test_how_a_batch_is_cut_may_change_in_between(lm: LanguageModel, undisturbed: Run, tmp_path: Path) -> None:
    killed_at(lm, tmp_path, 5, lora={"dropout": 0.0})
    other = {**SETTINGS, "lora": {"dropout": 0.0}, "micro_batch_size": 2, "checkpoints": 8}
    run = train(lm, tmp_path, **other)
    assert run.said == [f"going on from step 4 of {STEPS}"]
    assert same(run.adapter, train(lm, tmp_path / "whole", **other).adapter, 1e-3)


def test_the_newest_checkpoint_is_the_one_of_most_steps(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-10-old", ".writing", "checkpoint-"):
        (tmp_path / name).mkdir()
    found = last_checkpoint(tmp_path)
    assert found is not None and found.name == "checkpoint-10"


def is_pickle(path: Path) -> bool:
    if zipfile.is_zipfile(path):
        return True  # torch.save
    try:
        return any(op.name == "STOP" for op, _, _ in pickletools.genops(path.read_bytes()))
    except ValueError:
        return False


def test_no_file_of_a_run_is_a_pickle(lm: LanguageModel, tmp_path: Path) -> None:
    import pickle

    import torch

    torch.save({"a": torch.zeros(2)}, tmp_path / "torch")
    (tmp_path / "plain").write_bytes(pickle.dumps({"a": [1, 2]}))
    assert is_pickle(tmp_path / "torch") and is_pickle(tmp_path / "plain"), "the test cannot fail"

    out = tmp_path / "out"
    killed_at(lm, out, 3)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.parent.name == "checkpoint-2"} == {
        "state.safetensors",
        "state.json",
        "trainer_state.json",
        "checksums.json",
    }
    train(lm, out, **SETTINGS)
    files += [path for path in out.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".jinja", ".jsonl", ".safetensors", ".md", ".lock"}
    assert not [path for path in files if path.exists() and is_pickle(path)]


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.tiny import load_tiny
from support.training import train
SETTINGS = eval(sys.argv[4])

def progress(done, total, unit, tokens=0):
    if done == 6:
        os.kill(os.getpid(), signal.SIGKILL)

train(load_tiny(Path(sys.argv[2])), Path(sys.argv[3]), progress=progress, **SETTINGS)
"""


def test_a_process_that_is_killed_loses_at_most_the_steps_since_its_checkpoint(
    lm: LanguageModel, tiny_llama: Path, undisturbed: Run, tmp_path: Path
) -> None:
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tests, str(tiny_llama), str(tmp_path), repr(SETTINGS)],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "adapter").exists()
    run = train(lm, tmp_path, **SETTINGS)
    assert run.said == [f"going on from step 4 of {STEPS}"]
    # Two processes may round differently: the libraries choose by where in memory a matrix lies.
    assert same(run.adapter, undisturbed.adapter, 1e-4)
    assert run.losses == pytest.approx(undisturbed.losses, abs=1e-5) and steps_of(run) == list(range(1, STEPS + 1))
