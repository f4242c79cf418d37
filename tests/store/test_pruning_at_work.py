"""Pruning beside processes that compute, and processes that are killed while they prune."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from support.households import age, age_notes, chain, compute, there
from w2s.store import Store
from w2s.store.register import locked

TESTS = Path(__file__).parents[1]

KILLED = """
import os, signal, sys
from pathlib import Path
import w2s.store.places, w2s.store.pruning
from w2s.store import Store

moment, count = sys.argv[2], 0

def die(function):
    def call(*arguments, **more):
        global count
        count += 1
        if moment == "before" and count == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        found = function(*arguments, **more)
        if moment == "after" and count == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    return call

def half(folder, **_):
    os.unlink(next(path for path in sorted(folder.rglob("*")) if path.is_file()))
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "halfway":
    w2s.store.pruning.shutil.rmtree = half
else:
    w2s.store.pruning.throw_away = die(w2s.store.pruning.throw_away)
Store(Path(sys.argv[1])).prune(unused=True, dry_run=False)
"""


@pytest.mark.parametrize(("moment", "left"), [("before", 3), ("after", 2), ("halfway", 0)])
def test_a_prune_that_is_killed_leaves_each_result_whole_or_absent(store: Store, moment: str, left: int) -> None:
    steps = chain(4)
    compute(store, steps)
    age(store, steps)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(store.root), moment], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    found = store.verify()
    assert found.whole == left and not found.damaged and not found.others
    assert store.contents().trash_bytes > 0
    went = store.prune(unused=True, dry_run=False)
    assert len(went.results) == left and went.trash_bytes > 0
    assert store.contents().trash_bytes == 0 and there(store, steps) == []
    compute(store, steps)
    assert there(store, steps) == [0, 1, 2, 3]


USES = """
import sys
from pathlib import Path
from support.households import chain
from w2s.store import Store
with Store(Path(sys.argv[1])).using(chain(3), label="a run", folder=Path(sys.argv[2])):
    print("using", flush=True)
    sys.stdin.readline()
"""


def test_what_a_process_uses_stays_and_what_a_killed_one_used_stays_until_it_is_old(
    store: Store, tmp_path: Path
) -> None:
    steps = chain(3)
    compute(store, steps)
    age(store, steps)
    command = [sys.executable, "-c", USES, str(store.root), str(tmp_path / "run")]
    user = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TESTS)
    assert user.stdout is not None and user.stdout.readline() == "using\n"
    age_notes(store)
    assert [note.state for note in store.contents().notes] == ["running"]
    assert store.prune(unused=True, older_than=timedelta(0), dry_run=False).results == []
    user.send_signal(signal.SIGKILL)
    user.communicate()
    assert [note.state for note in store.contents().notes] == ["broken off"]
    assert store.prune(unused=True, older_than=timedelta(60), dry_run=False).results == []
    assert there(store, steps) == [0, 1, 2]
    assert len(store.prune(unused=True, dry_run=False).results) == 3


def test_a_run_that_begins_waits_for_a_prune_to_be_through(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    began = threading.Event()

    def use() -> None:
        with store.using(chain(1), label="a run"):
            began.set()

    compute(store, chain(1))
    with locked(store.root):
        user = threading.Thread(target=use)
        user.start()
        assert not began.wait(0.5)
    user.join(timeout=20)
    assert began.is_set() and any("waiting for another process that is pruning" in said for said in caplog.messages)


RUNS = """
import sys
from pathlib import Path
from support.households import chain, compute
from w2s.store import Store
for number in range(int(sys.argv[2])):
    store = Store(Path(sys.argv[1]))
    with store.using(chain(4), label="a stage"):
        compute(store, chain(4)[1:2])
        for step in chain(4):
            compute(store, [step])
            assert (store.path(step) / "text").read_text()
    print("round", flush=True)
"""


def test_nothing_vanishes_under_a_process_that_computes(store: Store) -> None:
    rounds = 12
    command = [sys.executable, "-c", RUNS, str(store.root), str(rounds)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=TESTS)
    went = 0
    while worker.poll() is None:
        went += len(store.prune(unused=True, older_than=timedelta(0), dry_run=False).results)
    out, err = worker.communicate()
    assert out.split() == ["round"] * rounds, err
    went += len(store.prune(unused=True, older_than=timedelta(0), dry_run=False).results)
    assert went >= 4 and went % 4 == 0
    assert store.contents().results == [] and store.contents().notes == []
