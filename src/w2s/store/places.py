"""What lies where in a store's folder, who may touch it, and how it goes away."""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from w2s.files import atomic_write
from w2s.step import Address
from w2s.store.failing import FORMAT, FORMAT_FILE

__all__ = ["CACHE", "PARTIAL", "RUNS", "TRASH", "empty_trash", "held", "known_lock", "lock_of", "prepare", "throw_away"]

logger = logging.getLogger(__name__)

PARTIAL = ".partial"
"""What killed tries left: one folder a step, `KIND-KEY`, and one an import, `import-NUMBER`."""
TRASH = ".trash"
"""What is about to be gone. It was renamed to here, so that nothing half-removed lies where results do."""
CACHE = ".cache"
"""What outlives steps: see `step.Context`."""
RUNS = ".runs"
"""Who needs which results: see `register`."""
_LOCKS = ".locks"


def prepare(root: Path) -> None:
    """Make the folder of a store that is about to be written."""
    if not (root / FORMAT_FILE).exists():
        root.mkdir(parents=True, exist_ok=True)
        atomic_write(root / FORMAT_FILE, json.dumps({"format": FORMAT}) + "\n")


def lock_of(root: Path, address: Address) -> FileLock:
    """The lock on a result. The system frees it when its owner dies, however it dies."""
    (root / _LOCKS).mkdir(parents=True, exist_ok=True)
    # The lock file stays behind: removing it would let two processes each lock a file of that name.
    return FileLock(root / _LOCKS / f"{address.kind}-{address.key}.lock")


def known_lock(root: Path, address: Address) -> FileLock | None:
    """The lock on a result, where anybody ever took it; nothing is written."""
    return lock_of(root, address) if (root / _LOCKS / f"{address.kind}-{address.key}.lock").exists() else None


@contextmanager
def held(lock: FileLock, waiting: str) -> Iterator[None]:
    """Holds a lock, and says what for where it must be waited for."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("%s", waiting)
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


def throw_away(root: Path, folder: Path) -> Path:
    """Take a folder out of its place by one rename; the caller holds its lock, and removes what is returned."""
    # Removal takes many steps: the rename first, so that a kill leaves no half-removed result in place.
    trash = root / TRASH / uuid.uuid4().hex
    trash.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(trash)
    return trash


def empty_trash(root: Path) -> None:
    """Remove what was thrown away, also by a process that was killed before it was through."""
    if (root / TRASH).is_dir():
        for folder in (root / TRASH).iterdir():
            shutil.rmtree(folder, ignore_errors=True)
