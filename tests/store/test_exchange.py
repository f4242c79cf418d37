"""Results from one store to another: the same bytes arrive, or nothing does."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.archives import STEPS, index_of, members_of, take, tree
from support.households import compute, there
from support.stores import forbidden, make_step
from w2s.errors import InputError
from w2s.step import Address
from w2s.store import Store
from w2s.store.exchange import pack, taken
from w2s.store.places import lock_of


def test_what_is_packed_arrives_with_every_byte_and_is_not_computed_again(
    source: Store, archive: Path, store: Store
) -> None:
    with taken(store.root, archive, keep_own=False, folder=None) as found:
        assert found.files["report.html"].read_text() == "the page"
    assert tree(store.root) == tree(source.root) != {}
    assert sorted(found.new) == sorted(step.address for step in STEPS) and not found.same and not found.kept
    assert found.name == "run" and [link.inner for link in found.links] == ["sub"]
    for step in STEPS:
        Store(store.root).run(step, forbidden)
    assert not list((store.root / ".partial").iterdir()) and not list((store.root / ".trash").iterdir())
    assert not list((store.root / ".locks").glob("import-*")) and store.contents().notes == []


def test_any_program_reads_the_archive_and_the_same_content_gives_the_same_bytes(
    source: Store, archive: Path, tmp_path: Path
) -> None:
    members = members_of(archive)
    assert list(members) == ["w2s-archive.json", *(entry["path"] for entry in index_of(archive)["files"])]
    assert members["run/report.html"] == b"the page"
    assert members[f"store/{STEPS[0].address}/text"] == (source.path(STEPS[0]) / "text").read_bytes()
    for name in ("a.tar.gz", "b.tar.gz"):
        pack(source.root, tmp_path / name, [STEPS[0].address], name="x", files={}, links=[])
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_a_damaged_result_is_not_packed_and_no_file_is_left(store: Store, tmp_path: Path) -> None:
    compute(store, STEPS)
    (store.path(STEPS[1]) / "text").write_text("something else")
    with pytest.raises(InputError, match="text is damaged"):
        pack(store.root, tmp_path / "a.tar.gz", [step.address for step in STEPS], name="x", files={}, links=[])
    (store.path(STEPS[1]) / "manifest.json").unlink()
    with pytest.raises(InputError, match="is damaged: w2s store verify says how"):
        pack(store.root, tmp_path / "a.tar.gz", [STEPS[1].address], name="x", files={}, links=[])
    with pytest.raises(InputError, match="'run/a:b' cannot be packed"):
        pack(store.root, tmp_path / "a.tar.gz", [], name="x", files={"a:b": store.path(STEPS[0]) / "text"}, links=[])
    assert not list(tmp_path.glob("*.tar.gz")) and not list(tmp_path.glob(".*tmp"))


def test_what_is_there_already_stays_and_what_is_damaged_there_is_replaced(
    source: Store, archive: Path, store: Store
) -> None:
    compute(store, STEPS[:2])
    (store.path(STEPS[0]) / "text").write_text("something else")
    inode = store.path(STEPS[1]).stat().st_ino
    found = take(store.root, archive)
    assert (found.same, len(found.new)) == ([STEPS[1].address], 2)
    assert store.path(STEPS[1]).stat().st_ino == inode
    assert there(store, STEPS) == [0, 1, 2]


def differing(store: Store) -> bytes:
    """A result of the first step that is whole, and not the archive's."""
    store.run(STEPS[0], lambda settings, inputs, out, context: (out / "text").write_text("mine") and None)
    return (store.path(STEPS[0]) / "text").read_bytes()


def test_an_archive_that_differs_from_what_is_there_is_refused_before_anything_is_taken(
    archive: Path, store: Store
) -> None:
    mine = differing(store)
    with pytest.raises(InputError, match=r"1 of its 3 results are here already with another content.*--keep-own"):
        take(store.root, archive)
    assert there(store, STEPS) == [0]
    found = take(store.root, archive, keep_own=True)
    assert (found.kept, len(found.new), found.same) == ([STEPS[0].address], 2, [])
    assert (store.path(STEPS[0]) / "text").read_bytes() == mine and there(store, STEPS) == [0, 1, 2]


def test_a_run_with_a_folder_is_noted(archive: Path, store: Store, tmp_path: Path) -> None:
    take(store.root, archive, folder=tmp_path)
    (note,) = store.contents().notes
    assert note.folder == tmp_path and note.steps == {step.address for step in STEPS}


def test_an_archive_is_never_held_in_memory(tmp_path: Path) -> None:
    def build(settings: Any, inputs: Any, out: Path, context: Any) -> None:
        with (out / "weights").open("wb") as file:
            for _ in range(48):
                file.write(bytes(1 << 20))

    source, other = Store(tmp_path / "source"), Store(tmp_path / "other")
    step = replace(make_step(), kind="big")
    source.run(step, build)
    tracemalloc.start()
    try:
        pack(source.root, tmp_path / "a.tar.gz", [step.address], name="big", files={}, links=[])
        take(other.root, tmp_path / "a.tar.gz")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert other.get(step) is not None


KILLED = """
import os, signal, sys
from pathlib import Path
import w2s.store.exchange as exchange
place = exchange._place
def die(root, staged, address):
    if len(list(root.glob("kind-*/*"))) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    place(root, staged, address)
exchange._place = die
with exchange.taken(Path(sys.argv[1]), Path(sys.argv[2]), keep_own=False, folder=None):
    pass
"""


def test_an_import_that_is_killed_leaves_whole_results_and_the_same_command_goes_on(
    archive: Path, store: Store
) -> None:
    command = [sys.executable, "-c", KILLED, str(store.root), str(archive)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert store.verify().whole == 2 and not store.verify().damaged
    (left,) = store.contents().partial
    assert left.address.kind == "import"
    with lock_of(store.root, Address("import", left.address.key)):
        pass  # nobody holds it
    assert len(take(store.root, archive).new) == 1
    assert there(store, STEPS) == [0, 1, 2]
