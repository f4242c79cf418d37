"""Students one after the other with all of the processor's cores, against students side by side: what `--jobs` gives.

    python benchmarks/jobs.py [--jobs 2] [--students 4] [--transfer 300] [--test 100]

Each student is a seed of its own, trained on right answers of the embedded word-language and tested, by the runners
that `w2s run` and `w2s run --jobs N` use. Each way has an empty store of its own, in which only the model is converted
beforehand; starting processes, loading the model and compiling are in its seconds. Both ways run twice, in turn, and
the faster run counts. The last column is the share of test answers that are the first way's: cores that share a sum
round it otherwise. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from common import device_name, in_own_process, print_table, run_script

from w2s.config import Experiment, TaskSpec, WeakSpec
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.runners.base import plan
from w2s.runners.processes import runner_of
from w2s.store import Store
from w2s.tables import read_table

ROUNDS = 2


class Ran(NamedTuple):
    """What one way gave.

    Attributes:
        seconds: By the clock.
        answers: To the test questions, seed after seed.
    """

    seconds: float
    answers: list[str | None]


def train(jobs: int, students: int, transfer: int, test: int) -> Ran:
    """Train and test so many students, so many at once."""
    experiment = Experiment(
        task=TaskSpec(name="word-language", weak_train=0, transfer=transfer, test=test),
        weak=WeakSpec(source="simulated"),
        methods=["ceiling"],
        seeds=list(range(students)),
    )
    with tempfile.TemporaryDirectory() as folder:
        store, graph = Store(Path(folder)), Graph(experiment)
        tests = [run.methods["ceiling"].predictions for run in graph.seed_runs]
        local.run([one.step for one in plan(tests, store) if one.step.kind == "model"], store)
        began = time.perf_counter()
        runner_of(jobs)(tests, store)
        seconds = time.perf_counter() - began
        tables = [read_table(store.path(step) / "predictions.parquet") for step in tests]
    return Ran(seconds, [answer for table in tables for answer in table["answer"].to_pylist()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--students", type=int, default=4)
    parser.add_argument("--transfer", type=int, default=300, help="rows that each student learns")
    parser.add_argument("--test", type=int, default=100)
    arguments = parser.parse_args()
    sizes = {"students": arguments.students, "transfer": arguments.transfer, "test": arguments.test}
    ways = (1, arguments.jobs)
    found: dict[int, list[Ran]] = {jobs: [] for jobs in ways}
    for _ in range(ROUNDS):
        for jobs in ways:
            found[jobs].append(in_own_process(train, jobs=jobs, **sizes).value)
    first, rows = found[1][0].answers, []
    for jobs, runs in found.items():
        seconds = min(run.seconds for run in runs)
        same = sum(one == other for one, other in zip(first, runs[0].answers, strict=True)) / len(first)
        rows.append([f"--jobs {jobs}", f"{seconds:.0f}", f"{seconds / arguments.students:.1f}", f"{same:.3f}"])
    title = f"{arguments.students} students of {arguments.transfer} rows and {arguments.test} test questions"
    print_table(f"{title}; {device_name()}", ["", "s", "s a student", "same answers"], rows)
    gain = min(run.seconds for run in found[1]) / min(run.seconds for run in found[arguments.jobs])
    print(f"side by side is {gain:.2f} times as fast")


if __name__ == "__main__":
    run_script(main)
