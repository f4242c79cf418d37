"""Remove what nobody needs: never what a run names, what is at work, or what the store did not write."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import Timeout

from w2s.errors import InputError
from w2s.files import TEMPORARY
from w2s.step import Address
from w2s.store.contents import Contents, Held, Leftover, contents, files_now
from w2s.store.failing import StoreError, check_format
from w2s.store.manifest import MANIFEST
from w2s.store.places import empty_trash, known_lock, lock_of, throw_away
from w2s.store.register import Note, forget, locked

__all__ = ["Pruned", "counts", "prune"]


@dataclass(kw_only=True)
class Pruned:
    """What went, or, where nothing was done yet, what would.

    Attributes:
        results: Finished results that no run names.
        partial: What tries left that were broken off.
        notes: Notes of runs that no longer count.
        kept: Results that no run names and that stay all the same, with the reason.
        trash_bytes: Of what an earlier removal left.
    """

    results: list[Held] = field(default_factory=list)
    partial: list[Leftover] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    kept: list[tuple[Held | Leftover, str]] = field(default_factory=list)
    trash_bytes: int = 0

    @property
    def bytes(self) -> int:
        """What is gained."""
        going: list[Held | Leftover] = [*self.results, *self.partial]
        return sum(one.bytes for one in going) + self.trash_bytes


def counts(note: Note, before: datetime) -> bool:
    """Whether what a note names is needed. A run that was broken off counts until it is as old as what is removed."""
    return note.state in ("running", "finished", "elsewhere") or (note.state == "broken off" and note.begun >= before)


def prune(
    root: Path,
    *,
    older_than: timedelta,
    unused: bool,
    keep: Iterable[Address] = (),
    forget_runs: Collection[Path] = (),
    dry_run: bool = True,
) -> Pruned:
    """Remove what nobody needs and is older than that; first of all, find it.

    Args:
        root: The store's folder.
        older_than: Since it was computed or imported, or last named by a run.
        unused: Remove finished results that no run names; otherwise only what was broken off.
        keep: Results that stay, with all that they were made from.
        forget_runs: Folders of runs that are not to count: those that were given up, or moved.
        dry_run: Remove nothing.

    Raises:
        InputError: A folder to forget is that of no run, or of one that is at work.
        StoreError: The store is of another version, a note in it cannot be read, or a result to keep is damaged.
    """
    check_format(root)
    before = datetime.now(UTC) - older_than
    with nullcontext() if dry_run or not root.is_dir() else locked(root):
        found = contents(root)
        forgotten = _forgotten(found.notes, forget_runs)
        kept = _kept(found, keep)
        plan = _plan(found, before, unused=unused, keep=kept, forgotten=forgotten)
        thrown = _carry_out(root, plan, dry_run=dry_run)
    # Without the lock: it may take long, and nobody looks for results there.
    for folder in thrown:
        shutil.rmtree(folder, ignore_errors=True)
    if not dry_run:
        empty_trash(root)
    return plan


def _forgotten(known: Iterable[Note], folders: Collection[Path]) -> set[Path]:
    """The files of the notes on these folders."""
    asked = {folder.expanduser().absolute() for folder in folders}
    notes = [note for note in known if note.folder in asked]
    if unknown := asked - {note.folder for note in notes}:
        raise InputError(f"{min(unknown)}: expected the folder of a run that w2s store lists")
    if running := [note.folder for note in notes if note.state == "running"]:
        raise InputError(f"{running[0]}: a run is at work there, and cannot be forgotten")
    return {note.file for note in notes}


def _kept(found: Contents, keep: Iterable[Address]) -> set[Address]:
    """What is to be kept, and what it was made from."""
    kept = found.named(keep)
    if damaged := kept & set(found.unreadable):
        raise StoreError(
            f"{found.root / str(min(damaged))} is damaged, and nobody knows what it was made from: "
            "its run goes through it again, or w2s store verify --remove-damaged removes it"
        )
    return kept


def _plan(
    found: Contents, before: datetime, *, unused: bool, keep: Collection[Address], forgotten: Collection[Path]
) -> Pruned:
    """What nobody needs, by the notes."""
    plan = Pruned(trash_bytes=found.trash_bytes)
    needed = set(keep)
    seen: dict[Address, datetime] = {}
    for note in found.notes:
        if note.file in forgotten:
            plan.notes.append(note)
            continue
        if counts(note, before):
            needed |= note.steps
        elif unused and note.seen < before:
            plan.notes.append(note)
        for address in note.steps:
            seen[address] = max(note.seen, seen.get(address, note.seen))
    needed = found.named(needed)
    if unused:
        plan.results = [
            one
            for one in found.results
            if one.address not in needed and max(one.placed, seen.get(one.address, one.placed)) < before
        ]
    plan.partial = [one for one in found.partial if one.address not in needed and one.changed < before]
    return plan


def _carry_out(root: Path, plan: Pruned, *, dry_run: bool) -> list[Path]:
    """Throw away what a plan names, take from the plan what must stay; the folders that are to be removed."""
    thrown: list[Path] = []
    going: list[Held | Leftover] = [*plan.results, *plan.partial]
    plan.results, plan.partial = [], []
    for one in going:
        reason = (_foreign(one) if isinstance(one, Held) else None) or _throw(root, one, thrown, dry_run=dry_run)
        if reason is not None:
            plan.kept.append((one, reason))
        elif isinstance(one, Held):
            plan.results.append(one)
        else:
            plan.partial.append(one)
    if not dry_run:
        for note in plan.notes:
            forget(note)
    return thrown


def _foreign(one: Held) -> str | None:
    """Why a result is not only the store's to remove."""
    for path, _ in files_now(one.folder):
        name = path.relative_to(one.folder).as_posix()
        if name != MANIFEST and name not in one.manifest.files and not name.endswith(TEMPORARY):
            return f"it holds {name}, which the store did not write"
    return None


def _throw(root: Path, one: Held | Leftover, thrown: list[Path], *, dry_run: bool) -> str | None:
    """Throw it away, unless somebody holds it: then the reason to let it be."""
    lock = known_lock(root, one.address) if dry_run else lock_of(root, one.address)
    try:
        with lock.acquire(timeout=0) if lock is not None else nullcontext():
            if not dry_run:
                thrown.append(throw_away(root, one.folder))
    except Timeout:
        return "another process is at work on it"
    except FileNotFoundError:
        return "another process has removed it"
    return None
