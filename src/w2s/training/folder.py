"""The folder of a training: whose it is, one training in it at a time, and nothing half-removed in it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from w2s.errors import InputError
from w2s.files import TEMPORARY, atomic_write, sync_folder

__all__ = ["LOCK", "MARKER", "put_in_place", "remove", "training_folder"]

MARKER, LOCK = ".w2s-training.json", ".w2s-training.lock"

_REMOVING = ".removing-"
_RESULTS = ("adapter", "checkpoints", "log.jsonl", "training.json")

_log = logging.getLogger("w2s.training")


@contextmanager
def training_folder(out: Path, identity: str) -> Iterator[None]:
    """Hold a folder for one training, for as long as the block lasts.

    What a training of another identity left in it is removed, and said. The marker that tells our folders from
    others stays behind: a store may call a training again whose end it did not see.

    Args:
        out: The folder; it is made if it is not there.
        identity: A hash of what decides the training's outcome.

    Raises:
        InputError: The folder holds something that no training wrote, or another training is writing into it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{out} is no folder: expected an empty one or one of w2s train") from None
    _refuse_foreign(out)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{out}: another training is writing into this folder, expected one of its own") from None
    try:
        _claim(out, identity)
        yield
    finally:
        # Removed while it is held; whoever has opened it by then sees that its lock guards no name any more.
        (out / LOCK).unlink(missing_ok=True)
        lock.release()


def remove(path: Path) -> None:
    """Remove a file or a folder so that, whenever the process dies, it is there whole or not at all."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    trash = path.with_name(_REMOVING + uuid.uuid4().hex)
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def put_in_place(new: Path, final: Path) -> None:
    """Give a complete folder its name; what had the name before is removed."""
    for file in new.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    sync_folder(new)
    remove(final)
    new.rename(final)
    sync_folder(final.parent)


def _refuse_foreign(out: Path) -> None:
    if (out / MARKER).is_file():
        return
    found = [path.name for path in out.iterdir() if path.name != LOCK and not path.name.endswith(TEMPORARY)]
    if found:
        raise InputError(f"{out} holds {min(found)!r}: expected an empty folder or one of w2s train")


def _claim(out: Path, identity: str) -> None:
    """Clear what killed tries and other trainings left, and mark the folder as this training's."""
    _refuse_foreign(out)
    for folder in (out, out / "checkpoints"):
        for left in [*folder.glob(f"{_REMOVING}*"), *folder.glob(f".*{TEMPORARY}")]:
            remove(left)
    if _identity_of(out) == identity:
        return
    # The marker changes last: a kill before leaves less of the other training, but nothing under a wrong name.
    if (out / "adapter").exists() or any((out / "checkpoints").glob("checkpoint-*")):
        _log.info(f"{out} holds a training of other weights, settings or rows: beginning anew")
    for name in _RESULTS:
        remove(out / name)
    atomic_write(out / MARKER, json.dumps({"by": "w2s train", "identity": identity}) + "\n")


def _identity_of(out: Path) -> str | None:
    """The identity of the training whose folder it is; None where that cannot be read."""
    try:
        return str(json.loads((out / MARKER).read_bytes())["identity"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
