"""The store, as a household: results are computed once, and kept for as long as somebody needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from w2s.progress import Progress, no_progress
from w2s.step import Address, Step, walk
from w2s.store.artifacts import Artifacts
from w2s.store.contents import Contents, contents
from w2s.store.failing import explained
from w2s.store.pruning import Pruned, prune
from w2s.store.register import using
from w2s.store.verifying import Verified, verify

__all__ = ["Store"]


class Store(Artifacts):
    """The finished results under one folder: see `Artifacts`; and what there is, who needs it, and what may go.

    Args:
        root: The folder; it is made when the first result is written.
    """

    @contextmanager
    def using(
        self, targets: Iterable[Step], *, label: str, folder: Path | None = None, more: Iterable[Address] = ()
    ) -> Iterator[None]:
        """Need steps, and all before them, while the block lasts: `prune` leaves them alone, whoever calls it.

        Args:
            targets: The steps.
            label: What people call it.
            folder: That of a run, which needs them for as long as it is there.
            more: Other results that are needed.
        """
        needed = [step.address for step in walk(targets, stop=lambda _: False)]
        with using(self.root, [*needed, *more], label=label, folder=folder):
            yield

    def contents(self) -> Contents:
        """All that is in it: sizes, ages, and who needs what.

        Raises:
            StoreError: It is of another version, or damaged.
        """
        with explained(self.root):
            return contents(self.root)

    def prune(
        self,
        *,
        unused: bool = False,
        older_than: timedelta = timedelta(days=30),
        keep: Iterable[Address] = (),
        forget_runs: Iterable[Path] = (),
        dry_run: bool = True,
    ) -> Pruned:
        """Remove what was broken off, and, with `unused`, the results that no run names; first of all, find it.

        Args:
            unused: Remove finished results, too.
            older_than: Since it was computed or imported, or last named by a run.
            keep: Results that stay, with all that they were made from: `Result.load(folder).artifacts`.
            forget_runs: Folders of runs that are not to count: those that were given up, or moved.
            dry_run: Remove nothing.

        Raises:
            InputError: A folder to forget is that of no run, or of one that is at work.
            StoreError: It is of another version, damaged, or cannot be written.
        """
        with explained(self.root):
            return prune(
                self.root,
                older_than=older_than,
                unused=unused,
                keep=keep,
                forget_runs=list(forget_runs),
                dry_run=dry_run,
            )

    def verify(self, *, remove_damaged: bool = False, progress: Progress = no_progress) -> Verified:
        """Read every file of every result, and compare it with its manifest.

        Args:
            remove_damaged: Remove what is damaged; a run would do so when it next needs it.
            progress: Is told the bytes read and the bytes in all.

        Raises:
            StoreError: It is of another version, or cannot be written.
        """
        with explained(self.root):
            return verify(self.root, remove_damaged=remove_damaged, progress=progress)
