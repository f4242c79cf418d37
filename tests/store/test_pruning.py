"""What no run needs goes; what one names, what is at work and what the store did not write stays."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.households import OLD, age, age_notes, chain, compute, graph, name, there
from support.stores import make_step
from w2s.errors import InputError
from w2s.files import atomic_write
from w2s.store import Store, StoreError
from w2s.store.places import lock_of


def everything(root: Path) -> list[str]:
    """All paths but those of locks."""
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    return [path for path in found if not path.startswith(".locks") and not path.endswith(".lock")]


GRAPHS = st.integers(1, 7).flatmap(
    lambda count: st.tuples(
        st.tuples(*(st.sets(st.integers(0, number - 1)) if number else st.just(set()) for number in range(count))),
        st.lists(st.tuples(st.sets(st.integers(0, count - 1), min_size=1), st.booleans()), max_size=3),
        st.sets(st.integers(0, count - 1)),
    )
)


@settings(max_examples=25)
@given(GRAPHS)
def test_exactly_what_a_run_names_and_what_is_young_stays(
    drawn: tuple[list[set[int]], list[tuple[set[int], bool]], set[int]],
) -> None:
    inputs, runs, young = drawn
    steps = graph(inputs)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        store = Store(Path(folder) / "store")
        compute(store, steps)
        needed = set(young)
        for number, (targets, stays) in enumerate(runs):
            out = Path(folder) / f"run-{number}"
            name(store, [steps[target] for target in targets], out)
            todo = list(targets) if stays else []
            while todo:
                needed.add(one := todo.pop())
                todo += inputs[one]
            if not stays:
                out.rmdir()
        age(store, [step for number, step in enumerate(steps) if number not in young])
        age_notes(store)
        would = store.prune(unused=True)
        assert there(store, steps) == list(range(len(steps)))
        went = store.prune(unused=True, dry_run=False)
        assert [one.address for one in would.results] == [one.address for one in went.results]
        assert would.bytes == went.bytes
        assert set(there(store, steps)) == needed
        compute(store, steps)
        assert there(store, steps) == list(range(len(steps)))


def test_without_unused_finished_results_stay_and_what_was_broken_off_goes(store: Store) -> None:
    steps = chain(2)
    compute(store, steps)
    age(store, steps)
    left = store.root / ".partial" / f"answers-{make_step().key}"
    atomic_write(left / "part", "x" * 10)
    assert store.prune(dry_run=False).partial == [], "it was changed a moment ago"
    for path in (left / "part", left):
        os.utime(path, (0, 0))
    assert [one.folder for one in store.prune().partial] == [left] and left.exists()
    assert store.prune(dry_run=False).bytes == 10
    assert not left.exists() and there(store, steps) == [0, 1]


def test_nothing_is_written_where_nothing_is_removed(store: Store, tmp_path: Path) -> None:
    name(store, chain(2), tmp_path / "run")
    before = everything(tmp_path)
    store.prune(unused=True, older_than=timedelta(0))
    store.contents()
    store.verify()
    assert everything(tmp_path) == before
    assert not (Store(tmp_path / "none").contents().results or (tmp_path / "none").exists())
    assert Store(tmp_path / "none").prune(unused=True, dry_run=False).bytes == 0


def test_a_result_is_as_old_as_the_last_run_that_named_it(store: Store, tmp_path: Path) -> None:
    steps = chain(2)
    name(store, steps, tmp_path / "run")
    age(store, steps)
    (tmp_path / "run").rmdir()
    assert store.prune(unused=True, dry_run=False).results == [], "a run named it today"
    age_notes(store)
    went = store.prune(unused=True, dry_run=False)
    assert len(went.results) == 2 and len(went.notes) == 1
    assert store.contents().notes == [] and there(store, steps) == []


def test_runs_that_the_store_does_not_know_of_are_kept_by_name_with_what_they_were_made_from(store: Store) -> None:
    steps = chain(4)
    compute(store, steps)
    age(store, steps)
    store.prune(unused=True, keep=[steps[2].address], dry_run=False)
    assert there(store, steps) == [0, 1, 2]
    (store.path(steps[1]) / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=f"{steps[1].key} is damaged, and nobody knows what it was made from"):
        store.prune(unused=True, keep=[steps[2].address], dry_run=False)
    assert store.path(steps[0]).exists()


def test_a_run_of_other_settings_into_the_same_folder_names_its_own_steps_only(store: Store, tmp_path: Path) -> None:
    first, second = chain(1), [make_step(kind="other", settings={"n": 9})]
    name(store, first, tmp_path / "run")
    name(store, second, tmp_path / "run")
    assert len(store.contents().notes) == 1
    age(store, [*first, *second])
    store.prune(unused=True, dry_run=False)
    assert there(store, [*first, *second]) == [1]


def test_a_run_that_failed_counts_for_as_long_as_results_are_young(store: Store, tmp_path: Path) -> None:
    steps = chain(2)
    with pytest.raises(ZeroDivisionError), store.using(steps, label="a run", folder=tmp_path / "run"):
        compute(store, steps)
        raise ZeroDivisionError
    age(store, steps)
    assert [note.state for note in store.contents().notes] == ["broken off"]
    assert store.prune(unused=True, dry_run=False).results == []
    age_notes(store)
    assert len(store.prune(unused=True, dry_run=False).results) == 2
    assert store.contents().notes == [] and not list((store.root / ".runs").glob("using-*"))


def test_a_run_that_goes_through_takes_the_note_of_its_broken_try_away(store: Store, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), store.using(chain(1), label="a run", folder=tmp_path / "run"):
            raise ZeroDivisionError
    name(store, chain(1), tmp_path / "run")
    assert [note.state for note in store.contents().notes] == ["finished"]
    assert not list((store.root / ".runs").glob("using-*"))


def test_a_stage_leaves_no_note_when_it_is_through(store: Store) -> None:
    with store.using(chain(1), label="a stage"):
        assert [note.state for note in store.contents().notes] == ["running"]
    assert store.contents().notes == [] and not list((store.root / ".runs").glob("using-*"))


def test_a_run_of_another_machine_whose_folder_is_not_seen_counts_until_it_is_forgotten(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = chain(2)
    with monkeypatch.context() as patch:
        patch.setattr("platform.node", lambda: "elsewhere")
        name(store, steps, tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    age(store, steps)
    age_notes(store)
    assert [note.state for note in store.contents().notes] == ["elsewhere"]
    assert store.prune(unused=True, dry_run=False).results == []
    with pytest.raises(InputError, match="expected the folder of a run that w2s store lists"):
        store.prune(unused=True, forget_runs=[tmp_path / "other"])
    assert len(store.prune(unused=True, forget_runs=[tmp_path / "run"], dry_run=False).results) == 2
    assert store.contents().notes == []


def test_a_run_at_work_cannot_be_forgotten(store: Store, tmp_path: Path) -> None:
    with (
        store.using(chain(1), label="a run", folder=tmp_path / "run"),
        pytest.raises(InputError, match="a run is at work there"),
    ):
        store.prune(unused=True, forget_runs=[tmp_path / "run"])


def test_a_note_that_cannot_be_read_stops_the_pruning(store: Store, tmp_path: Path) -> None:
    steps = chain(1)
    name(store, steps, tmp_path / "run")
    age(store, steps)
    (note,) = (store.root / ".runs").glob("*.json")
    for text in ("{", "[]", '{"format": 9}', note.read_text().replace('"steps": [[', '"steps": [[1, ')):
        note.write_text(text)
        with pytest.raises(StoreError, match="nobody knows which results it names"):
            store.prune(unused=True, dry_run=False)
    assert there(store, steps) == [0]


def test_what_is_locked_is_left_alone_and_said(store: Store) -> None:
    steps = chain(2)
    compute(store, steps)
    age(store, steps)
    left = store.root / ".partial" / f"answers-{make_step().key}"
    atomic_write(left / "part", "x")
    for path in (left / "part", left):
        os.utime(path, (0, 0))
    with lock_of(store.root, steps[0].address), lock_of(store.root, make_step().address):
        for dry_run in (True, False):
            pruned = store.prune(unused=True, dry_run=dry_run)
            assert [one.address for one in pruned.results] == [steps[1].address] and not pruned.partial
            assert [reason for _, reason in pruned.kept] == ["another process is at work on it"] * 2
    assert there(store, steps) == [0] and left.exists()


def test_what_the_store_did_not_write_is_left_alone(store: Store, tmp_path: Path) -> None:
    steps = chain(3)
    compute(store, steps)
    age(store, steps)
    notes = store.path(steps[0]) / "sub" / "notes.txt"
    notes.write_text("mine")
    foreign = [
        store.root / "README",
        store.root / "papers" / "draft.tex",
        store.root / "kind-0" / "mine" / "manifest.json",
        store.root / "kind-0" / ("0" * 32) / "manifest.json",
        store.root / ".partial" / "mine" / "x",
    ]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"of": "another version"}')
        os.utime(path, (0, 0))
    (tmp_path / "elsewhere").mkdir()
    shutil.move(store.path(steps[1]), tmp_path / "elsewhere" / "result")
    store.path(steps[1]).symlink_to(tmp_path / "elsewhere" / "result")
    pruned = store.prune(unused=True, older_than=timedelta(0), dry_run=False)
    assert [one.address for one in pruned.results] == [steps[2].address]
    assert [reason for _, reason in pruned.kept] == ["it holds sub/notes.txt, which the store did not write"]
    assert all(path.read_text() for path in [*foreign, notes])
    assert (tmp_path / "elsewhere" / "result" / "text").is_file()


@pytest.mark.parametrize("text", ['{"format": 3}', "{", "[]", None])
def test_a_store_of_another_version_is_left_alone_and_said(store: Store, text: str | None) -> None:
    compute(store, chain(1))
    age(store, chain(1))
    (store.root / "store.json").unlink() if text is None else (store.root / "store.json").write_text(text)
    before = everything(store.root)
    for call in (store.contents, store.verify, lambda: store.prune(unused=True, dry_run=False)):
        with pytest.raises(StoreError, match="holds results of another version of w2s"):
            call()
    assert everything(store.root) == before


def test_a_store_that_cannot_be_written_is_used_all_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    compute(store, chain(1))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(store.root / ".runs"))

    monkeypatch.setattr("w2s.store.register._write", refuse)
    with store.using(chain(1), label="a run", folder=store.root.parent / "run"):
        assert there(store, chain(1)) == [0]
    assert store.contents().notes == [] and timedelta(30) < OLD
