"""A training's folder holds one training whole, whoever else writes into it and whenever a process dies."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pyarrow as pa
import pytest

from support.experiments import training
from w2s.config import ModelSpec, TrainingSpec
from w2s.errors import InputError
from w2s.files import TEMPORARY
from w2s.pipeline import stages
from w2s.store import Store

SET = pa.table({"prompt": ["2+2=", "3+3="], "completion": [" 4", " 6"]})
SPECS = (training(1e-2), training(1e-3))


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> ModelSpec:
    return ModelSpec(name=str(tiny_llama), dtype="float32")


@pytest.fixture(scope="module")
def trained(llama: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[tuple[bytes, ...]]]:
    """A store with both trainings, and what each hands out."""
    folder = tmp_path_factory.mktemp("trained")
    store = Store(folder / "store")
    for number, spec in enumerate(SPECS):
        stages.train(SET, llama, spec, out=folder / str(number), store=store)
    return store, [contents(folder / str(number)) for number in range(2)]


def contents(out: Path) -> tuple[bytes, ...]:
    return tuple((out / name).read_bytes() for name in ("adapter/adapter_model.safetensors", "log.jsonl"))


@pytest.mark.parametrize("dies_at", range(4))
def test_a_process_that_dies_leaves_a_folder_that_the_next_one_may_write(
    dies_at: int,
    llama: ModelSpec,
    trained: tuple[Store, list[tuple[bytes, ...]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, (first, second) = trained
    out, calls = tmp_path / "student", 0
    stages.train(SET, llama, SPECS[0], out=out, store=store)
    assert contents(out) == first

    def dies(here: Path, there: Path) -> Path:
        nonlocal calls
        if calls == dies_at:
            raise KeyboardInterrupt
        calls += 1
        return rename(here, there)

    rename = Path.rename
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dies)
        if dies_at < 3:
            with pytest.raises(KeyboardInterrupt):
                stages.train(SET, llama, SPECS[1], out=out, store=store)
    stages.train(SET, llama, SPECS[1], out=out, store=store)
    assert contents(out) == second
    assert {path.name for path in out.iterdir()} == {
        "adapter",
        "log.jsonl",
        "training.json",
        "trained-on.json",
        ".w2s-train",
        ".w2s-train.lock",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_what_a_killed_process_left_of_its_list_of_names_is_nobody_s_file(
    llama: ModelSpec, trained: tuple[Store, list[tuple[bytes, ...]]], tmp_path: Path
) -> None:
    store, (_, second) = trained
    stages.train(SET, llama, SPECS[0], out=tmp_path, store=store)
    left = tmp_path / f".{'0' * 32}{TEMPORARY}"
    left.write_text("adapter/ada")
    os.utime(left, (0, 0))
    stages.train(SET, llama, SPECS[1], out=tmp_path, store=store)
    assert contents(tmp_path) == second and not left.exists()


@pytest.mark.parametrize("name", ["adapter/my-notes.md", "adapter/README.md", "adapter/more/README.md"])
def test_what_somebody_put_into_the_adapter_s_folder_is_not_removed(
    name: str, llama: ModelSpec, trained: tuple[Store, list[tuple[bytes, ...]]], tmp_path: Path
) -> None:
    store, (first, _) = trained
    out = tmp_path / "student"
    stages.train(SET, llama, SPECS[0], out=out, store=store)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    with pytest.raises(InputError, match=f"student holds '{name}', which this version of w2s train did not write"):
        stages.train(SET, llama, SPECS[1], out=out, store=store)
    assert (out / name).read_text() == "mine" and contents(out) == first


def test_a_folder_with_names_like_ours_is_somebody_else_s(
    llama: ModelSpec, trained: tuple[Store, list[tuple[bytes, ...]]], tmp_path: Path
) -> None:
    files = {"training.json": "my own settings", "adapter/precious.bin": "precious"}
    for name, text in files.items():
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text(text)
    with pytest.raises(InputError, match=r"mine holds 'adapter/precious\.bin'"):
        stages.train(SET, llama, SPECS[0], out=tmp_path / "mine", store=trained[0])
    assert {name: (tmp_path / "mine" / name).read_text() for name in files} == files


def hand_out(store: Path, model: str, spec: TrainingSpec, out: Path, times: int) -> None:
    for _ in range(times):
        stages.train(SET, ModelSpec(name=model, dtype="float32"), spec, out=out, store=Store(store))


def test_two_processes_leave_the_training_of_one(
    tiny_llama: Path, trained: tuple[Store, list[tuple[bytes, ...]]], tmp_path: Path
) -> None:
    store, handed_out = trained
    out = tmp_path / "student"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=hand_out, args=(store.root, str(tiny_llama), spec, out, 20)) for spec in SPECS]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert contents(out) in handed_out
    assert json.loads((out / "training.json").read_text())["rows"] == 2
