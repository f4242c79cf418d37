"""Steps in processes of their own: the same results, what they tell, and a process that is killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.held import assert_as_in_one_process, held_shards, lost_while_asking
from support.made_up import begun, made_up_step, write_plugin
from w2s.errors import InputError
from w2s.runners import local
from w2s.runners.base import Event
from w2s.runners.processes import runner_of
from w2s.store import Store


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def test_two_processes_share_the_work_and_tell_of_it(
    plugin: str, log: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "store")
    first = [made_up_step(plugin, log, number, seconds=0.3) for number in (1, 2)]
    targets = [*first, made_up_step(plugin, log, 3, *first)]
    events: list[Event] = []
    with caplog.at_level(logging.INFO, logger="w2s"):
        assert runner_of(2)(targets, store, on_event=events.append) == {}
    assert begun(log) == [1, 2, 3] and all(store.is_done(one) for one in targets)
    assert len({path.name.split("-")[1] for path in log.iterdir()}) == 2  # processes
    share = str(max(1, (os.cpu_count() or 1) // 2))
    assert {(store.path(one) / "threads").read_text() for one in targets} == {share}
    kinds = [event.kind for event in events]
    assert kinds.count("finished") == 3 and "progress" in kinds
    assert sorted(record.getMessage() for record in caplog.records) == ["step 1", "step 2", "step 3"]


def test_a_step_that_raises_is_not_tried_again_and_says_what_it_said(plugin: str, log: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    bad, good = made_up_step(plugin, log, 1, fault="no such column"), made_up_step(plugin, log, 2)
    reader = made_up_step(plugin, log, 3, bad)
    failures = runner_of(2)([reader, good], store, on_event=lambda _: None, keep_going=True)
    assert failures.keys() == {bad.key, reader.key} and store.is_done(good)
    error = failures[bad.key]
    assert isinstance(error, InputError) and str(error) == "no such column" and begun(log) == [1, 2]
    assert "made_up_steps.py" in error.__notes__[0]


def test_a_killed_process_costs_its_own_step_once(plugin: str, log: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    long, other = made_up_step(plugin, log, 1, seconds=1.5), made_up_step(plugin, log, 2, seconds=1.0)

    def kill() -> None:
        while not (found := list(log.glob("1-*"))):
            time.sleep(0.05)
        os.kill(int(found[0].name.split("-")[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert runner_of(2)([long, other], store, on_event=lambda _: None) == {}
    killer.join()
    assert begun(log) == [1, 1, 2] and store.is_done(long) and store.is_done(other)


def test_a_process_killed_while_shards_are_asked_costs_the_one_that_it_asked(
    tiny_llama: Path, tiny_gemma: Path, tmp_path: Path
) -> None:
    task, store = tmp_path / "task", Store(tmp_path / "store")
    answers = held_shards(task, tiny_llama, tiny_gemma)
    asked = lost_while_asking(
        task, answers, store, runner_of(2), workers=2, lose=lambda process: os.kill(process, signal.SIGKILL)
    )
    assert asked == [1] * 7 + [2]
    assert_as_in_one_process(answers, store, Store(tmp_path / "alone"))


DRIVER = """
import sys
from pathlib import Path
from w2s.runners.processes import runner_of
from w2s.step import steps_from_json
from w2s.store import Store

if __name__ == "__main__":
    runner_of(2)(steps_from_json(sys.stdin.read()), Store(Path(sys.argv[1])), on_event=print)
"""


def test_workers_end_with_a_driver_that_is_killed(plugin: str, log: Path, tmp_path: Path) -> None:
    from w2s.step import steps_to_json

    (tmp_path / "driver.py").write_text(DRIVER)
    targets = [made_up_step(plugin, log, number, seconds=60) for number in (1, 2)]
    driver = subprocess.Popen(
        [sys.executable, str(tmp_path / "driver.py"), str(tmp_path / "store")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert driver.stdin is not None
    driver.stdin.write(steps_to_json(targets))
    driver.stdin.close()
    deadline = time.monotonic() + 60
    while len(begun(log)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = [int(path.name.split("-")[1]) for path in log.iterdir()]
    assert len(workers) == 2
    driver.kill()
    driver.wait()
    while any(map(_lives, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_lives, workers))


def _lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_one_job_is_the_local_runner_and_none_is_refused() -> None:
    assert runner_of(1) is local.run
    with pytest.raises(InputError, match="jobs is 0: expected 1 or more"):
        runner_of(0)
