"""A checkpoint is whole or is none, whatever happened to its files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.training import Run, same, train
from w2s import files
from w2s.models.load import LanguageModel
from w2s.training.checkpoint import drop_damaged, last_checkpoint

FILES = ["state.safetensors", "state.json", "trainer_state.json", "checksums.json"]
SETTINGS: dict[str, Any] = {"batch_size": 5, "lora": {"dropout": 0.1}, "checkpoints": 4, "epochs": 2}


class Killed(BaseException):
    """No `except Exception` stops it, as none stops a kill."""


@pytest.fixture(scope="module")
def undisturbed(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four steps with a checkpoint after each."""
    return train(lm, tmp_path_factory.mktemp("undisturbed") / "out", **SETTINGS)


@pytest.fixture(scope="module")
def killed(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, killed after its third checkpoint."""

    def progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done == 4:
            raise Killed

    out = tmp_path_factory.mktemp("killed") / "out"
    with pytest.raises(Killed):
        train(lm, out, progress=progress, **SETTINGS)
    kept = {path.name for path in (out / "checkpoints").iterdir()}
    assert kept == {"checkpoint-2", "checkpoint-3"}
    assert {path.name for path in (out / "checkpoints/checkpoint-3").iterdir()} == set(FILES)
    return out


def damage(path: Path, how: str, where: float) -> None:
    data = bytearray(path.read_bytes())
    at = int(where * (len(data) - 1))
    if how == "delete":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(data[:at])
    else:
        data[at] ^= 1 << int(where * 7)
        path.write_bytes(data)


@settings(max_examples=30)
@given(
    files=st.dictionaries(st.sampled_from([2, 3]), st.sampled_from(FILES), min_size=1),
    how=st.sampled_from(["delete", "truncate", "flip"]),
    where=st.floats(0, 1),
)
def test_a_damaged_checkpoint_changes_nothing_of_the_adapter(
    lm: LanguageModel,
    undisturbed: Run,
    killed: Path,
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[int, str],
    how: str,
    where: float,
) -> None:
    out = tmp_path_factory.mktemp("damaged") / "out"
    shutil.copytree(killed, out)
    for step, file in files.items():
        damage(out / f"checkpoints/checkpoint-{step}/{file}", how, where)
    run = train(lm, out, **SETTINGS)
    assert same(run.adapter, undisturbed.adapter) and run.losses == undisturbed.losses
    left = [step for step in (2, 3) if step not in files]
    dropped = [line for line in run.said if "damaged" in line]
    assert [line.split()[0] for line in dropped] == [f"checkpoint-{step}" for step in sorted(files)]
    anew = ["no checkpoint is left to go on from: the training is begun anew"]
    assert run.said[len(dropped) :] == ([f"going on from step {left[-1]} of 4"] if left else anew)


def test_checksums_of_no_file_make_no_checkpoint(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed / "checkpoints", tmp_path, dirs_exist_ok=True)
    for number, text in ((2, "{}"), (3, "[1]")):
        (tmp_path / f"checkpoint-{number}/checksums.json").write_text(text)
    assert last_checkpoint(tmp_path) is not None
    drop_damaged(tmp_path)
    assert last_checkpoint(tmp_path) is None and list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_adapter_is_not_gone_on_from_and_that_is_said(
    lm: LanguageModel, killed: Path, tmp_path: Path
) -> None:
    other = SETTINGS | {"lora": {"dropout": 0.1, "rank": 2}}
    shutil.copytree(killed, tmp_path / "out")
    run = train(lm, tmp_path / "out", **other)
    assert len(run.said) == 3 and all("of another adapter, by base_model.model." in line for line in run.said[:2])
    assert run.said[2] == "no checkpoint is left to go on from: the training is begun anew"
    assert same(run.adapter, train(lm, tmp_path / "whole", **other).adapter)


@pytest.mark.parametrize("removal", [1, 2, 3])
def test_a_kill_inside_a_removal_is_recovered_from(
    lm: LanguageModel, undisturbed: Run, tmp_path: Path, removal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third is the last: that of all checkpoints, when the adapter is there."""
    calls = 0

    def half(path: Path, ignore_errors: bool = False) -> None:
        nonlocal calls
        calls += 1
        if calls < removal:
            rmtree(path, ignore_errors=ignore_errors)
            return
        next(file for file in sorted(path.rglob("*")) if file.name == "state.json").unlink()
        raise Killed

    rmtree = shutil.rmtree
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(files.shutil, "rmtree", half)
        train(lm, tmp_path / "out", **SETTINGS)
    assert calls == removal
    for _ in range(2):
        run = train(lm, tmp_path / "out", **SETTINGS)
        assert same(run.adapter, undisturbed.adapter) and run.losses == undisturbed.losses


def test_a_torn_adapter_is_never_seen(
    lm: LanguageModel, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel

    def torn(self: PeftModel, path: Path, **kwargs: Any) -> None:
        path.mkdir()
        (path / "adapter_config.json").write_text("{")
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(PeftModel, "save_pretrained", torn)
        train(lm, tmp_path, **SETTINGS)
    assert not (tmp_path / "adapter").exists()
    assert same(train(lm, tmp_path, **SETTINGS).adapter, undisturbed.adapter)
