"""Damage is found in all results, said, and removed only where that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.households import chain, compute, there
from w2s.store import Store
from w2s.store.places import lock_of


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


@pytest.fixture
def damaged(store: Store) -> Store:
    """A store of four results, of which one is whole."""
    steps = chain(4)
    compute(store, steps)
    flip(store.path(steps[0]) / "text")
    (store.path(steps[1]) / "sub" / "numbers.bin.json").unlink()
    (store.path(steps[2]) / "manifest.json").write_text("{")
    return store


def test_every_damaged_result_is_listed_with_what_is_wrong(damaged: Store) -> None:
    told: list[tuple[int, int]] = []
    found = Store(damaged.root).verify(progress=lambda done, total, unit, tokens=0: told.append((done, total)))
    assert found.whole == 1 and found.others == []
    assert {one.label: one.fault for one in found.damaged} == {
        "step 0": "text has changed content",
        "step 1": "sub/numbers.bin.json is missing",
        "": "manifest.json is missing or cannot be read",
    }
    assert not any(one.removed for one in found.damaged)
    assert told[-1][0] == told[-1][1] > 0 and len(told) == 4
    assert damaged.contents().unreadable == [chain(4)[2].address]


def test_damaged_results_are_removed_where_that_was_asked_for_unless_somebody_is_at_work_there(damaged: Store) -> None:
    steps = chain(4)
    with lock_of(damaged.root, steps[0].address):
        found = damaged.verify(remove_damaged=True)
        assert {one.address: one.removed for one in found.damaged} == {
            steps[0].address: False,
            steps[1].address: True,
            steps[2].address: True,
        }
    assert damaged.verify(remove_damaged=True).whole == 1
    assert there(damaged, steps) == [3] and damaged.contents().trash_bytes == 0


def test_results_of_another_version_are_left_alone_and_said(store: Store) -> None:
    compute(store, chain(1))
    old = store.root / "answers" / ("a" * 32)
    old.mkdir(parents=True)
    (old / "manifest.json").write_text('{"kind": "answers", "key": "' + "a" * 32 + '"}')
    found = store.verify(remove_damaged=True)
    assert (found.whole, found.damaged, found.others) == (1, [], [old])
    assert old.exists() and store.contents().others == [old]
