"""Files on disk: written whole or not at all, and named by their content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not there on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "TEMPORARY",
    "atomic_write",
    "file_sha256",
    "files_below",
    "is_left_behind",
    "put_in_place",
    "remove",
    "remove_left_behind",
    "sha256_of",
    "sync_folder",
    "tree_sha256",
    "written_beside",
]

TEMPORARY = ".w2s-tmp"
_OURS = re.compile(rf"\.[0-9a-f]{{32}}{re.escape(TEMPORARY)}")
_HOUR = 3600.0


@contextmanager
def written_beside(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that takes the place of another when the block ends, and is gone when it fails.

    So the other has its old content or all of the new, whenever the process dies.

    Args:
        path: The file; its folder is made if it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are closed to all but their owner, and a store may be shared.
    temporary = path.parent / f".{uuid.uuid4().hex}{TEMPORARY}"
    try:
        with temporary.open("xb") as file:
            if fcntl is not None:
                with suppress(OSError):  # some file systems have no locks
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:  # while it is held, so that nobody takes it for left behind
                temporary.replace(path)
        if fcntl is None:
            temporary.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names no file, and the temporary one says nothing to anybody
        raise
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def is_left_behind(path: Path) -> bool:
    """Whether a killed process left this of what it wrote or removed: its name is such a one, and nobody holds it."""
    if fcntl is None or not _OURS.fullmatch(path.name) or path.is_symlink():
        return False
    if path.is_dir():  # only what was being removed has such a name
        return True
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # who writes it holds it; where there are no locks, nobody can tell
        return False
    return True


def remove_left_behind(folder: Path, *, older_than: float = _HOUR) -> None:
    """Remove what killed processes left in a folder, not below it, of what they wrote or removed.

    Args:
        folder: Nothing happens where it is not there, or where we may not remove from it.
        older_than: Seconds since a file was last written to. A file system may keep its locks to one machine, so that
            a file which is being written on another seems to be left behind.
    """
    if not folder.is_dir():
        return
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            if not is_left_behind(path):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif time.time() - path.stat().st_mtime >= older_than:
                path.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write a file, whole or not at all; text is written as UTF-8."""
    with written_beside(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def remove(path: Path) -> None:
    """Remove a file or a folder so that, whenever the process dies, it is there whole or not at all."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    trash = path.with_name(f".{uuid.uuid4().hex}{TEMPORARY}")
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


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content; read once while size, time of change and inode stay the same."""
    path = path.resolve()
    stat = path.stat()
    return _cached_sha256(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def tree_sha256(folder: Path) -> str:
    """The SHA-256 of a folder's files, by their names in it and their content; the same wherever it lies.

    Hidden files and folders do not count: `.git` and the hub's `.cache` note when a model was downloaded.
    """
    files = {name: file_sha256(path) for name, path in files_below(folder).items() if "/." not in f"/{name}"}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def files_below(folder: Path) -> dict[str, Path]:
    """All files below a folder by their path in it, in the order of the names."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _cached_sha256(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    return sha256_of(path)


def sync_folder(folder: Path) -> None:
    """Brings a folder's list of names safely to disk."""
    # Some network file systems refuse to sync a folder. What is lost then is a recent rename: work, not truth.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
