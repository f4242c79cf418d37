"""Put the result of a training into a user's folder, whole, and over nothing that w2s did not write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from filelock import FileLock

from w2s.errors import InputError
from w2s.files import TEMPORARY, atomic_write, files_below, remove_left_behind
from w2s.pipeline.origin import TRAINED_ON, TrainedOn
from w2s.pipeline.steps import PREDICTIONS_FILE
from w2s.tables import write_table

__all__ = ["check_out", "hand_out"]

_HANDED_OUT = ("adapter", "log.jsonl", "training.json")
_NAMES = (*_HANDED_OUT, TRAINED_ON, PREDICTIONS_FILE)
_MARKER = ".w2s-train"
"""Names the files that w2s train wrote into the folder, however a process died that was writing."""
_LOCK = ".w2s-train.lock"
_NEW = ".w2s-train-new"


def check_out(out: Path) -> None:
    """Make sure that a folder is one to write an adapter into: nothing that we did not write is replaced."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: expected a folder for the adapter, or a name for a new one")
    if (out / _LOCK).exists():
        with FileLock(out / _LOCK):  # another process may be in the middle of its hand-out
            _check_files(out)
    elif out.is_dir():
        _check_files(out)


def _check_files(out: Path) -> None:
    if foreign := sorted(set(_files(out)) - _own_files(out)):
        raise InputError(
            f"{out} holds {foreign[0]!r}, which this version of w2s train did not write: expected an "
            "empty folder, one that it wrote, or a name for a new one"
        )


def hand_out(result: Path, out: Path, learned: TrainedOn, predictions: pa.Table | None = None) -> None:
    """Copy a training's result into the folder, whole before any of it takes the place of an older one."""
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / _LOCK):
        _check_files(out)  # again: it may have been hours
        remove_left_behind(out)
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
        written = set(files_below(new))
        _note(out, written | _own_files(out))
        for name in _NAMES:
            _remove(out / name, out)
            if (new / name).exists():
                (new / name).rename(out / name)
        new.rmdir()
        _note(out, written)


def _files(out: Path) -> Iterator[str]:
    """The files and links in the folder, by their names below it, without those that come and go with a hand-out."""
    ours = {_MARKER, _LOCK, _NEW}
    for path in out.iterdir():
        if path.name in ours or path.name.endswith(TEMPORARY):
            continue
        for found in (path, *path.rglob("*")):
            if found.is_symlink() or found.is_file():
                yield found.relative_to(out).as_posix()


def _own_files(out: Path) -> set[str]:
    """What w2s train wrote there."""
    try:
        return set((out / _MARKER).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return set()


def _note(out: Path, names: set[str]) -> None:
    atomic_write(out / _MARKER, "".join(f"{name}\n" for name in sorted(names)))


def _remove(old: Path, out: Path) -> None:
    """Remove a file, or a folder, that w2s train wrote."""
    for name in _own_files(out):
        path = out / name
        if path == old or old in path.parents:
            path.unlink(missing_ok=True)
    if old.is_dir():
        for folder in (*sorted(old.rglob("*"), reverse=True), old):
            folder.rmdir()  # and no more: a file that is there now, somebody has put there since
