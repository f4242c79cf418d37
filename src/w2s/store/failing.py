"""A store that is full, cannot be written, or was written by another version: said in one line."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from w2s.errors import InputError

__all__ = ["FORMAT", "FORMAT_FILE", "StoreError", "check_format", "explained"]

FORMAT_FILE, FORMAT = "store.json", 2

_HINTS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
    errno.ENOTDIR: "make it a folder",
}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class StoreError(InputError):
    """The store's folder cannot be used: full, read-only, not a folder, or of another version."""


def check_format(root: Path) -> None:
    """Make sure that a store, if there is one, is of this version.

    Raises:
        StoreError: It is of another.
    """
    try:
        found = json.loads((root / FORMAT_FILE).read_bytes())["format"]
    except (FileNotFoundError, NotADirectoryError):
        if not any(root.glob("*/*/manifest.json")):
            return
        found = "unknown"
    except (ValueError, TypeError, KeyError, RecursionError):
        found = "unknown"
    if found != FORMAT:
        raise StoreError(
            f"{root} holds results of another version of w2s (format {found}): expected format {FORMAT}; "
            "they are left alone and not used"
        )


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turns what the system says of a store that is full or cannot be written into one line."""
    try:
        yield
    except Exception as error:
        number = _error_number(error)
        if number not in _HINTS or not _concerns(root, error, number):
            raise
        raise StoreError(
            f"cannot use the store {root}: {os.strerror(number).lower()}; "
            f"{_HINTS[number]}, or set W2S_HOME to another folder (what is finished stays valid)"
        ) from error


def _concerns(root: Path, error: Exception, number: int) -> bool:
    """Whether an error met in a build is about the store, rather than a file of the user's."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str):
        return number in _FULL  # a failed write does not know its file's name
    return Path(name).is_relative_to(root)


def _error_number(error: Exception) -> int | None:
    """The system's number of an error; safetensors and tokenizers have it only in their text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None
