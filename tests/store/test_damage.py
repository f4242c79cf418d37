"""Damage is found, said and repaired."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.stores import TREE, build_tree, forbidden, make_step, read_tree
from w2s.store import Store


def spoil_byte(folder: Path) -> None:
    path = folder / "sub" / "b.bin"
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)


def spoil_manifest(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        edit(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return spoil


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte": (spoil_byte, "sub/b.bin has changed content"),
    "a truncated file": (lambda folder: os.truncate(folder / "a.txt", 2), "a.txt has 2 bytes, expected 5"),
    "a deleted file": (lambda folder: (folder / "a.txt").unlink(), "a.txt is missing"),
    "a deleted folder": (lambda folder: shutil.rmtree(folder / "sub"), "sub/b.bin is missing"),
    "a deleted manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing or"),
    "an empty manifest": (lambda folder: (folder / "manifest.json").write_text(""), "manifest.json is missing or"),
    "half a manifest": (lambda folder: os.truncate(folder / "manifest.json", 100), "manifest.json is missing or"),
    "a binary manifest": (lambda folder: (folder / "manifest.json").write_bytes(b"\xff\0"), "manifest.json is"),
    "a list for a manifest": (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json is"),
    "a manifest without files": (spoil_manifest(lambda fields: fields.pop("files")), "manifest.json is missing or"),
    "a file without a size": (spoil_manifest(lambda f: f["files"]["a.txt"].pop("bytes")), "manifest.json is missing"),
    "a text for a size": (
        spoil_manifest(lambda fields: fields["files"]["a.txt"].update(bytes="5")),
        "manifest.json is missing or",
    ),
    "a list of inputs": (spoil_manifest(lambda fields: fields.update(inputs=[])), "manifest.json is missing or"),
    "a number for a key": (spoil_manifest(lambda f: f.update(inputs={"a": 1})), "manifest.json is missing or"),
    "another's manifest": (spoil_manifest(lambda fields: fields.update(key="0" * 32)), "manifest.json is missing or"),
}


@pytest.mark.parametrize(("spoil", "said"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_found_said_and_repaired(
    store: Store, spoil: Callable[[Path], object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(build_tree(store))
    assert read_tree(build_tree(Store(store.root))) == TREE
    (news,) = caplog.messages
    assert "weak answers · seed 0" in news and said in news and "\n" not in news
    assert read_tree(Store(store.root).run(make_step(), forbidden)) == TREE
    assert not any((store.root / ".trash").iterdir())


@pytest.mark.parametrize(("spoil", "said"), DAMAGE.values(), ids=DAMAGE.keys())
def test_get_hands_out_nothing_damaged(
    store: Store, spoil: Callable[[Path], object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(build_tree(store))
    again = Store(store.root)
    assert again.get(make_step()) is None
    (news,) = caplog.messages
    assert said in news
    assert not again.is_done(make_step())


def test_a_missing_or_garbled_manifest_is_not_done_even_for_a_store_that_built_it(store: Store) -> None:
    manifest = build_tree(store) / "manifest.json"
    manifest.write_text("{")
    assert not store.is_done(make_step()) and store.get(make_step()) is None


def test_a_damaged_input_is_never_given_to_a_build(store: Store) -> None:
    first = make_step(kind="questions")
    spoil_byte(build_tree(store, first))
    with pytest.raises(AssertionError, match="to be run first"):
        Store(store.root).run(make_step(inputs={"questions": first}), forbidden)


def test_a_result_is_read_whole_only_once_in_a_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    build_tree(store)
    again = Store(store.root)
    build_tree(again)
    monkeypatch.setattr("hashlib.file_digest", forbidden)
    build_tree(again)
    build_tree(store)


def test_a_file_that_appeared_beside_the_result_does_no_harm(store: Store) -> None:
    (build_tree(store) / ".DS_Store").write_text("x")
    assert Store(store.root).run(make_step(), forbidden)
