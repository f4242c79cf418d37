"""Archives by hand: as they should be, and as nobody should send them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from support.households import chain
from w2s.store.exchange import Taken, taken

__all__ = ["STEPS", "Member", "index_of", "listed", "member", "members_of", "packed", "take", "tree"]

STEPS = chain(3)

Member = tuple[tarfile.TarInfo, bytes]


def member(path: str, data: bytes = b"", **fields: Any) -> Member:
    info = tarfile.TarInfo(path)
    info.size = len(data)
    for name, value in fields.items():
        setattr(info, name, value)
    return info, data


def packed(file: Path, members: Iterable[Member]) -> Path:
    """A gzipped tar of these members, whatever they are."""
    with gzip.open(file, "wb") as out:
        for info, data in members:
            out.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict"))
            out.write(data + bytes(-len(data) % 512))
        out.write(bytes(1024))
    return file


def listed(about: Mapping[str, Any], files: Mapping[str, bytes], /, **changes: Any) -> list[Member]:
    """An index, and the files that it lists; `changes` are made to the index."""
    entries = [
        {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for path, data in files.items()
    ]
    index = {"format": 1, "about": dict(about), "files": entries, **changes}
    return [member("w2s-archive.json", json.dumps(index).encode()), *(member(*one) for one in files.items())]


def members_of(file: Path) -> dict[str, bytes]:
    """What an archive holds, as any other program reads it."""
    found = {}
    with tarfile.open(file, "r:gz") as archive:
        for info in archive:
            handle = archive.extractfile(info)
            assert handle is not None and info.isreg()
            found[info.name] = handle.read()
    return found


def index_of(file: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.load(io.BytesIO(members_of(file)["w2s-archive.json"]))
    return index


def take(root: Path, file: Path, *, keep_own: bool = False, folder: Path | None = None) -> Taken:
    """Take all that an archive holds into a store."""
    with taken(root, file, keep_own=keep_own, folder=folder) as found:
        return found


def tree(root: Path) -> dict[str, bytes]:
    """The results in a store."""
    paths = sorted(root.glob("kind-*/**/*"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}
