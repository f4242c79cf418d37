"""Who needs which results: a note for each run, and one for whatever is being computed now.

A run notes all its steps before it looks for the first, and holds a lock for as long as it works; when it is through,
the note names its folder instead. So `prune` sees what is being used, and by whom what is finished is named.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from w2s.files import atomic_write
from w2s.step import Address
from w2s.store.failing import StoreError
from w2s.store.places import RUNS, held, prepare

__all__ = ["Note", "State", "forget", "locked", "notes", "using"]

logger = logging.getLogger(__name__)

FORMAT = 1
State = Literal["running", "finished", "elsewhere", "broken off", "gone"]


@dataclass(frozen=True, kw_only=True)
class Note:
    """Results that somebody needs.

    Attributes:
        file: Where it is written.
        label: What people call it.
        folder: The folder of the run; None for a single stage.
        machine: The name of the machine that it was written on.
        begun: When.
        finished: When it was through; None where it is at work, or was broken off.
        steps: The results that it names.
        state: `running`; `finished`, with its folder still there; `elsewhere`: finished on another machine, in a folder
            that is not seen from here; `broken off`; `gone`: its folder was removed, or moved.
    """

    file: Path
    label: str
    folder: Path | None
    machine: str
    begun: datetime
    finished: datetime | None
    steps: frozenset[Address]
    state: State

    @property
    def seen(self) -> datetime:
        """When it last needed its results, for all that is known."""
        return self.finished or self.begun


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Holds the register: while a note is written, and while `prune` reads them all and puts away what none names."""
    (root / RUNS).mkdir(parents=True, exist_ok=True)
    with held(FileLock(root / RUNS / "register.lock"), f"waiting for another process that is pruning {root}"):
        yield


def notes(root: Path) -> list[Note]:
    """All notes of a store.

    Raises:
        StoreError: One cannot be read: nobody knows what it names.
    """
    files = sorted((root / RUNS).glob("*.json"))
    return sorted((note for note in map(_read, files) if note is not None), key=lambda note: note.begun)


@contextmanager
def using(root: Path, steps: Iterable[Address], *, label: str, folder: Path | None = None) -> Iterator[None]:
    """Need results for as long as the block lasts, and, with a run's folder, for as long as that is there.

    A block that fails leaves its note, and what was computed for it is kept for the next try.

    Args:
        root: The store's folder. Where nothing can be written, nothing is noted.
        steps: All that is read or computed.
        label: What people call it.
        folder: The run's.
    """
    needed, begun = sorted(set(steps)), datetime.now(UTC)
    folder = folder.expanduser().absolute() if folder is not None else None
    file = root / RUNS / f"using-{uuid.uuid4().hex}.json"
    lock: FileLock | None = None
    try:
        prepare(root)
        with locked(root):
            lock = FileLock(file.with_suffix(".lock"))
            lock.acquire(timeout=0)
            _write(file, label, folder, begun, None, needed)
    except OSError as error:
        logger.info("what is used of the store is not noted there: %s", error.strerror or error)
    try:
        yield
        if lock is not None:
            with suppress(OSError, StoreError), locked(root):
                _finish(file, label, folder, begun, needed)
    finally:
        if lock is not None:
            lock.release()
            if not file.exists():
                file.with_suffix(".lock").unlink(missing_ok=True)


def _finish(file: Path, label: str, folder: Path | None, begun: datetime, needed: list[Address]) -> None:
    """Write the note of the finished run, and remove those of tries of it that were broken off."""
    if folder is not None:
        name = hashlib.sha256(f"{platform.node()}\0{folder}".encode(errors="surrogatepass")).hexdigest()[:32]
        _write(file.with_name(f"{name}.json"), label, folder, begun, datetime.now(UTC), needed)
    file.unlink(missing_ok=True)
    for other in notes(file.parents[1]):
        same = other.folder == folder if folder is not None else other.steps == frozenset(needed)
        if other.state == "broken off" and same and other.machine == platform.node():
            forget(other)


def forget(note: Note) -> None:
    """Remove a note; the register's lock is held."""
    note.file.unlink(missing_ok=True)
    if note.state != "running":
        note.file.with_suffix(".lock").unlink(missing_ok=True)


def _write(
    file: Path, label: str, folder: Path | None, begun: datetime, finished: datetime | None, steps: list[Address]
) -> None:
    fields = {
        "format": FORMAT,
        "label": label,
        "folder": None if folder is None else str(folder),
        "machine": platform.node(),
        "begun": begun.isoformat(timespec="seconds"),
        "finished": finished and finished.isoformat(timespec="seconds"),
        "steps": steps,
    }
    atomic_write(file, json.dumps(fields) + "\n")


def _read(file: Path) -> Note | None:
    """What a note says; None where it was removed in this moment."""
    try:
        fields = json.loads(file.read_bytes())
        if fields["format"] != FORMAT:
            raise ValueError(f"its format is {fields['format']!r}, expected {FORMAT}")
        folder = None if fields["folder"] is None else Path(fields["folder"])
        finished = fields["finished"] and datetime.fromisoformat(fields["finished"])
        return Note(
            file=file,
            label=str(fields["label"]),
            folder=folder,
            machine=str(fields["machine"]),
            begun=datetime.fromisoformat(fields["begun"]),
            finished=finished,
            steps=frozenset(Address(str(kind), str(key)) for kind, key in fields["steps"]),
            state=_state(file, folder, str(fields["machine"]), finished is not None),
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{file} cannot be read ({' '.join(str(error).split())}): nobody knows which results it names; "
            "remove it if its run need not count"
        ) from None


def _state(file: Path, folder: Path | None, machine: str, is_finished: bool) -> State:
    if _is_held(file.with_suffix(".lock")):
        return "running"
    if not is_finished:
        return "broken off"
    if folder is None or _is_there(folder):
        return "finished"
    return "gone" if machine == platform.node() else "elsewhere"


def _is_there(folder: Path) -> bool:
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # it cannot be looked at: for all that is known it is there
    return True


def _is_held(file: Path) -> bool:
    """Whether a process that lives holds a lock; where that cannot be found out, it does."""
    if not file.exists():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
