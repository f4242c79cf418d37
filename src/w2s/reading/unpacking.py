"""What is in a file, unzipped, and what its name says of it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from w2s.errors import InputError

__all__ = [
    "ALWAYS_UNPACKED",
    "EXPECTED",
    "MAX_RATIO",
    "SUFFIXES",
    "bomb",
    "bytes_of",
    "is_zipped",
    "most_unpacked",
    "stem_of",
    "suffix_of",
]

SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".json")
EXPECTED = ", ".join("*" + suffix for suffix in SUFFIXES)
_ZIPPED = ".gz"

MAX_RATIO = 100
"""How many times its size a zipped file may unpack to: tables come to 20 or so, a bomb to 1,000."""
ALWAYS_UNPACKED = 64 << 20
"""What any file may unpack to, in bytes."""


def suffix_of(path: Path) -> str:
    """The suffix that says how a file is read, in lower case and without ".gz"."""
    name = path.name.lower().removesuffix(_ZIPPED)
    return Path(name).suffix


def stem_of(path: Path) -> str:
    """A file's name without the suffixes that say how it is read."""
    return Path(path.stem).stem if is_zipped(path) else path.stem


def is_zipped(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() == _ZIPPED


def most_unpacked(size: int) -> int:
    """How many bytes, or values, a packed file of that size may hold."""
    return max(ALWAYS_UNPACKED, MAX_RATIO * size)


def bomb(path: Path, size: int, what: str) -> str:
    """What is wrong with a file that holds more than that."""
    return (
        f"{path}: its {size:,} bytes unpack to more than {most_unpacked(size):,} {what}, "
        f"the limit ({MAX_RATIO} times the size, or {ALWAYS_UNPACKED >> 20} Mi)"
    )


def bytes_of(path: Path) -> bytes:
    """What is in a file, unzipped.

    Raises:
        InputError: It is broken, or a bomb: what it unpacks to is more than any table is.
    """
    if not is_zipped(path):
        return path.read_bytes()
    size = path.stat().st_size
    limit = most_unpacked(size)
    unpacked = 0
    try:
        with gzip.open(path) as file:
            while chunk := file.read(1 << 20):  # counted before any of it is kept
                unpacked += len(chunk)
                if unpacked > limit:
                    raise InputError(f"{bomb(path, size, 'bytes')}; if it is meant to be so large, unpack it yourself")
            file.seek(0)
            return file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
