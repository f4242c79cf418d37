"""A disk that is full or read-only, and folders that are none, are one line each."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.stores import Folders, Settings, build_tree, make_step
from w2s.errors import InputError
from w2s.files import atomic_write
from w2s.step import Context
from w2s.store import Store, StoreError


def raiser(error: Exception) -> Callable[..., None]:
    def build(*_: object, **__: object) -> None:
        raise error

    return build


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_line_that_names_the_store(store: Store, error: Exception) -> None:
    def build(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
        atomic_write(out / "part-0", "kept")
        raise error

    with pytest.raises(StoreError) as caught:
        store.run(make_step(), build)
    assert isinstance(caught.value, InputError) and caught.value.__cause__ is error
    assert str(store.root) in str(caught.value) and "\n" not in str(caught.value)
    assert not store.is_done(make_step())
    assert (store.root / ".partial" / f"answers-{make_step().key}" / "part-0").read_text() == "kept"


def test_a_disk_that_fills_up_at_the_last_moment_leaves_no_result(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
        (out / "a").write_text("x")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="no space left"):
        patch.setattr(os, "fsync", raiser(OSError(errno.ENOSPC, "No space left on device")))
        store.run(make_step(), build)
    assert not store.is_done(make_step())


def test_a_store_that_cannot_be_written_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = PermissionError(errno.EACCES, "Permission denied", str(store.root / ".locks"))
    monkeypatch.setattr(Path, "mkdir", raiser(refused))
    with pytest.raises(StoreError, match="permission denied") as caught:
        build_tree(store)
    assert str(store.root) in str(caught.value)


def test_a_file_in_the_place_of_the_store_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        assert not Store(root).is_done(make_step())
        with pytest.raises(StoreError, match="not a directory"):
            build_tree(Store(root))


def test_an_unreadable_file_of_the_users_is_not_blamed_on_the_store(store: Store, tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "questions.csv"))
    with pytest.raises(PermissionError) as caught:
        store.run(make_step(), raiser(error))
    assert caught.value is error


REAL_DISK = """
import sys
from pathlib import Path
from w2s.files import atomic_write
from w2s.step import Step
from w2s.store import Store, StoreError

def build(settings, inputs, out, context):
    for i in range(settings["megabytes"] * 16):
        atomic_write(out / f"part-{i}", bytes(65536))

store = Store(Path(sys.argv[1]))
for kind, megabytes in (("small", 0), ("big", 2), ("other", 0)):
    step = Step(kind=kind, label=kind, settings={"megabytes": megabytes}, inputs={})
    try:
        store.run(step, build)
    except StoreError as error:
        print(error)
    print(step.kind, store.is_done(step))
"""


def run_on_tmpfs(folder: Path, script: str) -> str:
    """Runs the shell commands in a mount namespace of their own, which takes its mounts with it."""
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=1m tmpfs {folder}"
    namespace = ["unshare", "-rm", "sh", "-ec"]
    if shutil.which("unshare") is None or subprocess.run([*namespace, mount], capture_output=True).returncode:
        pytest.skip("no private mounts here")
    command = [*namespace, f"{mount}; {script}", "sh", sys.executable, REAL_DISK, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_really_full_disk_leaves_no_result_and_one_line(tmp_path: Path) -> None:
    out = run_on_tmpfs(tmp_path / "disk", '"$1" -c "$2" "$3"').splitlines()
    assert out[0] == "small True" and out[2] == "big False"
    assert out[1].startswith(f"cannot use the store {tmp_path / 'disk'}: no space left on device")


def test_a_really_read_only_store_gives_what_it_has_and_one_line_for_the_rest(tmp_path: Path) -> None:
    script = (
        '"$1" -c "$2" "$3" > /dev/null; rm -r "$3"/.locks "$3"/.partial; mount -o remount,ro "$3"; "$1" -c "$2" "$3"'
    )
    out = run_on_tmpfs(tmp_path / "disk", script).splitlines()
    assert out[0] == "small True" and out[2] == "big False"
    assert out[1].startswith(f"cannot use the store {tmp_path / 'disk'}: read-only file system")
