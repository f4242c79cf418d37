"""The names of the files in a run's folder, and whose they are: nothing that a run did not write is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from w2s.errors import InputError
from w2s.files import atomic_write

__all__ = ["MethodFolder", "RunFolder"]

MARKER, LOCK = ".w2s-run.json", ".w2s-run.lock"
WEAK_FOLDER = "weak-supervisor"


@dataclass(frozen=True)
class MethodFolder:
    """The files of one student, or of the weak supervisor, for one seed: those of its last round of training."""

    root: Path

    @property
    def training_set(self) -> Path:
        return self.root / "training_set.parquet"

    @property
    def selection(self) -> Path:
        return self.root / "selection.json"

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def training(self) -> Path:
        return self.root / "training.json"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.parquet"

    @property
    def adapter(self) -> Path:
        return self.root / "adapter"

    def round(self, number: int) -> MethodFolder:
        """The files of an earlier round, counted from 1."""
        return MethodFolder(self.root / f"round-{number}")


@dataclass(frozen=True)
class RunFolder:
    """A run's folder."""

    root: Path

    @property
    def results(self) -> Path:
        return self.root / "results.json"

    @property
    def settings(self) -> Path:
        return self.root / "experiment.yaml"

    @property
    def page(self) -> Path:
        return self.root / "report.html"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def questions(self) -> Path:
        return self.root / "questions.parquet"

    @property
    def gold(self) -> Path:
        return self.root / "gold.parquet"

    def scored(self, seed: int) -> Path:
        return self.root / f"seed-{seed}" / "scored.parquet"

    def weak(self, seed: int) -> MethodFolder:
        return MethodFolder(self.root / f"seed-{seed}" / WEAK_FOLDER)

    def method(self, seed: int, label: str) -> MethodFolder:
        return MethodFolder(self.root / f"seed-{seed}" / label)

    def check(self) -> None:
        """Make sure that a run may write here.

        Raises:
            InputError: This is a file, or a folder with something in it that no run wrote.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file: expected a folder for the results, or a name for a new one")
        if self.root.is_dir() and not (self.root / MARKER).is_file() and not self._is_of_an_older_version():
            others = [path.name for path in self.root.iterdir() if path.name not in (LOCK, MARKER)]
            if others:
                raise InputError(
                    f"{self.root} holds {sorted(others)[0]!r}, which no run wrote: expected an empty folder, that of a "
                    "run, or a name for a new one"
                )

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Own the folder for as long as the block lasts; what an earlier run left in it is taken away first.

        Raises:
            InputError: Another process owns it, or a file that no run wrote stands where one of this run would.
        """
        self.check()
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(f"{self.root}: another run is writing its results there; expected another --out") from None
        try:
            self._remove_own()
            yield
            self._remember()
        finally:
            lock.release()
            (self.root / LOCK).unlink(missing_ok=True)

    def _is_of_an_older_version(self) -> bool:
        try:
            return "format" in json.loads(self.results.read_bytes())
        except (OSError, ValueError, TypeError):
            return False

    def _own_files(self) -> list[str]:
        try:
            names: list[str] = json.loads((self.root / MARKER).read_bytes())["files"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        inside = [name for name in names if isinstance(name, str)]
        return [name for name in inside if not Path(name).is_absolute() and ".." not in Path(name).parts]

    def _remove_own(self) -> None:
        """Remove the files that the last run wrote, and the folders that are empty then."""
        folders: set[Path] = set()
        for name in self._own_files():
            path = self.root / name
            if path.is_symlink() or path.is_file():
                path.unlink()
            folders |= set(path.relative_to(self.root).parents)
        for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
            own = self.root / folder
            if own != self.root and own.is_dir() and not own.is_symlink() and not any(own.iterdir()):
                own.rmdir()
        # From here on nothing below is ours until it is written again.
        before = self._all_files() if not self._is_of_an_older_version() else []
        atomic_write(self.root / MARKER, json.dumps({"files": [], "foreign": before}) + "\n")

    def _remember(self) -> None:
        foreign = set(json.loads((self.root / MARKER).read_bytes())["foreign"])
        own = [name for name in self._all_files() if name not in foreign]
        atomic_write(self.root / MARKER, json.dumps({"files": own, "foreign": sorted(foreign)}) + "\n")

    def _all_files(self) -> list[str]:
        """All files and links below the folder; what a link leads to is not looked into."""
        found: list[str] = []

        def visit(folder: Path) -> None:
            for path in sorted(folder.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    visit(path)
                elif path.name not in (MARKER, LOCK):
                    found.append(path.relative_to(self.root).as_posix())

        visit(self.root)
        return found

    def refuse_foreign(self, path: Path) -> None:
        """Make sure that a file which is about to be written is not somebody else's.

        Raises:
            InputError: It is there, and no run wrote it.
        """
        foreign = json.loads((self.root / MARKER).read_bytes())["foreign"]
        if path.relative_to(self.root).as_posix() in foreign:
            raise InputError(f"{path} was there before the run and is not its own: move it, or choose another --out")
