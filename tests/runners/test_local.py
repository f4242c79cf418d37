"""The local runner: what is needed, in order, once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from w2s.errors import InputError
from w2s.files import atomic_write
from w2s.runners.base import Event, order, plan
from w2s.runners.local import run
from w2s.step import Build, Context, Step
from w2s.store import Store


class Graph:
    """Two methods on one set of answers; notes what is built.

    answers ─┬─ filter ── student-filter ── test-filter
             └─ naive ─── student-naive ─── test-naive
    """

    def __init__(self) -> None:
        self.built: list[str] = []
        self.answers = self.step("answers")
        self.filter = self.step("filter", self.answers)
        self.student_filter = self.step("student-filter", self.filter)
        self.test_filter = self.step("test-filter", self.student_filter, self.answers)
        self.naive = self.step("naive", self.answers)
        self.student_naive = self.step("student-naive", self.naive)
        self.test_naive = self.step("test-naive", self.student_naive, self.answers)
        self.targets = [self.test_filter, self.test_naive]

    def step(self, kind: str, *inputs: Step) -> Step:
        return Step(kind=kind, label=kind, settings={}, inputs={step.kind: step for step in inputs})

    def build_of(self, step: Step) -> Build:
        def note(settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context) -> None:
            self.built.append(step.kind)
            context.progress(1, 2, "rows")
            if step.kind == "broken":
                raise RuntimeError("out of luck")
            atomic_write(out / "result", step.kind)

        return note


IN_ORDER = ["answers", "filter", "student-filter", "test-filter", "naive", "student-naive", "test-naive"]


@pytest.fixture
def graph() -> Graph:
    return Graph()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def run_noting(graph: Graph, targets: list[Step], store: Store) -> list[tuple[str, str]]:
    events: list[Event] = []
    run(targets, store, on_event=events.append, find_build=graph.build_of)
    return [(event.kind, event.step.kind) for event in events if event.kind != "progress"]


def test_inputs_come_first_and_one_chain_ends_before_the_next_begins(graph: Graph) -> None:
    assert [step.kind for step in order(graph.targets)] == IN_ORDER


def test_steps_with_one_key_are_one_step(graph: Graph) -> None:
    assert [step.kind for step in order([*graph.targets, *Graph().targets, graph.naive])] == IN_ORDER


def test_no_targets_need_nothing(graph: Graph, store: Store) -> None:
    assert order([]) == [] and plan([], store) == [] and run_noting(graph, [], store) == []


def test_a_run_builds_each_step_once_and_tells_each_event(graph: Graph, store: Store) -> None:
    events = run_noting(graph, graph.targets, store)
    assert graph.built == IN_ORDER
    assert events == [(kind, step) for step in IN_ORDER for kind in ("started", "finished")]


def test_a_second_run_reuses_the_targets_and_looks_at_nothing_else(graph: Graph, store: Store) -> None:
    run_noting(graph, graph.targets, store)
    graph.built.clear()
    assert run_noting(graph, graph.targets, Store(store.root)) == [("reused", "test-filter"), ("reused", "test-naive")]
    assert graph.built == []


def test_a_done_step_needs_no_ancestors(graph: Graph, store: Store) -> None:
    for step in (graph.answers, graph.filter, graph.student_filter):
        store.run(step, graph.build_of(step))
    (store.path(graph.filter) / "manifest.json").unlink()
    graph.built.clear()

    planned = plan([graph.test_filter], store)
    assert [(p.step.kind, p.done, p.needed) for p in planned] == [
        ("answers", True, False),
        ("filter", False, False),
        ("student-filter", True, False),
        ("test-filter", False, True),
    ]
    events = run_noting(graph, [graph.test_filter], store)
    assert graph.built == ["test-filter"]
    assert events == [
        ("reused", "student-filter"),
        ("reused", "answers"),
        ("started", "test-filter"),
        ("finished", "test-filter"),
    ]


def test_a_plan_and_a_run_agree(graph: Graph, store: Store) -> None:
    run_noting(graph, [graph.student_naive], store)
    graph.built.clear()
    needed = [p.step.kind for p in plan(graph.targets, store) if p.needed]
    run_noting(graph, graph.targets, store)
    assert graph.built == needed == ["filter", "student-filter", "test-filter", "test-naive"]


def test_a_plan_writes_nothing(graph: Graph, store: Store) -> None:
    assert [p.step.kind for p in plan(iter(graph.targets), store) if p.needed] == IN_ORDER
    assert not store.root.exists()


def test_a_step_that_is_needed_by_a_later_target_only_is_needed(graph: Graph, store: Store) -> None:
    run_noting(graph, [graph.filter], store)
    (store.path(graph.answers) / "manifest.json").unlink()
    assert [p.step.kind for p in plan([graph.filter, graph.naive], store) if p.needed] == ["answers", "naive"]


def test_a_damaged_target_is_said_and_rebuilt_from_sound_or_rebuilt_inputs(
    graph: Graph, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    run_noting(graph, [graph.student_naive], store)
    for step in (graph.student_naive, graph.naive):
        (store.path(step) / "result").write_text("X" * len(step.kind))
    graph.built.clear()
    assert run_noting(graph, [graph.student_naive], Store(store.root)) == [
        ("reused", "answers"),
        ("started", "naive"),
        ("finished", "naive"),
        ("started", "student-naive"),
        ("finished", "student-naive"),
    ]
    assert graph.built == ["naive", "student-naive"]
    assert [message.partition(": damaged")[0] for message in caplog.messages] == ["student-naive", "naive"]


def test_a_failure_is_told_and_passed_on_and_stops_the_run(graph: Graph, store: Store) -> None:
    broken = graph.step("broken", graph.answers)
    events: list[Event] = []
    with pytest.raises(RuntimeError, match="out of luck"):
        run([broken, graph.naive], store, on_event=events.append, find_build=graph.build_of)
    assert [(event.kind, event.step.kind, event.text) for event in events] == [
        ("started", "answers", ""),
        ("progress", "answers", ""),
        ("finished", "answers", ""),
        ("started", "broken", ""),
        ("progress", "broken", ""),
        ("failed", "broken", "out of luck"),
    ]
    assert (events[1].done, events[1].total, events[1].unit) == (1, 2, "rows")
    assert not store.is_done(broken) and not store.is_done(graph.naive)


def test_a_kind_that_nobody_computes_is_named(graph: Graph, store: Store) -> None:
    with pytest.raises(InputError, match=r"step 'student-naive' is of kind 'student-naive': expected one of .*answers"):
        run([Step(kind="student-naive", label="student-naive", settings={}, inputs={})], store)


def test_a_finished_event_has_the_seconds(graph: Graph, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 10_000, 1))
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    events: list[Event] = []
    run([graph.answers], store, on_event=events.append, find_build=graph.build_of)
    assert events[-1].kind == "finished" and events[-1].seconds >= 1
