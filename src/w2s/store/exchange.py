"""Results from one store to another: packed into an archive with a run's own files, and taken out of it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from w2s.errors import InputError
from w2s.files import sha256_of, sync_folder
from w2s.step import Address, key_of
from w2s.store.archive import Entry, Index, is_safe, unpack, write_archive
from w2s.store.failing import FORMAT, check_format
from w2s.store.manifest import MANIFEST, FileRecord, find_fault, read_manifest, sync_and_record
from w2s.store.places import PARTIAL, held, lock_of, prepare, throw_away
from w2s.store.register import using

__all__ = ["Link", "Taken", "pack", "taken"]

_RESULTS, _RUN = "store", "run"  # the folders in an archive
_IMPORT = "import"  # the kind that an import's leftovers go by


@dataclass(frozen=True, kw_only=True)
class Link:
    """What is in a run's folder as a link into the store, at `path`: something in the result of a step."""

    path: str
    address: Address
    inner: str


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What was taken out of an archive.

    Attributes:
        name: What the run was called.
        new: The results that are new here.
        same: Those that were there.
        kept: Those that were there with another content, and stayed as they were.
        files: The run's own files, by their path in its folder.
        links: The links in that folder.
    """

    name: str
    new: list[Address]
    same: list[Address]
    kept: list[Address]
    files: Mapping[str, Path]
    links: Sequence[Link]


def pack(
    root: Path, file: Path, addresses: Iterable[Address], *, name: str, files: Mapping[str, Path], links: Iterable[Link]
) -> None:
    """Write results and a run's own files into an archive.

    Args:
        root: The store's folder.
        file: The archive.
        addresses: The results; all are there.
        name: What the run is called.
        files: The run's own, by their path in its folder.
        links: The links in that folder.

    Raises:
        InputError: A file is damaged.
    """
    check_format(root)
    addresses = sorted(set(addresses))
    about = {
        "store": FORMAT,
        "name": name,
        "links": [{"path": link.path, "address": str(link.address), "inner": link.inner} for link in links],
    }
    with using(root, addresses, label=f"export of {name}"):
        packed = [(_entry(f"{_RUN}/{path}", where), where) for path, where in files.items()]
        for address in addresses:
            packed += _packed(root / str(address), address)
        write_archive(file, about, packed)


def _entry(path: str, where: Path) -> Entry:
    return Entry(path=path, bytes=where.stat().st_size, sha256=sha256_of(where))


def _packed(folder: Path, address: Address) -> Iterator[tuple[Entry, Path]]:
    """A result's files, the manifest first."""
    manifest = read_manifest(folder, address)
    if manifest is None:
        raise InputError(f"{folder} is damaged: w2s store verify says how")
    yield _entry(f"{_RESULTS}/{address}/{MANIFEST}", folder / MANIFEST), folder / MANIFEST
    for name, record in manifest.files.items():
        path = f"{_RESULTS}/{address}/{name}"
        yield Entry(path=path, bytes=record.bytes, sha256=record.sha256), folder / name


@contextmanager
def taken(
    root: Path,
    file: Path,
    *,
    keep_own: bool,
    folder: Path | None,
    named: Callable[[Path], Iterable[Address]] = lambda _: (),
) -> Iterator[Taken]:
    """Take all results of an archive into a store, or none; the run's own files are there while the block lasts.

    Args:
        root: The store's folder.
        file: The archive.
        keep_own: Where a result is there already with another content, keep it; otherwise refuse the archive.
        folder: That of the run, which needs the results from then on.
        named: Is told where the run's own files are; returns the results that the archive must hold for them.

    Raises:
        InputError: It is damaged or no archive, lacks a result, holds what it may not, or differs from what is there.
        StoreError: The store is of another version, or cannot be written.
    """
    check_format(root)
    prepare(root)
    own = Address(_IMPORT, uuid.uuid4().hex)
    staged = root / PARTIAL / f"{own.kind}-{own.key}"
    lock = lock_of(root, own)
    with held(lock, "waiting"):
        staged.mkdir(parents=True)
        try:
            same: list[Address] = []
            differ: list[Address] = []

            def check(index: Index) -> Collection[str]:
                return _check(root, file, index, same, differ, keep_own=keep_own)

            index = unpack(file, staged, check)
            new = sorted(set(_results(index)) - {*same, *differ})
            for address in new:
                _check_result(file, staged / _RESULTS / str(address), address)
            if missing := sorted(set(named(staged / _RUN)) - set(_results(index))):
                raise InputError(f"{file} lacks {len(missing)} of the results of its run, such as {missing[0]}")
            name = str(index.about["name"])
            with using(root, _results(index), label=f"import of {name}", folder=folder):
                if gone := [one for one in (*same, *differ) if read_manifest(root / str(one), one) is None]:
                    raise InputError(
                        f"{gone[0]} was removed from {root} in this moment: expected the same command again"
                    )
                for address in new:
                    _place(root, staged / _RESULTS / str(address), address)
                yield Taken(
                    name=name,
                    new=new,
                    same=same,
                    kept=differ,
                    files=_run_files(index, staged),
                    links=_links(index),
                )
        finally:
            shutil.rmtree(throw_away(root, staged), ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)  # no other process has or will have one of this name


def _results(index: Index) -> dict[Address, dict[str, FileRecord]]:
    """The files of each result that an archive holds."""
    found: dict[Address, dict[str, FileRecord]] = {}
    for entry in index.files:
        top, _, rest = entry.path.partition("/")
        if top == _RUN and rest and not rest.startswith("."):  # those are notes that a run's folder makes for itself
            continue
        kind, _, rest = rest.partition("/")
        key, _, name = rest.partition("/")
        address = Address.parse(f"{kind}/{key}")
        if top != _RESULTS or address is None or not name:
            raise InputError(f"{entry.path!r} is no file of a run or of a result")
        found.setdefault(address, {})[name] = FileRecord(bytes=entry.bytes, sha256=entry.sha256)
    return found


def _run_files(index: Index, staged: Path) -> dict[str, Path]:
    paths = [entry.path for entry in index.files if entry.path.startswith(f"{_RUN}/")]
    return {path.removeprefix(f"{_RUN}/"): staged / path for path in paths}


def _links(index: Index) -> list[Link]:
    """The links of the run's folder: each to a folder in a result that the archive holds."""
    found, results = [], _results(index)
    for fields in index.about["links"]:
        address = Address.parse(fields["address"])
        path, inner = fields["path"], fields["inner"]
        if address not in results or address is None or not is_safe(path) or not is_safe(inner):
            raise ValueError(f"a link from {path!r} to {inner!r} in {address}")
        if not any(name.startswith(f"{inner}/") for name in results[address]):
            raise ValueError(f"a link from {path!r} to {inner!r} in {address}, where there is no such folder")
        found.append(Link(path=path, address=address, inner=inner))
    return found


def _check(
    root: Path, file: Path, index: Index, same: list[Address], differ: list[Address], *, keep_own: bool
) -> set[str]:
    """Compare an archive with what is there, before anything is written; the paths that are not wanted."""
    try:
        if index.about["store"] != FORMAT:
            raise InputError(f"{file} holds results of another version of w2s: expected format {FORMAT}")
        results = _results(index)
        _links(index)
        str(index.about["name"])
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{file} is damaged, or was not written by w2s store export: {error}") from None
    for address, files in results.items():
        folder = root / str(address)
        manifest = read_manifest(folder, address)
        if manifest is not None and find_fault(folder, address) is None:
            listed = {name: record for name, record in files.items() if name != MANIFEST}
            (same if dict(manifest.files) == listed else differ).append(address)
    if differ and not keep_own:
        raise InputError(
            f"{file}: {len(differ)} of its {len(results)} results are here already with another content, such as "
            f"{differ[0]}: expected another store (--store), or --keep-own, which takes the others"
        )
    unwanted = {*same, *differ}
    return {
        f"{_RESULTS}/{address}/{name}" for address, files in results.items() if address in unwanted for name in files
    }


def _check_result(file: Path, folder: Path, address: Address) -> None:
    """Make sure that a result is whole, holds nothing else, and is what its key says; it is on disk then."""
    manifest = read_manifest(folder, address)
    if manifest is None:
        raise InputError(f"{file}: {address} has no manifest that can be read")
    records = sync_and_record(folder)
    del records[MANIFEST]
    if records != dict(manifest.files):
        raise InputError(f"{file}: the files of {address} are not those of its manifest")
    if key_of(manifest.kind, manifest.versions, manifest.settings, manifest.inputs) != address.key:
        raise InputError(f"{file}: the key of {address} is not that of its settings")


def _place(root: Path, staged: Path, address: Address) -> None:
    folder = root / str(address)
    with held(lock_of(root, address), f"waiting for another process that is building {address}"):
        if folder.exists():
            if find_fault(folder, address) is None:
                return  # computed in this moment
            shutil.rmtree(throw_away(root, folder), ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(folder)
        sync_folder(folder.parent)
