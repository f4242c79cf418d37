"""Steps as Ray tasks on two nodes: the same results, errors, and a node that goes away in the middle."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.held import assert_as_in_one_process, held_shards, lost_while_asking
from support.made_up import begun, made_up_step, write_plugin
from w2s.errors import InputError
from w2s.runners.base import Event
from w2s.runners.ray import runner_of
from w2s.store import Store

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, on this machine."""
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.connect()
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.usefixtures("cluster")
def test_steps_run_on_both_nodes_and_tell_of_it(
    plugin: str, log: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "store")
    first = [made_up_step(plugin, log, number, seconds=1.0) for number in (1, 2)]
    targets = [*first, made_up_step(plugin, log, 3, *first)]
    events: list[Event] = []
    with caplog.at_level(logging.INFO, logger="w2s"):
        assert runner_of()(targets, store, on_event=events.append) == {}
    assert begun(log) == [1, 2, 3] and all(store.is_done(one) for one in targets)
    assert len({path.name.split("-")[1] for path in log.iterdir()}) >= 2  # processes
    kinds = [event.kind for event in events]
    assert kinds.count("finished") == 3 and "progress" in kinds
    assert {record.getMessage() for record in caplog.records} >= {"step 1", "step 2", "step 3"}


@pytest.mark.usefixtures("cluster")
def test_what_a_step_raises_is_not_tried_again_and_takes_what_needs_it(plugin: str, log: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    bad, good = made_up_step(plugin, log, 1, fault="no such column"), made_up_step(plugin, log, 2)
    reader = made_up_step(plugin, log, 3, bad)
    failures = runner_of()([reader, good], store, on_event=lambda _: None, keep_going=True)
    assert failures.keys() == {bad.key, reader.key} and store.is_done(good) and begun(log) == [1, 2]
    assert isinstance(failures[bad.key], InputError) and str(failures[bad.key]) == "no such column"


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_costs_its_own_step_once(plugin: str, log: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    long, other = made_up_step(plugin, log, 1, seconds=2.0), made_up_step(plugin, log, 2, seconds=2.0)

    def kill() -> None:
        while not (found := list(log.glob("1-*"))):
            time.sleep(0.05)
        os.kill(int(found[0].name.split("-")[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert runner_of()([long, other], store, on_event=lambda _: None) == {}
    killer.join()
    assert begun(log) == [1, 1, 2] and store.is_done(long) and store.is_done(other)


def test_a_node_that_goes_away_costs_what_it_had_at_work(cluster: Any, plugin: str, log: Path, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2)
    store = Store(tmp_path / "store")
    go = tmp_path / "go"
    targets = [made_up_step(plugin, log, number, until=str(go)) for number in range(1, 5)]

    def remove() -> None:
        while len(list(log.iterdir())) < 4:  # all at once, two of them there
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        go.touch()

    remover = threading.Thread(target=remove)
    remover.start()
    assert runner_of()(targets, store, on_event=lambda _: None) == {}
    remover.join()
    assert all(store.is_done(step) for step in targets)
    assert len(begun(log)) == 6  # the two that were at work there once more, and nothing else


def test_a_node_that_goes_away_while_shards_are_asked_costs_the_one_that_it_asked(
    cluster: Any, tiny_llama: Path, tiny_gemma: Path, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1)
    task, store = tmp_path / "task", Store(tmp_path / "store")
    answers = held_shards(task, tiny_llama, tiny_gemma)

    def lose(_: int) -> None:
        cluster.remove_node(node, allow_graceful=False)

    asked = lost_while_asking(task, answers, store, runner_of(), workers=3, lose=lose)
    assert asked == [1] * 7 + [2]
    assert_as_in_one_process(answers, store, Store(tmp_path / "alone"))


def test_a_kind_of_step_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown kind of step 'trainin'.*did you mean 'training'"):
        runner_of(resources={"trainin": {"num_gpus": 1}})
