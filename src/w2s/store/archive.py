"""An archive of files: a gzipped tar, whose first member lists the others with their sizes and hashes.

What comes from elsewhere is read with as little trust as it was written with care: plain files only, each at a path
below the folder that it is unpacked into, in the order and with the size and the hash that the list tells. Both
directions stream: an archive may be far larger than memory.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from w2s.errors import InputError
from w2s.files import written_beside
from w2s.reading.unpacking import bomb, most_unpacked

__all__ = ["SUFFIXES", "Entry", "Index", "is_safe", "unpack", "write_archive"]

SUFFIXES = (".tar.gz", ".tgz")
FORMAT = 1
_INDEX = "w2s-archive.json"
_MOST_INDEX = 16 << 20  # bytes, which is 100,000 files
_BLOCK, _CHUNK = 512, 1 << 20
_CODE = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".so")
"""What runs when it is loaded, or may: w2s writes none of these."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of an archive: its path, with `/` between the parts, its size and its hash."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Index:
    """What an archive says of itself.

    Attributes:
        about: Plain data, for whoever wrote it.
        files: What follows, in this order.
    """

    about: Mapping[str, Any]
    files: list[Entry]


def write_archive(file: Path, about: Mapping[str, Any], files: Iterable[tuple[Entry, Path]]) -> None:
    """Write an archive, whole or not at all; the same content gives the same bytes.

    Args:
        file: Where to.
        about: What the index says beside the files.
        files: Each with where it lies.

    Raises:
        InputError: A file is not what its entry says, or its path or size is too long for a tar.
    """
    listed = list(files)
    fields = {"format": FORMAT, "about": about, "files": [asdict(entry) for entry, _ in listed]}
    index = (json.dumps(fields, indent=0) + "\n").encode()
    if len(index) > _MOST_INDEX:
        raise InputError(f"{file} would hold {len(listed):,} files: expected fewer")
    with (
        written_beside(file) as raw,
        # What is large does not shrink: weights are noise, and tables are packed already.
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=0) as packed,
    ):
        _put(packed, Entry(path=_INDEX, bytes=len(index), sha256=hashlib.sha256(index).hexdigest()), io.BytesIO(index))
        for entry, path in listed:
            with path.open("rb") as source:
                _put(packed, entry, source)
        packed.write(bytes(2 * _BLOCK))


def unpack(file: Path, into: Path, check: Callable[[Index], Collection[str]]) -> Index:
    """Unpack an archive into a folder that is new.

    Args:
        file: The archive.
        into: The folder.
        check: Is told what the archive says of itself, before anything is written; returns the paths to leave out.

    Raises:
        InputError: It is damaged or no archive, or holds what an archive may not.
    """
    with _explained(file), gzip.open(file, "rb") as packed:
        index = _read_index(packed, file)
        _check_sizes(file, index, into)
        unwanted = check(index)
        for entry in index.files:
            _expect(packed, entry)
            if entry.path in unwanted:
                _pass(packed, entry, io.BytesIO(), keep=False)
                continue
            path = into / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                _pass(packed, entry, target, keep=True)
        if _header(packed) is not None:
            raise _DamagedError("it holds more files than it lists")
    return index


class _DamagedError(ValueError):
    """What is wrong with an archive."""


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, zlib.error, EOFError, tarfile.HeaderError, UnicodeError, _DamagedError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{file} is damaged, or was not written by w2s store export: {said}") from None


# Writing


def _put(packed: gzip.GzipFile, entry: Entry, source: IO[bytes]) -> None:
    info = tarfile.TarInfo(entry.path)
    info.size = entry.bytes
    if not is_safe(entry.path):
        raise InputError(f"{entry.path!r} cannot be packed: expected a name that any system takes")
    try:
        packed.write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
    except ValueError as error:
        raise InputError(f"{entry.path} ({entry.bytes:,} bytes) does not fit into an archive: {error}") from None
    digest, left = hashlib.sha256(), entry.bytes
    while left and (data := source.read(min(left, _CHUNK))):
        digest.update(data)
        packed.write(data)
        left -= len(data)
    if left or source.read(1) or digest.hexdigest() != entry.sha256:
        raise InputError(
            f"{getattr(source, 'name', entry.path)} is damaged, or was changed: its content is not its own"
        )
    packed.write(bytes(-entry.bytes % _BLOCK))


# Reading


def _exactly(packed: gzip.GzipFile, count: int) -> bytes:
    data = packed.read(count)
    if len(data) < count:
        raise EOFError("it ends in the middle")
    return data


def _header(packed: gzip.GzipFile) -> tarfile.TarInfo | None:
    """The next header, of a plain file; None at the end. Of other kinds nothing is read: their size is anybody's."""
    block = _exactly(packed, _BLOCK)
    if not any(block):
        return None
    info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise _DamagedError(f"{info.name!r} in it is no plain file")
    return info


def _expect(packed: gzip.GzipFile, entry: Entry) -> None:
    info = _header(packed)
    if info is None or (info.name, info.size) != (entry.path, entry.bytes):
        found = "its end" if info is None else f"{info.name!r} of {info.size} bytes"
        raise _DamagedError(f"expected {entry.path!r} of {entry.bytes} bytes, found {found}")


def _pass(packed: gzip.GzipFile, entry: Entry, target: IO[bytes], *, keep: bool) -> None:
    """Read a file's content and compare it with its hash."""
    digest, left = hashlib.sha256(), entry.bytes
    while left:
        data = _exactly(packed, min(left, _CHUNK))
        digest.update(data)
        if keep:
            target.write(data)
        left -= len(data)
    _exactly(packed, -entry.bytes % _BLOCK)
    if digest.hexdigest() != entry.sha256:
        raise _DamagedError(f"{entry.path!r} in it has another content than it lists")


def _read_index(packed: gzip.GzipFile, file: Path) -> Index:
    info = _header(packed)
    if info is None or info.name != _INDEX or not 0 <= info.size <= _MOST_INDEX:
        raise _DamagedError(f"it does not begin with {_INDEX}")
    try:
        fields = json.loads(_exactly(packed, info.size))
        _exactly(packed, -info.size % _BLOCK)
        if fields["format"] != FORMAT:
            raise InputError(f"{file} was written by another version of w2s (format {fields['format']!r})")
        index = Index(about=dict(fields["about"]), files=[Entry(**entry) for entry in fields["files"]])
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _DamagedError(f"its index cannot be read ({error})") from None
    _check_entries(index.files)
    return index


def _check_entries(files: list[Entry]) -> None:
    seen: set[str] = set()
    for entry in files:
        if not isinstance(entry.path, str) or not is_safe(entry.path):
            raise _DamagedError(f"{entry.path!r} is no path that may be written to")
        if type(entry.bytes) is not int or entry.bytes < 0 or not isinstance(entry.sha256, str):
            raise _DamagedError(f"{entry.path!r} has no size or no hash")
        if entry.path.lower().endswith(_CODE):
            raise _DamagedError(f"{entry.path!r} may run when it is loaded: such files are not taken")
        # As file systems compare names that know no case, or write accents in another way.
        name = unicodedata.normalize("NFC", entry.path).casefold()
        if name in seen:
            raise _DamagedError(f"{entry.path!r} is there twice")
        seen.add(name)
    for name in seen:
        if any(parent.as_posix() in seen for parent in Path(name).parents):
            raise _DamagedError(f"{name!r} lies in what is a file")


def is_safe(path: str) -> bool:
    """Whether a path stays below the folder that it is put into, on any system."""
    parts = path.split("/")
    plain = path.isprintable() and not set(path) & set('\\:*?"<>|') and len(path) <= 255
    return plain and all(part not in ("", ".", "..") and part == part.strip(" ") and part[-1] != "." for part in parts)


def _check_sizes(file: Path, index: Index, into: Path) -> None:
    total, size = sum(entry.bytes for entry in index.files), file.stat().st_size
    if total > most_unpacked(size):
        raise InputError(bomb(file, size, "bytes"))
    there = next(folder for folder in into.parents if folder.exists())
    if total > (free := shutil.disk_usage(there).free):
        raise InputError(f"{file} unpacks to {total:,} bytes, and {there} has {free:,} free: make room there")
