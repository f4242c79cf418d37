"""The store: keys that mean what they say, and results that are whole or absent whatever happens."""

from __future__ import annotations

import errno
import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.files import atomic_write, file_sha256
from w2s.step import Context, Json, Step, steps_from_json, steps_to_json
from w2s.store import Store, StoreError, default_root

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


@pytest.fixture(autouse=True)
def informed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger="w2s"):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


# Keys

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
SETTINGS = st.dictionaries(st.text(), VALUES, max_size=5)


def reversed_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reversed_order(item) for name, item in reversed(value.items())}
    return [reversed_order(item) for item in value] if isinstance(value, list) else value


def tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: tuples(item) for name, item in value.items()}
    return tuple(tuples(item) for item in value) if isinstance(value, list) else value


@given(SETTINGS)
def test_the_order_of_settings_does_not_change_the_key(settings: dict[str, Any]) -> None:
    assert make_step(settings=settings).key == make_step(settings=reversed_order(settings)).key


@given(SETTINGS)
def test_a_tuple_and_a_list_give_one_key(settings: dict[str, Any]) -> None:
    assert make_step(settings=settings).key == make_step(settings=tuples(settings)).key


@given(SETTINGS)
def test_settings_read_back_from_the_manifest_give_the_same_key(settings: dict[str, Any]) -> None:
    step = make_step(settings=settings)
    assert make_step(settings=json.loads(json.dumps(step.settings))).key == step.key


@given(SETTINGS, st.text(), VALUES)
def test_a_changed_setting_changes_the_key(settings: dict[str, Any], name: str, value: Any) -> None:
    changed = {**settings, name: value}
    # As text, because 1 == 1.0 == True in Python.
    same = json.dumps(changed, sort_keys=True) == json.dumps(settings, sort_keys=True)
    assert (make_step(settings=changed).key == make_step(settings=settings).key) == same


@given(SETTINGS)
def test_versions_kind_and_inputs_change_the_key_and_label_and_execution_do_not(settings: dict[str, Any]) -> None:
    plain = make_step(settings=settings)
    others = [
        make_step(settings=settings, versions={}),
        make_step(settings=settings, versions={"answers": 2}),
        make_step(settings=settings, versions={"answers": "1"}),
        make_step(settings=settings, versions={"answers": 1, "task file": 1}),
        make_step(settings=settings, kind="student"),
        make_step(settings=settings, inputs={"a": plain}),
        make_step(settings=settings, inputs={"b": plain}),
        make_step(settings=settings, inputs={"a": make_step(settings=settings, versions={"answers": 2})}),
        make_step(settings=settings, inputs={"a": plain, "b": plain}),
    ]
    assert len({plain.key, *(step.key for step in others)}) == len(others) + 1
    assert make_step(settings=settings, label="another", execution={"device": "cpu"}).key == plain.key


@given(SETTINGS, SETTINGS)
def test_a_step_is_the_same_after_a_pickle_and_after_json(settings: dict[str, Any], execution: dict[str, Any]) -> None:
    first = make_step(kind="questions", settings=settings, execution=execution, versions={"questions": 1, "task": "a"})
    second = make_step(inputs={"questions": first}, settings={"n": 1.0, "m": 1, "on": True}, execution=execution)
    targets = [second, make_step(kind="scored", inputs={"answers": second, "questions": first}), first]
    for copies in (pickle.loads(pickle.dumps(targets)), steps_from_json(steps_to_json(targets))):
        assert [copy.key for copy in copies] == [step.key for step in targets]
        for copy, step in zip(copies, targets, strict=True):
            assert_same(copy, step)
        assert copies[1].inputs["questions"] is copies[2], "one step became two"


def assert_same(copy: Step, step: Step) -> None:
    for name in ("kind", "label", "settings", "versions", "execution"):
        # As text, because 1 == 1.0 == True in Python.
        assert json.dumps(getattr(copy, name)) == json.dumps(getattr(step, name))
    assert copy.inputs.keys() == step.inputs.keys()
    for name, before in step.inputs.items():
        assert_same(copy.inputs[name], before)


def test_many_steps_that_share_their_inputs_are_written_once() -> None:
    step = make_step()
    for _ in range(40):  # 2 ** 40 paths lead to the first step
        step = make_step(inputs={"a": step, "b": step})
    text = steps_to_json([step, step])
    assert text.count('"label"') == 41
    first, second = steps_from_json(text)
    assert first is second and first.key == step.key


def test_one_and_one_point_zero_and_true_are_three_settings() -> None:
    assert len({make_step(settings={"n": n}).key for n in (1, 1.0, True)}) == 3


def test_the_key_is_the_same_in_every_version_and_on_every_machine() -> None:
    # A change here makes every user compute everything again.
    step = make_step(settings={"lr": 3e-4, "tasks": ["é"]}, inputs={"q": make_step(kind="questions")})
    assert step.key == "b6a63dae3cceea96f1b4fc05b1de6221"


def test_a_step_keeps_its_settings_when_the_caller_changes_theirs() -> None:
    mine: dict[str, Any] = {"sizes": [1, 2]}
    step = make_step(settings=mine)
    mine["sizes"].append(3)
    assert step.key == make_step(settings={"sizes": [1, 2]}).key


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"lr": float("nan")}, "answers.lr"),
        ({"lr": [0.1, float("inf")]}, "answers.lr[1]"),
        ({"model": {"path": Path("/x")}}, "answers.model.path"),
        ({"names": {"a", "b"}}, "answers.names"),
        ({"blob": b"x"}, "answers.blob"),
        ({"model": {1: "a"}}, "answers.model"),
    ],
)
def test_a_setting_that_is_not_json_is_named(value: Any, name: str) -> None:
    with pytest.raises(TypeError) as caught:
        make_step(settings=value)
    assert f"setting {name} " in str(caught.value)


@pytest.mark.parametrize("kind", ["", "Answers", "a/b", "..", "a b"])
def test_a_kind_is_a_plain_folder_name(kind: str) -> None:
    with pytest.raises(AssertionError):
        make_step(kind=kind)


# Building


def test_a_result_is_built_once_and_lies_where_path_says(store: Store) -> None:
    step = make_step()
    assert not store.is_done(step) and store.get(step) is None and store.manifest(step) is None
    folder = build_tree(store, step)
    assert folder == store.path(step) == store.root / "answers" / step.key
    assert read_tree(folder) == TREE
    assert store.is_done(step) and store.get(step) == folder
    assert Store(store.root).run(make_step(), forbidden) == folder
    assert not any((store.root / ".partial").iterdir())


def test_looking_makes_no_folder(store: Store) -> None:
    store.is_done(make_step())
    store.get(make_step())
    assert not store.root.exists()


def test_the_manifest_tells_how_the_result_came_about(store: Store) -> None:
    first = make_step(kind="questions")
    step = make_step(
        settings={"sizes": (1, 2), "name": "é"},
        inputs={"questions": first},
        versions={"answers": 3, "task mine": "f00"},
    )
    build_tree(store, first)
    folder = build_tree(store, step)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["kind"] == "answers" and manifest["key"] == step.key
    assert manifest["versions"] == {"answers": 3, "task mine": "f00"}
    assert manifest["settings"] == {"sizes": [1, 2], "name": "é"} and manifest["inputs"] == {"questions": first.key}
    assert {name: record["bytes"] for name, record in manifest["files"].items()} == {n: len(d) for n, d in TREE.items()}
    assert manifest["files"]["a.txt"]["sha256"] == file_sha256(folder / "a.txt")
    assert manifest["started"].endswith("+00:00") and manifest["seconds"] >= 0 and manifest["environment"]["w2s"]
    read = store.manifest(step)
    assert read is not None and read.settings == manifest["settings"]


def test_text_that_is_not_valid_unicode_does_not_lose_the_work(store: Store) -> None:
    step = make_step(settings={"stop": "\ud800"}, label="\udcff")
    build_tree(store, step)
    assert store.is_done(step)


def test_a_build_gets_settings_inputs_and_execution_and_can_tell_how_far_it_is(store: Store) -> None:
    first = make_step(kind="questions")
    build_tree(store, first)
    step = make_step(inputs={"questions": first}, settings={"sizes": (1, 2)}, execution={"device": "cpu"})

    def build(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
        assert settings == {"sizes": [1, 2]} and context.execution == {"device": "cpu"}
        context.progress(1, 2, "rows", tokens=7)
        atomic_write(out / "copy", (inputs["questions"] / "a.txt").read_bytes())

    told: list[tuple[int, int, str, int]] = []
    folder = store.run(step, build, lambda done, total, unit, tokens=0: told.append((done, total, unit, tokens)))
    assert (folder / "copy").read_bytes() == b"alpha" and told == [(1, 2, "rows", 7)]


def test_a_missing_input_is_named(store: Store) -> None:
    step = make_step(inputs={"questions": make_step(kind="questions", label="the questions")})
    with pytest.raises(AssertionError, match="the questions"):
        store.run(step, forbidden)


def test_a_build_may_not_write_the_manifest(store: Store) -> None:
    def build(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
        atomic_write(out / "manifest.json", "{}")

    with pytest.raises(AssertionError, match=r"manifest\.json"):
        store.run(make_step(), build)
    assert not store.is_done(make_step())


def test_a_failed_build_leaves_its_work_and_the_next_try_goes_on(store: Store) -> None:
    class StopError(Exception):
        pass

    def fails(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
        atomic_write(out / "part-0", "zero")
        (out / ".abc.w2s-tmp").write_text("left by a killed atomic_write")
        (out / ".def.w2s-tmp").mkdir(parents=True)
        (out / ".def.w2s-tmp" / "half").write_text("left by a killed removal")
        raise StopError

    def resumes(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
        assert sorted(path.name for path in out.iterdir()) == ["part-0"]
        atomic_write(out / "part-1", "one")

    with pytest.raises(StopError):
        store.run(make_step(), fails)
    assert not store.is_done(make_step()) and not store.path(make_step()).exists()
    folder = store.run(make_step(), resumes)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "part-0", "part-1"]


def test_a_failure_at_any_point_leaves_a_whole_result_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class InjectedError(Exception):
        pass

    calls_left = 0

    def fragile(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls_left
            calls_left -= 1
            if calls_left == 0:
                raise InjectedError
            return function(*args, **kwargs)

        return wrapped

    points = 0
    while True:
        points += 1
        root = tmp_path / f"fails-at-{points}"
        with monkeypatch.context() as patch:
            for owner, name in [(os, "fsync"), (Path, "open"), (Path, "mkdir"), (Path, "rename"), (Path, "replace")]:
                patch.setattr(owner, name, fragile(getattr(owner, name)))
            calls_left = points
            try:
                build_tree(Store(root))
            except InjectedError:
                failed = True
            else:
                failed = False
        found = Store(root).get(make_step())
        assert found is None or read_tree(found) == TREE
        assert read_tree(build_tree(Store(root))) == TREE
        if not failed:
            break
    assert points > 20


def test_a_kill_between_manifest_and_rename_costs_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        build_tree(store)
    assert not store.is_done(make_step())
    assert read_tree(store.run(make_step(), forbidden)) == TREE


# Damage


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


# Stores of other versions


def test_a_store_of_an_older_version_is_left_alone_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = tmp_path / "store" / "answers" / "0123" / "manifest.json"
    old.parent.mkdir(parents=True)
    old.write_text('{"kind": "answers", "key": "0123", "version": 1}')
    (old.parent / "answers.parquet").write_bytes(b"old")
    store = Store(tmp_path / "store")
    (news,) = caplog.messages
    assert str(store.root) in news and "another version of w2s: they are left alone" in news and "\n" not in news
    assert read_tree(build_tree(store)) == TREE
    assert old.read_text() == '{"kind": "answers", "key": "0123", "version": 1}'
    assert (old.parent / "answers.parquet").read_bytes() == b"old"


def test_a_store_of_this_version_and_a_new_one_have_nothing_to_say(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    build_tree(store)
    assert json.loads((store.root / "store.json").read_text()) == {"format": 2}
    Store(store.root)
    assert caplog.messages == []


# Several processes

WORKER = """
import logging, sys, time
from pathlib import Path
from w2s.files import atomic_write
from w2s.step import Step
from w2s.store import Store
logging.basicConfig(level=logging.INFO, format="said: %(message)s", stream=sys.stdout)
root, log, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def note(line):
    with log.open("a") as file:
        file.write(line + "\\n")

def build(settings, inputs, out, context):
    note("build")
    for i in range(settings["n"]):
        part = out / f"part-{i}"
        if not part.exists():
            if mode == "hang" and i == 3:
                (out / "torn").write_text("half a li")
                print("hanging", flush=True)
                time.sleep(600)
            if mode == "race":
                time.sleep(0.2)
            note(f"part-{i}")
            atomic_write(part, f"{i}")
    (out / "torn").unlink(missing_ok=True)

print("ready", flush=True)
sys.stdin.readline()
step = Step(kind="parts", label="the parts", settings={"n": 5}, inputs={}, versions={"parts": 1})
Store(root).run(step, build)
print("done", flush=True)
"""


def start_worker(root: Path, log: Path, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(root), str(log), mode]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    return worker


PARTS = make_step(kind="parts", settings={"n": 5})


def test_a_killed_process_blocks_nobody_and_its_finished_work_is_not_redone(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    worker = start_worker(root, log, "hang")
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "hanging\n"
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert not Store(root).is_done(PARTS) and not (root / "parts").exists()

    out, _ = start_worker(root, log, "go").communicate("\n", timeout=20)
    assert out == "done\n"
    assert log.read_text().split() == ["build", "part-0", "part-1", "part-2", "build", "part-3", "part-4"]
    folder = Store(root).get(PARTS)
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", *(f"part-{i}" for i in range(5))]


def test_two_processes_racing_for_a_step_build_it_once(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    workers = [start_worker(root, log, "race") for _ in range(2)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    outs = sorted(worker.communicate(timeout=20)[0] for worker in workers)
    assert outs == ["done\n", "said: waiting for another process that is building the parts\ndone\n"]
    assert log.read_text().split() == ["build", *(f"part-{i}" for i in range(5))]
    assert Store(root).get(PARTS) == Store(root).path(PARTS)


# Folders that cannot be used


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


# Where it is


def test_the_default_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("W2S_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_root() == Path("/home/me/.cache/w2s")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_root() == Path("/home/me/.cache/w2s")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert default_root() == Path("/var/cache/me/w2s")
    monkeypatch.setenv("W2S_HOME", "~/results")
    assert default_root() == Path("/home/me/results")
