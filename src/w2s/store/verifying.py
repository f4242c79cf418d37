"""Check every result against its manifest."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from w2s.progress import Progress, no_progress
from w2s.step import Address
from w2s.store.contents import Contents, contents
from w2s.store.manifest import find_fault
from w2s.store.places import lock_of, throw_away

__all__ = ["Damaged", "Verified", "verify"]


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A result that is not whole.

    Attributes:
        address: Its kind and key.
        label: What people call it; empty where its manifest cannot be read.
        fault: What is wrong.
        removed: Whether it was removed.
    """

    address: Address
    label: str
    fault: str
    removed: bool


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What a check of all results found.

    Attributes:
        whole: How many are as their manifests say.
        damaged: Those that are not.
        others: What lies among the results and this version of w2s did not write.
    """

    whole: int
    damaged: list[Damaged]
    others: list[Path]


def verify(root: Path, *, remove_damaged: bool = False, progress: Progress = no_progress) -> Verified:
    """Read every file of every result.

    Args:
        root: The store's folder.
        remove_damaged: Remove what is damaged; a run would do so when it next needs it.
        progress: Is told the bytes read and the bytes in all.

    Raises:
        StoreError: The store is of another version.
    """
    found = contents(root)
    labels = {one.address: one.manifest.label for one in found.results}
    total, done, whole = found.size(), 0, 0
    damaged: list[Damaged] = []
    for address, folder in _to_check(found):
        fault = _fault(folder, address) and _fault(folder, address)  # again: it may just have been put right
        if fault is None:
            whole += 1
        elif folder.exists():
            removed = remove_damaged and _remove(root, address, folder)
            damaged.append(Damaged(address=address, label=labels.get(address, ""), fault=fault, removed=removed))
        done += found.by_address[address].bytes if address in labels else 0
        progress(done, total, "bytes")
    return Verified(whole=whole, damaged=damaged, others=found.others)


def _to_check(found: Contents) -> list[tuple[Address, Path]]:
    """The results, and what lies in the place of one and has no manifest."""
    return [(address, found.root / str(address)) for address in [*found.by_address, *found.unreadable]]


def _fault(folder: Path, address: Address) -> str | None:
    try:
        return find_fault(folder, address)
    except FileNotFoundError:
        return "it was removed in this moment"


def _remove(root: Path, address: Address, folder: Path) -> bool:
    """Remove a damaged result, unless a process is at work on it or has put it right."""
    try:
        with lock_of(root, address).acquire(timeout=0):
            if find_fault(folder, address) is None:
                return False
            thrown = throw_away(root, folder)
    except (Timeout, FileNotFoundError):
        return False
    shutil.rmtree(thrown, ignore_errors=True)
    return True
