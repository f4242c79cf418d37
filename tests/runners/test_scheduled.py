"""Steps on several workers: order, room, what a failure takes with it, and workers that die."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.stores import make_step, write_tree
from w2s.errors import InputError
from w2s.runners.base import Event
from w2s.runners.scheduled import TRIES, Ended, WorkerDiedError, run_on
from w2s.step import Step, walk
from w2s.store import Store


class Hands:
    """Workers in this process: each look at them ends the step that was begun last, or first."""

    def __init__(self, store: Store, room: int = 2, *, last: bool = True) -> None:
        self.store, self.room, self.last = store, room, last
        self.at_work: list[Step] = []
        self.begun: list[str] = []
        self.most = 0
        self.deaths: dict[str, int] = {}
        self.faults: dict[str, Exception] = {}

    def has_room(self, step: Step) -> bool:
        return len(self.at_work) < self.room

    def begin(self, step: Step) -> None:
        assert all(self.store.is_done(one) for one in step.inputs.values())
        self.begun.append(step.label)
        self.at_work.append(step)
        self.most = max(self.most, len(self.at_work))

    def wait(self) -> Iterator[Event | Ended]:
        step = self.at_work.pop(-1 if self.last else 0)
        yield Event(kind="progress", step=step, done=1, total=2, unit="rows")
        error = self.faults.get(step.label)
        if self.deaths.get(step.label, 0) > 0:
            self.deaths[step.label] -= 1
            error = WorkerDiedError("gone")
        if error is None:
            self.store.run(step, write_tree)
        yield Ended(step, 1.0, error)


def chain(*labels: str) -> list[Step]:
    """Steps, each of which reads the one before."""
    steps: list[Step] = []
    for label in labels:
        inputs = {"before": steps[-1]} if steps else {}
        steps.append(make_step(label=label, settings={"label": label}, inputs=inputs))
    return steps


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_two_chains_are_at_work_at_once_and_each_in_order(store: Store) -> None:
    first, second = chain("a1", "a2", "a3"), chain("b1", "b2")
    hands = Hands(store, last=False)
    events: list[Event] = []
    assert run_on(hands, [first[-1], second[-1]], store, on_event=events.append) == {}
    assert hands.begun == ["a1", "b1", "a2", "b2", "a3"] and hands.most == 2
    kinds = [event.kind for event in events]
    assert kinds.count("started") == kinds.count("finished") == kinds.count("progress") == 5
    events.clear()
    assert run_on(hands, [first[-1], second[-1]], store, on_event=events.append) == {}
    assert [event.kind for event in events] == ["reused", "reused"] and len(hands.begun) == 5


def test_the_first_failure_ends_a_run(store: Store) -> None:
    hands = Hands(store, room=1)
    hands.faults["a1"] = InputError("a bad file")
    with pytest.raises(InputError, match="a bad file"):
        run_on(hands, [chain("a1", "a2")[-1], chain("b1")[-1]], store, on_event=lambda _: None)
    assert hands.begun == ["a1"]


def test_a_failure_takes_with_it_what_needs_it_and_nothing_else(store: Store) -> None:
    first, second = chain("a1", "a2", "a3"), chain("b1", "b2")
    joined = make_step(label="both", settings={"label": "both"}, inputs={"a": first[-1], "b": second[-1]})
    hands = Hands(store)
    hands.faults["a2"] = InputError("a bad file")
    failures = run_on(hands, [joined, second[-1]], store, on_event=lambda _: None, keep_going=True)
    assert failures.keys() == {first[1].key, first[2].key, joined.key}
    assert {str(error) for error in failures.values()} == {"a bad file"}
    assert store.is_done(first[0]) and store.is_done(second[-1])


def test_a_step_whose_worker_died_is_tried_again_but_not_for_ever(store: Store) -> None:
    (step,) = chain("a1")
    hands = Hands(store)
    hands.deaths["a1"] = TRIES - 1
    assert run_on(hands, [step], store, on_event=lambda _: None) == {}
    assert hands.begun == ["a1"] * TRIES
    (other,) = chain("b1")
    hands.deaths["b1"] = TRIES
    with pytest.raises(WorkerDiedError):
        run_on(hands, [other], store, on_event=lambda _: None)
    assert hands.begun.count("b1") == TRIES


@st.composite
def graphs(draw: st.DrawFn) -> Sequence[Step]:
    """Steps, each of which reads some of those before."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 9))):
        before = draw(st.sets(st.sampled_from(range(number)), max_size=3)) if number else set()
        inputs = {f"i{one}": steps[one] for one in sorted(before)}
        steps.append(make_step(label=f"s{number}", settings={"number": number}, inputs=inputs))
    return steps


@settings(max_examples=40, deadline=None)
@given(steps=graphs(), data=st.data())
def test_any_graph_is_computed_each_step_once_but_for_what_failures_take(
    steps: Sequence[Step], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    labels = [step.label for step in steps]
    bad = data.draw(st.sets(st.sampled_from(labels), max_size=2), "that fail")
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=3), "done before"):
        lacks = any(one.label in bad for one in walk([step], stop=lambda _: False))
        for one in [] if lacks else walk([step], stop=store.is_done):
            store.run(one, write_tree)
    hands = Hands(store, room=data.draw(st.integers(1, 3), "room"), last=data.draw(st.booleans(), "last"))
    hands.faults = {label: InputError(label) for label in bad}
    failures = run_on(hands, steps, store, on_event=lambda _: None, keep_going=True)
    lost = {step.key for step in steps if any(one.label in bad for one in walk([step], stop=lambda _: False))}
    assert failures.keys() == lost
    assert len(hands.begun) == len(set(hands.begun))
    assert all(store.is_done(step) != (step.key in lost) for step in steps)
