"""Several processes and one store: nothing is built twice, and nobody waits for the dead."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from support.stores import make_step
from w2s.store import Store

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
