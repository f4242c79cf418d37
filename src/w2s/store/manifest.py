"""What `manifest.json` says of a finished result, and whether the files beside it are those."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from w2s.files import files_below, sha256_of, sync_folder
from w2s.step import Address, Json

__all__ = [
    "MANIFEST",
    "FileRecord",
    "Manifest",
    "find_fault",
    "is_of_another_version",
    "read_manifest",
    "sync_and_record",
]

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """The size and the hash of one file of a finished result."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `manifest.json` says of a finished result: how it came about, and every file in it.

    Attributes:
        inputs: The inputs' keys, by name.
        files: By path below the result's folder, with `/` between the parts.
        environment: Packages, processor and device that it was computed with.
        started: When the last try began, in UTC; a resumed result was begun earlier.
        seconds: How long the last try took.
    """

    kind: str
    key: str
    versions: Mapping[str, int | str]
    label: str
    settings: Mapping[str, Json]
    inputs: Mapping[str, str]
    files: Mapping[str, FileRecord]
    environment: Mapping[str, str]
    started: str
    finished: str
    seconds: float


def read_manifest(folder: Path, address: Address) -> Manifest | None:
    """The manifest in a folder; None where there is none, it cannot be read, or it is that of another result."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        files = {name: FileRecord(**record) for name, record in found.pop("files").items()}
        manifest = Manifest(**found, files=files)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return manifest if (manifest.kind, manifest.key) == address and _is_sound(manifest) else None


def _is_sound(manifest: Manifest) -> bool:
    """Whether what a manifest says is of the types that its readers expect."""
    texts: list[Any] = [manifest.label, manifest.started, manifest.finished]
    tables: list[Any] = [manifest.versions, manifest.settings, manifest.inputs, manifest.environment]
    if not all(isinstance(table, Mapping) for table in tables) or not isinstance(manifest.seconds, int | float):
        return False
    texts += [*manifest.inputs.values(), *manifest.environment.values()]
    files = manifest.files.values()
    return all(isinstance(text, str) for text in texts) and all(isinstance(file.bytes, int) for file in files)


def is_of_another_version(folder: Path) -> bool:
    """Whether a folder has a manifest with other fields than this version writes."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() != {field.name for field in fields(Manifest)}


def find_fault(folder: Path, address: Address) -> str | None:
    """What keeps a folder from being the whole result, after reading all of it; None if nothing does."""
    manifest = read_manifest(folder, address)
    if manifest is None:
        return f"{MANIFEST} is missing or cannot be read"
    for name, record in manifest.files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (size := path.stat().st_size) != record.bytes:
            return f"{name} has {size} bytes, expected {record.bytes}"
        if sha256_of(path) != record.sha256:
            return f"{name} has changed content"
    return None


def sync_and_record(folder: Path) -> dict[str, FileRecord]:
    """Brings all files of a folder safely to disk, and returns their sizes and hashes."""
    records = {}
    for name, path in files_below(folder).items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
            records[name] = FileRecord(bytes=file.tell(), sha256=digest)
    for inner in folder.rglob("*"):
        if inner.is_dir():
            sync_folder(inner)
    sync_folder(folder)
    return records
