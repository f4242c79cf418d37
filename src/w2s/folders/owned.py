"""A folder that a command writes its results into: nothing that it did not write is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from w2s.errors import InputError
from w2s.files import atomic_write, is_left_behind, remove_left_behind

__all__ = ["OwnedFolder"]

MARKER, LOCK = ".w2s-run", ".w2s-run.lock"
HEADER = "The files that w2s wrote here; the next run into this folder takes them away.\n"


@dataclass(frozen=True)
class OwnedFolder:
    """A folder, and which of its files a run wrote.

    Attributes:
        root: The folder.
    """

    root: Path

    def check(self) -> None:
        """Make sure that a run may write here.

        Raises:
            InputError: This is a file, or a folder with something in it that no run wrote.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file: expected a folder for the results, or a name for a new one")
        if self.root.is_dir() and not (self.root / MARKER).is_file():
            others = sorted(path.name for path in self.root.iterdir() if path.name != LOCK and not is_left_behind(path))
            if others:
                raise InputError(
                    f"{self.root} holds {others[0]!r}, which this version of w2s did not write: expected an empty "
                    "folder, that of a run, or a name for a new one"
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
        atomic_write(self.root / MARKER, HEADER)


def _is_own_folder(path: Path) -> bool:
    """Whether files may go into it: it is not there yet, or it is a folder and no link to one elsewhere."""
    return not path.is_symlink() and (path.is_dir() or not path.exists())
