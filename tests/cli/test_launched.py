"""Commands that a launcher starts in two processes: the results of one, said once, and no waiting for who is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.commands import Say
from support.experiments import SIZES, in_splits, questions, write_rows
from support.training import training_set
from w2s.cli.options import runner_from
from w2s.cli.processes import lead
from w2s.errors import InputError
from w2s.launched import Process, awaiting_others, call_others, this_process
from w2s.tables import write_table

LAUNCHERS = {
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--main_process_port=0"],
    "torchrun": ["torch.distributed.run", "--nproc_per_node=2", "--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0"],
}


@contextmanager
def launched(launcher: str, words: list[str], home: Path) -> Iterator[subprocess.Popen[str]]:
    """A command in two processes; whatever is left of them at the end of the block is ended."""
    # On the CPU: `accelerate launch --cpu` itself starts one process only.
    environment = {**os.environ, "W2S_HOME": str(home), "ACCELERATE_USE_CPU": "true"}
    process = subprocess.Popen(
        [sys.executable, "-m", *LAUNCHERS[launcher], "-m", "w2s", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def losses_of(home: Path) -> list[list[dict[str, Any]]]:
    logs = [log.read_text().splitlines() for log in home.glob("training/*/log.jsonl")]
    return sorted([[json.loads(line) for line in log] for log in logs], key=len)


@pytest.mark.slow
def test_a_run_in_two_processes_is_that_of_one(tiny_llama: Path, tmp_path: Path, say: Say) -> None:
    data = write_rows(tmp_path / "rows.jsonl", in_splits(questions()))
    words = ["run", "--task.name", "file", "--task.data", data, "--task.num_variations", "2", "--methods", "[naive]"]
    words += [word for name, size in SIZES.items() for word in (f"--task.{name}", str(size))]
    for model, rate in (("weak", "2e-2"), ("strong", "1e-2")):
        training = "weak_training" if model == "weak" else "student_training"
        words += [f"--{model}.name", str(tiny_llama), f"--{model}.dtype", "float32", f"--{model}.device", "cpu"]
        # 15 of 16 questions and then one: of the last batch, one process has no share.
        own = {"batch_size": 15, "epochs": 1, "learning_rate": rate}
        words += [f"--{training}.{name}={value}" for name, value in own.items()]
    with launched("accelerate", [*words, "--out", str(tmp_path / "two")], tmp_path / "home-two") as process:
        said_alone = say(*words, "--out", str(tmp_path / "one"), "--store", str(tmp_path / "home-one"))
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-3000:]
    assert err.count("2 processes: they share each training, batch by batch; all else is done by the first") == 1
    assert err.count("naive: training · seed 0:") == 1 and "Traceback" not in err
    table = said_alone.split("steps computed")[0].rsplit("\n", 1)[0]
    assert out.startswith(table) and out.count("Results: ") == 1
    one, two = losses_of(tmp_path / "home-one"), losses_of(tmp_path / "home-two")
    assert len(one) == len(two) == 2 and [len(log) for log in one] == [1, 2]
    assert two == [[pytest.approx(entry, rel=1e-4) for entry in log] for log in one]


@pytest.mark.slow
def test_a_lost_process_ends_the_command_at_once_and_it_goes_on(tiny_llama: Path, tmp_path: Path, say: Say) -> None:
    write_table(training_set(), tmp_path / "rows.parquet")
    words = ["train", str(tmp_path / "rows.parquet"), "--model.name", str(tiny_llama), "--model.dtype", "float32"]
    words += ["--model.device", "cpu", "--training.batch_size", "4", "--training.epochs", "50"]
    words += ["--training.checkpoints", "100", "--training.lora.rank", "2", "--out", str(tmp_path / "student")]
    home = tmp_path / "home"
    with launched("torchrun", words, home) as process:
        deadline = time.monotonic() + 500
        while not list(home.glob(".partial/training-*/checkpoints/checkpoint-*")):
            assert process.poll() is None, process.communicate()[1][-3000:]
            assert time.monotonic() < deadline, "no checkpoint was written"
            time.sleep(0.1)
        (follower,) = [pid for pid in children_of(process.pid) if rank_of(pid) == "1"]
        os.kill(follower, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
    assert process.returncode != 0 and not out
    said = [line for line in err.splitlines() if line.startswith("w2s: ")]
    assert said, err
    assert all(
        line.startswith(("w2s: ended by its launcher", "w2s: another of the processes that share this training"))
        for line in said
    )
    assert "150 steps" in say(*words, "--store", str(home))
    (log,) = losses_of(home)
    assert [entry["step"] for entry in log] == list(range(1, 151))


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rank_of(pid: int) -> str | None:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((pair[5:].decode() for pair in pairs if pair.startswith(b"RANK=")), None)


# Without a launch


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_who_was_not_launched_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert this_process() == Process(0, 1, 0)
    monkeypatch.setenv("WORLD_SIZE", "4")  # as a batch system may set it for its own ends
    assert this_process() == Process(0, 1, 0)
    call_others({})


@pytest.mark.usefixtures("second_of_two")
def test_a_training_that_nobody_leads_is_refused_and_not_waited_for() -> None:
    assert this_process() == Process(1, 2, 1)
    with pytest.raises(InputError, match="a training in process 2 of 2 which nobody leads"):
        call_others({})


@pytest.mark.usefixtures("second_of_two")
@pytest.mark.parametrize("command", ["label", "study", "evaluate", "doctor"])
def test_a_command_that_shares_no_work_is_refused(command: str) -> None:
    with pytest.raises(InputError, match=f"w2s {command} in 2 launched processes: expected it without accelerate"):
        lead(command)


@pytest.mark.usefixtures("second_of_two")
@pytest.mark.parametrize(("runner", "jobs"), [("local", 2), ("ray", 1)])
def test_several_trainings_at_once_are_refused_in_launched_processes(runner: Any, jobs: int) -> None:
    arguments: Any = SimpleNamespace(runner=runner, jobs=jobs, address=None, resources={})
    with pytest.raises(InputError, match="in one of 2 launched processes: expected several processes for one training"):
        runner_from(arguments)


@pytest.mark.usefixtures("second_of_two")
def test_what_a_library_says_of_a_lost_process_becomes_a_line() -> None:
    with pytest.raises(InputError, match="was lost: the same command goes on"), awaiting_others():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")
    with pytest.raises(RuntimeError, match="mat1 and mat2"), awaiting_others():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
