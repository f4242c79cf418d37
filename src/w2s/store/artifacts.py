"""Content-addressed artifacts: each result is computed once, is whole or absent, and survives a kill.

A `Step` says what to compute; its key is the hash of all that decides the outcome. The store keeps the
result in `root/<kind>/<key>/`. What computes it is looked up by its kind elsewhere: a step is plain data, and
can be sent to another process. A step writes into `root/.partial/`, and what a killed try left there is
where the next one goes on. When it is through, its files are synced, their hashes go into `manifest.json`,
and one rename puts the folder into place.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from w2s.environment import environment
from w2s.files import TEMPORARY, atomic_write, remove, sync_folder
from w2s.progress import Progress, no_progress
from w2s.step import Address, Build, Context, Step
from w2s.store.failing import FORMAT_FILE, explained
from w2s.store.manifest import MANIFEST, Manifest, find_fault, read_manifest, sync_and_record
from w2s.store.places import CACHE, PARTIAL, held, lock_of, prepare, throw_away

__all__ = ["Artifacts", "default_root"]

logger = logging.getLogger(__name__)


class Artifacts:
    """The finished results under one folder, which several processes may use at the same time.

    A finished result is checked against its manifest the first time that it is handed out; one that
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

    def path(self, step: Step | Address) -> Path:
        """The folder where the step's result is or will be."""
        return self.root / step.kind / step.key

    def manifest(self, step: Step | Address) -> Manifest | None:
        """The manifest of the step's result, or None where there is none or it cannot be read."""
        with explained(self.root):
            return read_manifest(self.path(step), Address(step.kind, step.key))

    def is_done(self, step: Step | Address) -> bool:
        """Whether the step's result has a manifest. Cheap: its files are not looked at."""
        # Asked of thousands of steps at once, most of which are not there: paths are dearer than the look.
        there = os.access(f"{self.root}/{step.kind}/{step.key}/{MANIFEST}", os.F_OK)
        return there and self.manifest(step) is not None

    def get(self, step: Step) -> Path | None:
        """The folder of the step's result, checked; None, after removing it, where it is damaged or absent."""
        with explained(self.root):
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
        with explained(self.root):
            # Without the lock first, so that a finished store serves from a read-only file system.
            if self._fault(step) is not None:
                with self._locked(step):
                    if self._sound(step) is None:
                        self._compute(step, build, progress)
            return self.path(step)

    def _fault(self, step: Step) -> str | None:
        """What is wrong with the step's result; None where it is whole."""
        folder = self.path(step)
        if read_manifest(folder, step.address) is not None and folder in self._checked:
            return None
        fault = find_fault(folder, step.address)
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
            self._checked.discard(folder)
            shutil.rmtree(throw_away(self.root, folder), ignore_errors=True)
        return None

    def _compute(self, step: Step, build: Build, progress: Progress) -> None:
        partial = self.root / PARTIAL / f"{step.kind}-{step.key}"
        # A whole partial folder is one that was killed between its manifest and its rename.
        if find_fault(partial, step.address) is not None:
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
            files=sync_and_record(partial),
            environment=environment(),
            started=started,
            finished=_now(),
            seconds=round(time.monotonic() - clock, 3),
        )
        atomic_write(partial / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")

    @contextmanager
    def _locked(self, step: Step) -> Iterator[None]:
        """Holds the step's lock."""
        lock = lock_of(self.root, step.address)
        prepare(self.root)
        with held(lock, f"waiting for another process that is building {step.label}"):
            yield


def default_root() -> Path:
    """The folder of the store: `W2S_HOME` of the environment, else `w2s` in the user's cache folder."""
    if home := os.environ.get("W2S_HOME"):
        return Path(home).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says to ignore a relative path.
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "w2s"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
