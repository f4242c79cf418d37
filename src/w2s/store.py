"""Content-addressed artifacts: each result is computed once, is whole or absent, and survives a kill.

A `Step` says what to compute; its key is the hash of all that decides the outcome. The `Store` keeps the
result in `root/<kind>/<key>/`. What computes it is looked up by its kind elsewhere: a step is plain data, and
can be sent to another process. A step writes into `root/.partial/`, and what a killed try left there is
where the next one goes on. When it is through, its files are synced, their hashes go into `manifest.json`,
and one rename puts the folder into place.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from w2s.environment import environment
from w2s.errors import InputError
from w2s.files import TEMPORARY, atomic_write, files_below, remove, sha256_of, sync_folder
from w2s.progress import Progress, no_progress
from w2s.step import Build, Context, Json, Step

__all__ = [
    "FileRecord",
    "Manifest",
    "Store",
    "StoreError",
    "default_root",
]

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CACHE = ".cache"  # what outlives steps: see `step.Context`
FORMAT_FILE, FORMAT = "store.json", 2

HINTS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
    errno.ENOTDIR: "make it a folder",
}
FULL = {errno.ENOSPC, errno.EDQUOT}


class StoreError(InputError):
    """The store's folder cannot be used: full, read-only, or not a folder."""


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


class Store:
    """The finished results under one folder, which several processes may use at the same time.

    A finished result is checked against its manifest the first time that a `Store` hands it out; one that
    was damaged is removed, said to be, and computed again. Machines that share the folder exclude each other
    where its file system carries `flock` across machines.

    Args:
        root: The folder; it is made when the first result is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self._checked: set[Path] = set()
        if not (self.root / FORMAT_FILE).exists() and any(self.root.glob("*/*/manifest.json")):
            logger.warning("%s holds results of another version of w2s: they are left alone and not used", self.root)

    @property
    def cache(self) -> Path:
        """What outlives steps: see `step.Context`."""
        return self.root / CACHE

    def path(self, step: Step) -> Path:
        """The folder where the step's result is or will be."""
        return self.root / step.kind / step.key

    def manifest(self, step: Step) -> Manifest | None:
        """The manifest of the step's result, or None where there is none or it cannot be read."""
        with self._explained():
            return _read_manifest(self.path(step), step)

    def is_done(self, step: Step) -> bool:
        """Whether the step's result has a manifest. Cheap: its files are not looked at."""
        return self.manifest(step) is not None

    def get(self, step: Step) -> Path | None:
        """The folder of the step's result, checked; None, after removing it, where it is damaged or absent."""
        with self._explained():
            if self._fault(step) is None:
                return self.path(step)
            if not self.path(step).exists():
                return None
            with self._locked(step):
                return self._sound(step)

    def run(self, step: Step, build: Build, progress: Progress = no_progress) -> Path:
        """The folder of the step's result, which is computed if need be. The inputs must be done.

        Args:
            step: What to compute.
            build: Computes it.
            progress: Is told how far it is.

        Raises:
            StoreError: The store is full or cannot be written.
        """
        with self._explained():
            # Without the lock first, so that a finished store serves from a read-only file system.
            if self._fault(step) is not None:
                with self._locked(step):
                    if self._sound(step) is None:
                        self._compute(step, build, progress)
            return self.path(step)

    def _fault(self, step: Step) -> str | None:
        """What is wrong with the step's result; None where it is whole."""
        folder = self.path(step)
        if _read_manifest(folder, step) is not None and folder in self._checked:
            return None
        fault = _find_fault(folder, step)
        if fault is None:
            self._checked.add(folder)
        return fault

    def _sound(self, step: Step) -> Path | None:
        """As `get`, for the holder of the lock: only it may remove, or it might remove another's repair."""
        folder = self.path(step)
        fault = self._fault(step)
        if fault is None:
            return folder
        if folder.exists():
            logger.warning("%s: damaged, to be computed again: %s in %s", step.label, fault, folder)
            self._discard(folder)
        return None

    def _compute(self, step: Step, build: Build, progress: Progress) -> None:
        partial = self.root / ".partial" / f"{step.kind}-{step.key}"
        # A whole partial folder is one that was killed between its manifest and its rename.
        if _find_fault(partial, step) is not None:
            self._build(step, partial, build, progress)
        folder = self.path(step)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder)
        sync_folder(folder.parent)
        sync_folder(partial.parent)
        self._checked.add(folder)

    def _build(self, step: Step, partial: Path, build: Build, progress: Progress) -> None:
        inputs: dict[str, Path] = {}
        for name, step_before in step.inputs.items():
            folder = self.get(step_before)
            assert folder is not None, f"{step.label} needs its input {name} ({step_before.label}) to be run first"
            inputs[name] = folder

        partial.mkdir(parents=True, exist_ok=True)
        (partial / MANIFEST).unlink(missing_ok=True)
        for leftover in list(partial.rglob(f"*{TEMPORARY}")):
            remove(leftover)

        started, clock = _now(), time.monotonic()
        context = Context(progress=progress, execution=step.execution, cache=self.cache)
        build(step.settings, inputs, partial, context)
        assert not (partial / MANIFEST).exists(), f"{step.label} wrote {MANIFEST}, which is the store's own name"
        manifest = Manifest(
            kind=step.kind,
            key=step.key,
            versions=step.versions,
            label=step.label,
            settings=step.settings,
            inputs={name: step_before.key for name, step_before in step.inputs.items()},
            files=_sync_and_record(partial),
            environment=environment(),
            started=started,
            finished=_now(),
            seconds=round(time.monotonic() - clock, 3),
        )
        atomic_write(partial / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")

    def _discard(self, folder: Path) -> None:
        self._checked.discard(folder)
        # Removal takes many steps: the rename first, so that a kill leaves no half-removed result in place.
        trash = self.root / ".trash" / uuid.uuid4().hex
        trash.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)

    @contextmanager
    def _locked(self, step: Step) -> Iterator[None]:
        """Holds the step's lock. The system frees it when its owner dies, however it dies."""
        locks = self.root / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        if not (self.root / FORMAT_FILE).exists():
            atomic_write(self.root / FORMAT_FILE, json.dumps({"format": FORMAT}) + "\n")
        # The lock file stays behind: removing it would let two processes each lock a file of that name.
        lock = FileLock(locks / f"{step.kind}-{step.key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("waiting for another process that is building %s", step.label)
            lock.acquire(poll_interval=0.2)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what the system says of a store that is full or cannot be written into one line."""
        try:
            yield
        except Exception as error:
            number = _error_number(error)
            if number not in HINTS or not self._concerns_store(error, number):
                raise
            raise StoreError(
                f"cannot use the store {self.root}: {os.strerror(number).lower()}; "
                f"{HINTS[number]}, or set W2S_HOME to another folder (what is finished stays valid)"
            ) from error

    def _concerns_store(self, error: Exception, number: int) -> bool:
        """Whether an error met in a build is about this folder, rather than a file of the user's."""
        name = getattr(error, "filename", None)
        if not isinstance(name, str):
            return number in FULL  # a failed write does not know its file's name
        return Path(name).is_relative_to(self.root)


def default_root() -> Path:
    """The folder of the store: `W2S_HOME` of the environment, else `w2s` in the user's cache folder."""
    if home := os.environ.get("W2S_HOME"):
        return Path(home).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says to ignore a relative path.
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "w2s"


def _read_manifest(folder: Path, step: Step) -> Manifest | None:
    try:
        fields = json.loads((folder / MANIFEST).read_bytes())
        files = {name: FileRecord(**record) for name, record in fields.pop("files").items()}
        manifest = Manifest(**fields, files=files)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return manifest if (manifest.kind, manifest.key) == (step.kind, step.key) else None


def _find_fault(folder: Path, step: Step) -> str | None:
    """What keeps a folder from being the step's whole result, after reading all of it; None if nothing does."""
    manifest = _read_manifest(folder, step)
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


def _sync_and_record(folder: Path) -> dict[str, FileRecord]:
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


def _error_number(error: Exception) -> int | None:
    """The system's number of an error; safetensors and tokenizers have it only in their text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
