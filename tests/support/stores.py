"""Steps without a meaning, and a build of three files, for the tests of the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from w2s.files import atomic_write
from w2s.step import Context, Json, Step
from w2s.store import Store

__all__ = ["TREE", "Folders", "Settings", "build_tree", "forbidden", "make_step", "read_tree", "write_tree"]


TREE = {"a.txt": b"alpha", "sub/b.bin": b"\x00\x01beta", "sub/deep/empty": b""}


Settings = Mapping[str, Any]
Folders = Mapping[str, Path]


def write_tree(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    for name, data in TREE.items():
        atomic_write(out / name, data)


def read_tree(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TREE}


def make_step(
    *,
    kind: str = "answers",
    label: str = "weak answers · seed 0",
    settings: Mapping[str, Json] | None = None,
    inputs: Mapping[str, Step] | None = None,
    versions: Mapping[str, int | str] | None = None,
    execution: Mapping[str, Json] | None = None,
) -> Step:
    return Step(
        kind=kind,
        label=label,
        settings=settings or {},
        inputs=inputs or {},
        versions={kind: 1} if versions is None else versions,
        execution=execution or {},
    )


def build_tree(store: Store, step: Step | None = None) -> Path:
    return store.run(step or make_step(), write_tree)


def forbidden(*_: object, **__: object) -> None:
    raise AssertionError("built again")
