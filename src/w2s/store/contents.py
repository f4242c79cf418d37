"""What a store holds: every result with its size and age, who names it, and what lies beside the results."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from w2s.step import Address
from w2s.store.failing import check_format
from w2s.store.manifest import MANIFEST, Manifest, is_of_another_version, read_manifest
from w2s.store.places import CACHE, PARTIAL, TRASH
from w2s.store.register import Note, notes

__all__ = ["Contents", "Held", "Leftover", "contents", "files_now", "partials", "size_of"]


@dataclass(frozen=True, kw_only=True)
class Held:
    """A finished result.

    Attributes:
        address: Its kind and key.
        folder: Where it lies.
        manifest: What it says of itself.
        bytes: The size of its files.
        placed: When it came into this store.
    """

    address: Address
    folder: Path
    manifest: Manifest
    bytes: int
    placed: datetime


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """What a try that was broken off left, and a next one goes on from.

    Attributes:
        address: The step; of an import, kind `import`.
        folder: Where it lies.
        bytes: The size of its files.
        changed: When anything in it was last changed.
    """

    address: Address
    folder: Path
    bytes: int
    changed: datetime


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All that a store holds.

    Attributes:
        root: Its folder.
        results: What is finished.
        partial: What tries left that were broken off.
        notes: Who needs what.
        unreadable: Results whose manifest is gone or is none: damaged, until they are computed again.
        others: What lies among the results and this version did not write: it is left alone.
        cache_bytes: The size of what outlives steps: the replies of servers.
        trash_bytes: The size of what a process was removing when it was killed.
    """

    root: Path
    results: list[Held]
    partial: list[Leftover]
    notes: list[Note]
    unreadable: list[Address]
    others: list[Path]
    cache_bytes: int
    trash_bytes: int

    @cached_property
    def by_address(self) -> Mapping[Address, Held]:
        """The finished results."""
        return {one.address: one for one in self.results}

    def named(self, addresses: Iterable[Address]) -> set[Address]:
        """These, and all results that they were made from, as far as the manifests tell."""
        places = {address.key: address for address in [*self.by_address, *self.unreadable]}
        found: set[Address] = set()
        todo = list(addresses)
        while todo:
            address = todo.pop()
            if address not in found:
                found.add(address)
                held = self.by_address.get(address)
                todo += [places[key] for key in held.manifest.inputs.values() if key in places] if held else []
        return found

    def size(self, addresses: Collection[Address] | None = None) -> int:
        """The bytes of these results that are there; of all, without any."""
        return sum(one.bytes for one in self.results if addresses is None or one.address in addresses)


def contents(root: Path) -> Contents:
    """Look through a store. Sizes are those that the manifests tell: no file of a result is read.

    Raises:
        StoreError: It is of another version, or a note in it cannot be read.
    """
    check_format(root)
    results: list[Held] = []
    unreadable: list[Address] = []
    others: list[Path] = []
    for folder, address in _folders(root):
        held = None if address is None else _held(folder, address)
        if held is not None:
            results.append(held)
        elif address is None or is_of_another_version(folder):
            others.append(folder)
        elif folder.exists():
            unreadable.append(address)
    return Contents(
        root=root,
        results=results,
        partial=list(partials(root)),
        notes=notes(root),
        unreadable=unreadable,
        others=others,
        cache_bytes=size_of(root / CACHE),
        trash_bytes=size_of(root / TRASH),
    )


def partials(root: Path) -> Iterator[Leftover]:
    """What tries left that were broken off, or are at work."""
    folder = root / PARTIAL
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        address = Address.parse("/".join(path.name.rsplit("-", 1)))
        if address is not None and path.is_dir() and not path.is_symlink():
            stats = [stat for _, stat in files_now(path)]
            with suppress(FileNotFoundError):
                changed = _time(max([path.stat().st_mtime, *(stat.st_mtime for stat in stats)]))
                size = sum(stat.st_size for stat in stats)
                yield Leftover(address=address, folder=path, bytes=size, changed=changed)


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder; 0 where there is none."""
    return sum(stat.st_size for _, stat in files_now(folder))


def files_now(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Files and links below a folder, none followed; what other processes remove in this moment is left out."""
    for inner, folders, names in os.walk(folder):
        for name in [*names, *(name for name in folders if (Path(inner) / name).is_symlink())]:
            path = Path(inner) / name
            with suppress(FileNotFoundError):
                yield path, path.lstat()


def _folders(root: Path) -> Iterator[tuple[Path, Address | None]]:
    """All that lies where results do; with an address where a result may lie there, and no link leads to it."""
    for kind in sorted(root.iterdir()) if root.is_dir() else ():
        if kind.name.startswith(".") or not kind.is_dir():
            continue
        if kind.is_symlink():
            yield kind, None
            continue
        for folder in sorted(kind.iterdir()):
            own = folder.is_dir() and not folder.is_symlink()
            yield folder, Address.parse(f"{kind.name}/{folder.name}") if own else None


def _held(folder: Path, address: Address) -> Held | None:
    manifest = read_manifest(folder, address)
    if manifest is None:
        return None
    try:
        stat = (folder / MANIFEST).stat()
    except FileNotFoundError:
        return None  # it was removed in this moment
    size = stat.st_size + sum(record.bytes for record in manifest.files.values())
    return Held(address=address, folder=folder, manifest=manifest, bytes=size, placed=_time(stat.st_mtime))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
