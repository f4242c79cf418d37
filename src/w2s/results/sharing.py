"""A run for somebody else: its folder and all results that it was made from, as one archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from w2s.errors import InputError
from w2s.folders.layout import Adapters, RunFolder
from w2s.results.records import RunRecords
from w2s.step import Address
from w2s.store import Store, default_root
from w2s.store.archive import SUFFIXES
from w2s.store.exchange import Link, Taken, pack, taken
from w2s.store.failing import explained

__all__ = ["Exported", "export_run", "import_run"]

_MODEL = "model"  # the kind of a model that was converted


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What went into an archive.

    Attributes:
        file: The archive.
        results: How many results.
        files: How many files of the run's folder.
        left_out: Results that no run reads and that were left out: they were not there, or are converted models.
    """

    file: Path
    results: int
    files: int
    left_out: int


def export_run(folder: str | Path, out: str | Path, *, store: Store | None = None, models: bool = False) -> Exported:
    """Write a finished run and all results that it was made from into one file.

    Args:
        folder: The run's.
        out: The file: .tar.gz or .tgz.
        store: Where the results are; by default `store.default_root()`.
        models: Include converted models. They are large, and can be converted again from the original model.

    Raises:
        InputError: The folder holds no finished run, or a result is damaged or no longer there.
    """
    store, file, own = store or Store(default_root()), Path(out).expanduser(), RunFolder(Path(folder).expanduser())
    if not file.name.lower().endswith(SUFFIXES):
        raise InputError(f"{file}: expected a name that ends in {' or '.join(SUFFIXES)}")
    run = RunRecords.load(folder)
    paths = list(own.files())
    if own.results not in paths:
        raise InputError(f"{own.root} holds no list of its files (.w2s-run): expected the folder that w2s run wrote")
    with explained(store.root):
        named = store.contents().named(run.artifacts)
        there = {address for address in named if store.is_done(address)}
        if missing := [step for step in run.info.get("steps", []) if Address.parse(_text(step)) not in there]:
            raise InputError(
                f"{own.root}: {len(missing)} of its results are not in {store.root}, such as {missing[0]['label']}: "
                "expected the store that it was run with (--store)"
            )
        wanted = {address for address in there if models or address.kind != _MODEL}
        files = {path.relative_to(own.root).as_posix(): path for path in paths if not path.is_symlink()}
        links = list(_links(own, paths, store))
        pack(store.root, file, wanted, name=own.root.absolute().name, files=files, links=links)
    return Exported(file=file, results=len(wanted), files=len(files) + len(links), left_out=len(named - wanted))


def _text(step: object) -> str:
    return f"{step.get('kind')}/{step.get('key')}" if isinstance(step, dict) else ""


def _links(own: RunFolder, paths: list[Path], store: Store) -> Iterator[Link]:
    """The adapters of the folder that are links."""
    for path in paths:
        if path.is_symlink():
            root, to = store.root.resolve(), path.resolve()
            parts = to.relative_to(root).parts if to.is_relative_to(root) else ()
            address = Address.parse("/".join(parts[:2]))
            if address is None or len(parts) < 3:
                raise InputError(f"{path} leads to {to}: expected a link into {root}")
            yield Link(path=path.relative_to(own.root).as_posix(), address=address, inner="/".join(parts[2:]))


def import_run(
    file: str | Path,
    *,
    store: Store | None = None,
    out: str | Path | None = None,
    adapters: Adapters = "link",
    keep_own: bool = False,
) -> Taken:
    """Import a run from a file that `export_run` wrote: its results into the store, and its folder.

    Every path, size and hash is checked, and nothing is imported if one is wrong. Whether the numbers are those that
    the settings would give is not checked: that would mean computing them again.

    Args:
        file: The archive.
        store: Where the results go; by default `store.default_root()`.
        out: Where the run's folder goes, as for `run`; None for the results alone.
        adapters: How the folder holds the students' adapters.
        keep_own: If the store has a result with other content, keep it; by default the archive is then refused.

    Raises:
        InputError: It is damaged or no archive, lacks a result that the run was read from, holds what it may not, or
            differs from what is there; or the folder is somebody else's.
    """
    store, path = store or Store(default_root()), Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    own = None if out is None else RunFolder(Path(out).expanduser())
    if own is not None:
        own.check()

    def named(folder: Path) -> list[Address]:
        try:
            steps = RunRecords.load(folder).info.get("steps", [])
        except InputError as error:
            raise InputError(f"{path} holds no finished run: {error}") from None
        return [address for step in steps if (address := Address.parse(_text(step))) is not None]

    to = own.root if own else None
    with explained(store.root), taken(store.root, path, keep_own=keep_own, folder=to, named=named) as found:
        if own is not None:
            if behind := set(found.kept) & {link.address for link in found.links}:
                raise InputError(
                    f"{own.root}: {min(map(str, behind))} was there with another content and is kept, so that its "
                    "adapter is not that of these results: expected --out in an import without --keep-own"
                )
            with own.owned():
                for name, staged in found.files.items():
                    shutil.copyfile(staged, own.claim(own.root / name))
                for link in found.links:
                    own.put_adapter(store.path(link.address) / link.inner, own.root / link.path, adapters)
    return found
