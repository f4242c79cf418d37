"""Results are whole or absent, wherever a build fails."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.stores import TREE, Folders, Settings, build_tree, forbidden, make_step, read_tree
from w2s.files import atomic_write, file_sha256
from w2s.step import Context
from w2s.store import Store, default_root


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
