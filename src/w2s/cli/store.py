"""`w2s store`: what is kept, who needs it, what may go; and a run for somebody else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.cli.options import store_of
from w2s.cli.said import say
from w2s.errors import InputError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.step import Address
    from w2s.store.contents import Contents
    from w2s.store.pruning import Pruned

__all__ = [
    "export_command",
    "export_options",
    "import_command",
    "import_options",
    "prune_command",
    "prune_options",
    "store_command",
    "store_options",
    "verify_command",
    "verify_options",
]

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "w": timedelta(weeks=1)}


# Options


def _store_option(parser: ArgumentParser) -> None:
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")


def store_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    _store_option(parser)
    parser.add_argument("--runs", type=str, nargs="+", default=[], help="folders of runs that it does not know of")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def prune_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    _store_option(parser)
    parser.add_argument("--unused", action="store_true", help="finished results that no run names, too")
    parser.add_argument(
        "--older-than", type=str, default="30d", help="since computed, imported, or last named by a run: 12h, 30d, 4w"
    )
    parser.add_argument(
        "--keep-runs", type=str, nargs="+", default=[], help="folders of runs that w2s store does not list: they count"
    )
    parser.add_argument(
        "--forget-runs", type=str, nargs="+", default=[], help="folders of runs that it lists: they do not count"
    )
    parser.add_argument("--yes", action="store_true", help="remove; without it, what would go is listed")


def verify_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    _store_option(parser)
    parser.add_argument("--remove-damaged", action="store_true", help="so that a run computes them again")


def export_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("run", type=str, help="the folder of a finished run")
    parser.add_argument("--out", type=str, required=True, help="the file to write: .tar.gz")
    parser.add_argument("--models", action="store_true", help="converted models, too; they are large, and made again")
    _store_option(parser)


def import_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.folders.layout import Adapters

    parser.add_argument("file", type=str, help="what w2s store export wrote")
    parser.add_argument("--out", type=str, default=None, help="folder for the run (default: its results alone)")
    parser.add_argument("--adapters", type=Adapters, default="link", help="how that folder holds them")
    parser.add_argument("--keep-own", action="store_true", help="where a result is here with another content, keep it")
    _store_option(parser)


# Commands


def store_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.report.tables import plain_table, show

    found = store_of(arguments.store).contents()
    runs = _runs(found, arguments.runs)
    named: set[Address] = set().union(*(run["named"] for run in runs if run["state"] != "gone"))
    if arguments.json:
        print(json.dumps(_as_json(found, runs, named), indent=1))
        return
    unnamed = _size(found.size(found.by_address.keys() - named))
    say(f"{found.root}: {_size(found.size())} in {len(found.results)} results, {unnamed} of no run\n")
    kinds = [
        [kind, str(len(of)), _size(found.size(of)), _size(found.size(of - named)), _ago(_newest(found, of))]
        for kind, of in _by_kind(found).items()
    ]
    show(plain_table(["kind:", "results", "size", "of no run", "newest"], kinds), 140)
    rows = [
        [
            _plain(str(run["folder"] or run["label"])),
            run["state"],
            _ago(run["seen"]),
            str(len(run["named"] & found.by_address.keys())),
            _size(found.size(run["named"])),
            _size(found.size(_alone(run, runs))),
        ]
        for run in runs
    ]
    if rows:
        print()
        show(plain_table(["run:", "state:", "last", "results", "size", "of it alone"], rows), 140)
    for line in _beside(found):
        say(line)


def prune_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.report.tables import plain_table, show

    pruned = store_of(arguments.store).prune(
        unused=arguments.unused,
        older_than=_span(arguments.older_than),
        keep=[address for folder in arguments.keep_runs for address in _artifacts(folder)],
        forget_runs=[Path(folder) for folder in arguments.forget_runs],
        dry_run=not arguments.yes,
    )
    rows = [
        *([one.address.kind, _plain(one.manifest.label), _size(one.bytes), _ago(one.placed)] for one in pruned.results),
        *([one.address.kind, "broken off", _size(one.bytes), _ago(one.changed)] for one in pruned.partial),
    ]
    if rows:
        show(plain_table(["kind:", "what:", "size", "age"], rows), 140)
        print()
    for one, reason in pruned.kept:
        say(f"stays: {one.folder}: {reason}")
    say(_said(pruned, done=arguments.yes))


def verify_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display

    store = store_of(arguments.store)
    with Display() as display:
        found = store.verify(remove_damaged=arguments.remove_damaged, progress=display.bar("checked"))
    for one in found.damaged:
        label = f" ({one.label})" if one.label else ""
        say(f"{'removed' if one.removed else 'damaged'}: {one.address}{label}: {one.fault}")
    for path in found.others:
        say(f"left alone: {path}: this version of w2s did not write it")
    say(f"{found.whole} results are whole, {len(found.damaged)} damaged: {store.root}")
    if found.damaged:
        sys.exit(1)


def export_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.results.sharing import export_run

    with Display():
        found = export_run(arguments.run, arguments.out, store=store_of(arguments.store), models=arguments.models)
    left_out = f"; {found.left_out} that no run reads left out" if found.left_out else ""
    say(f"{found.results} results, {found.files} files of the run{left_out}")
    say(f"{found.file}: {_size(found.file.stat().st_size)}")


def import_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.results.sharing import import_run

    store = store_of(arguments.store)
    with Display():
        found = import_run(
            arguments.file, store=store, out=arguments.out, adapters=arguments.adapters, keep_own=arguments.keep_own
        )
    kept = f", {len(found.kept)} with another content kept as they were" if found.kept else ""
    say(f"{len(found.new)} results are new in {store.root}, {len(found.same)} were there{kept}")
    if arguments.out:
        say(f"Results: {Path(arguments.out) / 'results.json'}")


# What they say


def _artifacts(folder: str) -> list[Address]:
    from w2s.results.records import RunRecords

    return RunRecords.load(folder).artifacts


def _runs(found: Contents, folders: Iterable[str]) -> list[dict[str, Any]]:
    """The runs that a store knows of, and those whose folders are given, each with all that it names."""
    runs: list[dict[str, Any]] = [
        {
            "folder": note.folder,
            "label": note.label,
            "state": note.state,
            "seen": note.seen,
            "named": found.named(note.steps),
        }
        for note in found.notes
    ]
    known = {run["folder"] for run in runs}
    for folder in folders:
        path = Path(folder).expanduser().absolute()
        if path not in known:
            named = found.named(_artifacts(folder))
            runs.append({"folder": path, "label": "", "state": "finished", "seen": None, "named": named})
    return runs


def _alone(run: dict[str, Any], runs: list[dict[str, Any]]) -> set[Address]:
    """What would go with a run."""
    others: set[Address] = set().union(*(other["named"] for other in runs if other is not run))
    return set(run["named"]) - others


def _by_kind(found: Contents) -> dict[str, set[Address]]:
    kinds: dict[str, set[Address]] = {}
    for one in found.results:
        kinds.setdefault(one.address.kind, set()).add(one.address)
    return kinds


def _newest(found: Contents, addresses: Iterable[Address]) -> datetime:
    return max(found.by_address[address].placed for address in addresses)


def _beside(found: Contents) -> list[str]:
    """What there is beside results and runs, as lines."""
    partial = sum(one.bytes for one in found.partial)
    lines = [
        f"broken off or at work: {len(found.partial)} steps, {_size(partial)}" if found.partial else "",
        f"replies of servers: {_size(found.cache_bytes)} (never pruned)" if found.cache_bytes else "",
        f"half removed: {_size(found.trash_bytes)}" if found.trash_bytes else "",
        f"damaged: {len(found.unreadable)}; w2s store verify lists them" if found.unreadable else "",
        f"not written by this version of w2s, and left alone: {len(found.others)}, such as {found.others[0]}"
        if found.others
        else "",
    ]
    told = [line for line in lines if line]
    return ["", *told] if told else []


def _as_json(found: Contents, runs: list[dict[str, Any]], named: set[Address]) -> dict[str, Any]:
    kinds = {
        kind: {"results": len(of), "bytes": found.size(of), "bytes_of_no_run": found.size(of - named)}
        for kind, of in _by_kind(found).items()
    }
    told = [
        {
            "folder": run["folder"] and str(run["folder"]),
            "label": run["label"],
            "state": run["state"],
            "last": run["seen"] and run["seen"].isoformat(),
            "results": len(run["named"] & found.by_address.keys()),
            "bytes": found.size(run["named"]),
            "bytes_alone": found.size(_alone(run, runs)),
        }
        for run in runs
    ]
    return {
        "root": str(found.root),
        "results": len(found.results),
        "bytes": found.size(),
        "kinds": kinds,
        "runs": told,
        "partial_bytes": sum(one.bytes for one in found.partial),
        "cache_bytes": found.cache_bytes,
        "trash_bytes": found.trash_bytes,
        "damaged": [str(path) for path in found.unreadable],
        "others": [str(path) for path in found.others],
    }


def _said(pruned: Pruned, *, done: bool) -> str:
    counts = f"{len(pruned.results)} results and {len(pruned.partial)} broken off, {_size(pruned.bytes)}"
    if done:
        return f"removed: {counts}"
    return f"would go: {counts}; --yes removes them" if pruned.bytes else "nothing would go"


def _plain(text: str) -> str:
    """A text as a cell of a table: what came with an archive does not steer the terminal."""
    from w2s.report.words import visible

    return visible(text)


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([dhw])", text)
    if found is None:
        raise InputError(f"--older-than is {text!r}: expected a number of hours, days or weeks, such as 12h, 30d or 4w")
    return int(found[1]) * _UNITS[found[2]]


def _size(count: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "–"
    hours = (datetime.now(UTC) - moment) / timedelta(hours=1)
    return f"{hours / 24:.0f} d" if hours >= 48 else f"{max(0.0, hours):.0f} h"
