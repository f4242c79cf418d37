"""A folder that a command writes its results into: nothing that it did not write is touched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from w2s.errors import InputError
from w2s.files import atomic_write, is_left_behind, remove_left_behind

__all__ = ["OwnedFolder", "texts_in"]

MARKER, LOCK = ".w2s-run", ".w2s-run.lock"
HEADER = "The files that w2s wrote here, of a {kind}; the next {kind} into this folder takes them away.\n"
_KIND = re.compile(r"of a (\w+);")
_TOLD_BY = {"results.json": "run", "study.json": "study", "adapter_config.json": "student"}
"""The files that tell what a folder holds whose marker does not say it."""


@dataclass(frozen=True)
class OwnedFolder:
    """A folder, and which of its files a run wrote.

    Attributes:
        root: The folder.
        kind: What it holds; that of another kind is not written over.
    """

    root: Path
    kind: ClassVar[str] = "student"

    def check(self) -> None:
        """Make sure that a run may write here.

        Raises:
            InputError: This is a file, a folder with something in it that no run wrote, or one of another kind.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file: expected a folder for the results, or a name for a new one")
        if self.root.is_dir() and not (self.root / MARKER).is_file():
            others = sorted(path.name for path in self.root.iterdir() if path.name != LOCK and not is_left_behind(path))
            if others:
                raise InputError(
                    f"{self.root} holds {others[0]!r}, which this version of w2s did not write: expected an empty "
                    f"folder, that of a {self.kind}, or a name for a new one"
                )
        if (kind := self._kind()) not in (None, self.kind):
            raise InputError(
                f"{self.root} holds a {kind}: expected an empty folder, that of a {self.kind}, or a name for a new one"
            )

    def refuse_inputs(self, settings: object) -> None:
        """Make sure that nothing that is read is among the files of an earlier run here, which will be taken away.

        Args:
            settings: Any; a text in it that is the path of a file of the folder's, or of a folder in it, may be read.

        Raises:
            InputError: It is.
        """
        own = [file.parent.resolve() / file.name for file in self.files()]
        for text in texts_in(settings) if own else ():
            try:
                path = Path(text).expanduser()
                found = path.parent.resolve() / path.name if path != Path() and path.exists() else None
            except (OSError, ValueError, RuntimeError):  # a text that is no path
                continue
            inside = found is not None and self.root.resolve() in found.parents
            if inside and any(found == file or found in file.parents for file in own):
                raise InputError(
                    f"{text} is read, and a new {self.kind} in {self.root} takes it away first: expected another --out"
                )

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the folder for as long as the block lasts; what an earlier run wrote into it is taken away first.

        Raises:
            InputError: Another process owns it.
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
        finally:
            (self.root / LOCK).unlink(missing_ok=True)
            lock.release()

    def claim(self, path: Path) -> Path:
        """Note that a file is about to be written, so that the next run may take it away, whenever this one dies.

        Returns:
            The path; its folder is made.

        Raises:
            InputError: It is there, and no run wrote it; or what should be a folder of it is a link or a file.
        """
        name = path.relative_to(self.root).as_posix()
        if foreign := next((folder for folder in self._folders(name) if not _is_own_folder(folder)), None):
            raise InputError(f"{foreign} was there before, and no run wrote it: move it, or choose another --out")
        if name not in self._own_files():
            if path.exists() or path.is_symlink():
                raise InputError(f"{path} was there before, and no run wrote it: move it, or choose another --out")
            with (self.root / MARKER).open("a", encoding="utf-8") as file:
                file.write(name + "\n")
                file.flush()
                os.fsync(file.fileno())
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def files(self) -> Iterator[Path]:
        """What was written here and is still there: files, and links."""
        for name in self._own_files():
            path = self.root / name
            if not any(folder.is_symlink() for folder in self._folders(name)) and (path.is_symlink() or path.is_file()):
                yield path

    def is_whole(self) -> bool:
        """Whether all that was written here is there."""
        names = self._own_files()
        return bool(names) and all((self.root / name).exists() for name in names)

    def _kind(self) -> str | None:
        """What the folder holds, a student, a run or a study; None where nothing is in it, or nothing says it."""
        try:
            with (self.root / MARKER).open(encoding="utf-8", errors="replace") as file:
                told = _KIND.search(file.readline())
        except (FileNotFoundError, NotADirectoryError):
            return None
        names = self._own_files()
        return told[1] if told else next((kind for name, kind in _TOLD_BY.items() if name in names), None)

    def _own_files(self) -> list[str]:
        try:
            names = (self.root / MARKER).read_text(encoding="utf-8", errors="replace").split("\n")[1:]
        except FileNotFoundError:
            return []
        return [name for name in names if name and not Path(name).is_absolute() and ".." not in Path(name).parts]

    def _folders(self, name: str) -> list[Path]:
        """The folders that a file is in, below this one, outermost first."""
        return [self.root / folder for folder in list(Path(name).parents)[-2::-1]]

    def _remove_own(self) -> None:
        """Remove the files that earlier runs wrote, whole or not, and the folders that are empty then."""
        folders: set[Path] = {Path()}
        for name in self._own_files():
            if any(folder.is_symlink() for folder in self._folders(name)):
                continue  # what is behind the link is not this run's
            path = self.root / name
            if path.is_symlink() or path.is_file():
                path.unlink()
            folders |= set(Path(name).parents)
        for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
            own = self.root / folder
            if own == self.root or (own.is_dir() and not own.is_symlink()):
                remove_left_behind(own, older_than=0)  # the lock is ours
            if own != self.root and own.is_dir() and not own.is_symlink() and not any(own.iterdir()):
                own.rmdir()
        atomic_write(self.root / MARKER, HEADER.format(kind=self.kind))


def texts_in(settings: object) -> set[str]:
    """Every text in settings of any depth."""
    if isinstance(settings, str):
        return {settings}
    inner = settings.values() if isinstance(settings, Mapping) else settings
    if not isinstance(inner, Iterable):
        return set()
    return {text for value in inner for text in texts_in(value)}


def _is_own_folder(path: Path) -> bool:
    """Whether files may go into it: it is not there yet, or it is a folder and no link to one elsewhere."""
    return not path.is_symlink() and (path.is_dir() or not path.exists())
