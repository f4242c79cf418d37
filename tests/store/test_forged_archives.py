"""What nobody should send: paths that lead elsewhere, links, bombs, code, forged results; nothing of it is taken."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.archives import STEPS, Member, listed, member, members_of, packed, take, tree
from support.households import there
from support.stores import make_step
from w2s.errors import InputError
from w2s.store import Store
from w2s.store.archive import is_safe


def about(**fields: Any) -> dict[str, Any]:
    return {"store": 2, "name": "run", "links": [], **fields}


def refuse(store: Store, file: Path, said: str) -> None:
    """Nothing is taken, and nothing is written beside the store."""
    beside = sorted(file.parent.rglob("*"))
    with pytest.raises(InputError, match=said) as caught:
        take(store.root, file)
    assert "\n" not in str(caught.value)
    assert tree(store.root) == {} and store.contents().others == [] == store.contents().results
    assert not list((store.root / ".partial").iterdir()) and not list((store.root / ".trash").iterdir())
    assert [path for path in sorted(file.parent.rglob("*")) if store.root not in (path, *path.parents)] == [
        path for path in beside if store.root not in (path, *path.parents)
    ]


PATHS = [
    *("../escaped", "store/../../escaped", "/tmp/escaped", "run/../../escaped", "run/./x", "run//x", "run/", "."),
    *("run/a\\..\\x", "C:/x", "run/a:b", "run/\x00", "run/x\n", "run/ x", "run/x.", "run/" + "x" * 300, ""),
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leaves_the_folder_is_refused(store: Store, tmp_path: Path, path: str) -> None:
    file = tmp_path / "a.tar.gz"
    assert not is_safe(path)
    index, *_ = listed(about(), {path: b"x"})
    refuse(store, packed(file, [index, member("run/x", b"x")]), "is no path that may be written to")


KINDS = {
    "a symbolic link": member("run/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member("run/x", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a folder": member("run/x", type=tarfile.DIRTYPE),
    "a device": member("run/x", type=tarfile.CHRTYPE),
    "a pipe": member("run/x", type=tarfile.FIFOTYPE),
    "a longer name": member("run/x", b"../escaped\0", type=tarfile.GNUTYPE_LONGNAME),
    "a header of its own": member("run/x", b"17 path=../../x\n", type=tarfile.XHDTYPE),
    "a header of a terabyte": (member("run/x", type=tarfile.XHDTYPE, size=1 << 40)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_plain_files_are_taken(store: Store, tmp_path: Path, kind: str) -> None:
    info, data = KINDS[kind]
    if "terabyte" in kind:
        info.size = 1 << 40
    index, _ = listed(about(), {"run/x": data})
    refuse(store, packed(tmp_path / "a.tar.gz", [index, (info, data)]), "is no plain file")


TEXT = {"run/x": b"text"}
SHA = "0" * 64


def entry(**fields: Any) -> dict[str, Any]:
    return {"path": "run/x", "bytes": 4, "sha256": SHA, **fields}


WRONG: dict[str, tuple[Callable[[], list[Member]], str]] = {
    "nothing": (lambda: [], "does not begin with w2s-archive.json"),
    "another tar": (lambda: [member("run/x", b"text")], "does not begin with w2s-archive.json"),
    "an index that is too long": (lambda: [member("w2s-archive.json", size=1 << 40)], "does not begin with"),
    "an index that is none": (lambda: [member("w2s-archive.json", b"[]")], "its index cannot be read"),
    "a deep index": (lambda: [member("w2s-archive.json", b"[" * 100_000)], "its index cannot be read"),
    "another version": (lambda: listed(about(), TEXT, format=9), "written by another version"),
    "a store of another version": (lambda: listed(about(store=1), TEXT), "results of another version"),
    "no name": (lambda: listed({"store": 2, "links": []}, TEXT), "is damaged, or was not written"),
    "no list of links": (lambda: listed(about(links=7), TEXT), "is damaged, or was not written"),
    "another content": (lambda: listed(about(), TEXT, files=[entry()]), "has another content than it lists"),
    "another size": (lambda: listed(about(), TEXT, files=[entry(bytes=5)]), "expected 'run/x' of 5 bytes, found"),
    "a negative size": (lambda: listed(about(), TEXT, files=[entry(bytes=-1)]), "has no size or no hash"),
    "a size that is true": (lambda: listed(about(), TEXT, files=[entry(bytes=True)]), "has no size or no hash"),
    "a list for a path": (lambda: listed(about(), TEXT, files=[entry(path=["run"])]), "is no path that"),
    "no hash": (lambda: listed(about(), TEXT, files=[{"path": "run/x", "bytes": 4}]), "index cannot be read"),
    "more than it lists": (lambda: [*listed(about(), TEXT), member("run/y")], "more files than it lists"),
    "less than it lists": (lambda: listed(about(), TEXT)[:1], "found its end"),
    "twice": (lambda: listed(about(), {"run/x": b"", "run/X": b""}), "'run/X' is there twice"),
    "accents twice": (lambda: listed(about(), {"run/\u00e9": b"", "run/e\u0301": b""}), "is there twice"),
    "a file for a folder": (lambda: listed(about(), {"run/x": b"", "run/x/y": b""}), "lies in what is a file"),
    "a pickle": (lambda: listed(about(), {"run/adapter_model.bin": b"x"}), "may run when it is loaded"),
    "a module": (lambda: listed(about(), {f"store/{STEPS[0].address}/a.PY": b"x"}), "may run when it is loaded"),
    "a place of no result": (lambda: listed(about(), {"store/answers/x": b""}), "no file of a run or of a result"),
    "a place of the store's own": (lambda: listed(about(), {"store/.runs/a/x": b""}), "no file of a run or"),
    "a note of a run's folder": (lambda: listed(about(), {"run/.w2s-run": b"x"}), "no file of a run or of a result"),
    "a file for a run": (lambda: listed(about(), {"run": b"x"}), "no file of a run or of a result"),
    "the top": (lambda: listed(about(), {"other/x": b""}), "no file of a run or of a result"),
    "a result without a manifest": (lambda: listed(about(), {f"store/{STEPS[0].address}/a": b""}), "no manifest"),
    "a bomb": (lambda: listed(about(), {}, files=[entry(bytes=1 << 31)]), "unpack to more than"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_an_archive_is_said_and_nothing_is_taken(store: Store, tmp_path: Path, wrong: str) -> None:
    make, said = WRONG[wrong]
    members = make()
    if "too long" in wrong:
        members[0][0].size = 1 << 40
    refuse(store, packed(tmp_path / "a.tar.gz", members), said)


def changed(archive: Path, change: Callable[[dict[str, bytes]], object], **more: Any) -> list[Member]:
    """The members of an archive with other files, and an index that lists these."""
    files = members_of(archive)
    own = json.loads(files.pop("w2s-archive.json"))["about"]
    change(files)
    return listed({**own, **more}, files)


def edit(files: dict[str, bytes], /, **fields: Any) -> None:
    path = f"store/{STEPS[0].address}/manifest.json"
    files[path] = json.dumps({**json.loads(files[path]), **fields}).encode()


PLACE = f"store/{STEPS[0].address}"
FORGED: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "another content": (lambda files: files.update({f"{PLACE}/text": b"x"}), "are not those of its manifest"),
    "a file more": (lambda files: files.update({f"{PLACE}/more": b"x"}), "are not those of its manifest"),
    "a file less": (lambda files: files.pop(f"{PLACE}/text"), "are not those of its manifest"),
    "other settings": (lambda files: edit(files, settings={"n": 7}), "the key of kind-0/.* is not that of its"),
    "another key": (lambda files: edit(files, key="0" * 32), "has no manifest that can be read"),
    "an environment that is a list": (lambda files: edit(files, environment=["x"]), "has no manifest that can be read"),
    "a label that is a number": (lambda files: edit(files, label=7), "has no manifest that can be read"),
    "settings that are none": (lambda files: edit(files, settings=None), "has no manifest that can be read"),
    "a file elsewhere": (
        lambda files: edit(files, files={"../../x": {"bytes": 0, "sha256": SHA}}),
        "are not those of its manifest",
    ),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_result_that_is_not_what_its_manifest_and_key_say_is_refused(
    archive: Path, store: Store, tmp_path: Path, forged: str
) -> None:
    change, said = FORGED[forged]
    refuse(store, packed(tmp_path / "a.tar.gz", changed(archive, change)), said)


@pytest.mark.parametrize(
    "link",
    [
        {"path": "../x", "address": str(STEPS[0].address), "inner": "sub"},
        {"path": "x", "address": str(STEPS[0].address), "inner": "../../.."},
        {"path": "x", "address": "../..", "inner": "sub"},
        {"path": "x", "address": str(make_step().address), "inner": "sub"},
        {"path": "x", "address": str(STEPS[0].address), "inner": "gone"},
        {"path": "x", "address": str(STEPS[0].address), "inner": "text"},
        {"path": "x", "address": str(STEPS[0].address)},
        7,
    ],
)
def test_a_link_that_leads_elsewhere_is_refused(archive: Path, store: Store, tmp_path: Path, link: object) -> None:
    members = changed(archive, lambda files: None, links=[link])
    refuse(store, packed(tmp_path / "a.tar.gz", members), "is damaged, or was not written by w2s store export")


@settings(max_examples=60)
@given(st.data())
def test_an_archive_with_any_byte_changed_gives_the_same_results_or_none(archive: Path, data: st.DataObject) -> None:
    content = bytearray(archive.read_bytes())
    unzipped = data.draw(st.booleans())
    if unzipped:
        content = bytearray(gzip.decompress(content))
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    with TemporaryDirectory() as folder:
        store, file = Store(Path(folder) / "store"), Path(folder) / "a.tar.gz"
        file.write_bytes(gzip.compress(content) if unzipped else content)
        try:
            take(store.root, file)
        except InputError:
            assert tree(store.root) == {}
        else:
            assert there(store, STEPS) == [0, 1, 2] and store.verify().whole == 3
        assert sorted(path.name for path in Path(folder).iterdir()) == ["a.tar.gz", "store"]
