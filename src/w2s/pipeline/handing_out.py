"""Put the result of a training into a user's folder, whole, and over nothing that w2s did not write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
from filelock import FileLock

from w2s.errors import InputError
from w2s.pipeline.origin import TRAINED_ON, TrainedOn
from w2s.pipeline.steps import PREDICTIONS_FILE
from w2s.tables import write_table

__all__ = ["check_out", "hand_out"]

_HANDED_OUT = ("adapter", "log.jsonl", "training.json")
_NAMES = (*_HANDED_OUT, TRAINED_ON, PREDICTIONS_FILE)
_MARKER = ".w2s-train"
"""Says that a folder is ours, however a process died that wrote into it; who holds its lock is the one who writes."""
_NEW = ".w2s-train-new"


def check_out(out: Path) -> None:
    """Make sure that a folder is one to write an adapter into: nothing that we did not write is replaced."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: expected a folder for the adapter, or a name for a new one")
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    foreign = names - {*_NAMES, _MARKER, _NEW}
    if names and (foreign or not names & {_MARKER, "training.json"}):
        raise InputError(
            f"{out} holds {sorted(foreign or names)[0]!r}, which w2s train did not write: expected an "
            "empty folder, one that it wrote, or a name for a new one"
        )


def hand_out(result: Path, out: Path, learned: TrainedOn, predictions: pa.Table | None = None) -> None:
    """Copy a training's result into the folder, whole before any of it takes the place of an older one."""
    out.mkdir(parents=True, exist_ok=True)
    check_out(out)  # again: it may have been hours
    with FileLock(out / _MARKER):
        new = out / _NEW
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for name in _HANDED_OUT:
            source = result / name
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(source, new / name)
        learned.write(new / TRAINED_ON)
        if predictions is not None:
            write_table(predictions, new / PREDICTIONS_FILE)
        for name in _NAMES:
            old = out / name
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink(missing_ok=True)
            if (new / name).exists():
                (new / name).rename(old)
        new.rmdir()
        (out / _MARKER).touch()
