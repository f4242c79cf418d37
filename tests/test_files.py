"""Files that are written whole or not at all, and hashes of what is in them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.killed import killed_while_writing
from w2s.files import atomic_write, file_sha256, is_left_behind, remove_left_behind, tree_sha256, written_beside

TREE = {"a.txt": b"alpha", "sub/b.bin": b"\x00\x01beta", "sub/deep/empty": b""}


def fail(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_atomic_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    atomic_write(path, "long first content")
    atomic_write(path, "é")
    assert path.read_bytes() == "é".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_atomic_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    atomic_write(path, "old")
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(os, "fsync", fail)
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_write_follows_the_users_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    killed_while_writing(tmp_path / "table.csv")
    (tmp_path / ".mine.w2s-tmp").write_text("the user's")
    (left,) = (path for path in tmp_path.iterdir() if is_left_behind(path))
    with written_beside(tmp_path / "other.csv") as file:
        file.write(b"whole")
        remove_left_behind(tmp_path, older_than=0)
    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {".mine.w2s-tmp", "other.csv"}
    remove_left_behind(tmp_path / "no folder")


def test_what_was_written_to_lately_may_be_of_another_machine_and_stays(tmp_path: Path) -> None:
    killed_while_writing(tmp_path / "table.csv")
    (left,) = tmp_path.iterdir()
    remove_left_behind(tmp_path)
    assert left.exists()
    two_hours_ago = time.time() - 7200
    os.utime(left, (two_hours_ago, two_hours_ago))
    remove_left_behind(tmp_path)
    assert not left.exists()


def test_what_may_not_be_removed_stays_and_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_while_writing(tmp_path / "table.csv")
    monkeypatch.setattr(Path, "unlink", fail)  # as in a folder of everybody's, for files that are another user's
    remove_left_behind(tmp_path, older_than=0)
    assert len(list(tmp_path.iterdir())) == 1


def test_file_hash_is_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    atomic_write(path, b"abd")
    assert file_sha256(path) != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"read once")
    first = file_sha256(path)
    monkeypatch.setattr("hashlib.file_digest", fail)
    assert file_sha256(path) == first


def test_tree_hash_depends_on_names_and_content_and_nothing_else(tmp_path: Path) -> None:
    def make(name: str, files: Mapping[str, bytes]) -> str:
        for inner, data in files.items():
            atomic_write(tmp_path / name / inner, data)
        return tree_sha256(tmp_path / name)

    first = make("one", TREE)
    assert make("two", dict(reversed(TREE.items()))) == first
    os.utime(tmp_path / "two" / "a.txt", (1, 1))
    assert tree_sha256(tmp_path / "two") == first
    assert make("three", {**TREE, ".cache/huggingface/x": b"downloaded at noon"}) == first
    assert make("four", {**TREE, "a.txt": b"alphb"}) != first
    assert make("five", {**TREE, "new": b""}) != first
    assert make("six", {name.replace("a.txt", "c.txt"): data for name, data in TREE.items()}) != first


def test_tree_hash_follows_the_hubs_links(tmp_path: Path) -> None:
    atomic_write(tmp_path / "blobs" / "1234", b"weights")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.safetensors").symlink_to(tmp_path / "blobs" / "1234")
    atomic_write(tmp_path / "plain" / "model.safetensors", b"weights")
    assert tree_sha256(tmp_path / "snapshot") == tree_sha256(tmp_path / "plain")
