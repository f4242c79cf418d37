"""What the scheduler itself costs: steps laid, planned, computed and found done, where a step has nothing to do.

    python benchmarks/scheduling.py [--steps 500] [--planned 10000] [--jobs 2]

Made-up steps of a kind that writes one small file, ten layers deep, each reading three of the layer before, in a real
store in the temporary folder: what is measured is keys, locks, manifests, syncs and processes. `planned` is what a dry
run looks at. The study is of real settings, the quickstart's task with another learning rate in each cell and five
seeds; it is laid as `w2s study --dry-run` does, and nothing is computed. Each part runs in a process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common import device_name, in_own_process, print_table, run_script

from w2s.files import atomic_write
from w2s.pipeline.steps import KINDS, Kind
from w2s.runners import local
from w2s.runners.base import plan, tell_nobody
from w2s.runners.processes import runner_of
from w2s.running import from_elsewhere
from w2s.step import Context, Step
from w2s.store import Store

LAYERS, READS = 10, 3


def build(settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context) -> None:
    """Write the step's number."""
    atomic_write(out / "number.txt", str(settings["number"]))


KINDS["made-up"] = Kind(build, 1)


def made_up(count: int) -> list[Step]:
    """So many steps in layers; all are targets."""
    width = max(1, count // LAYERS)
    steps: list[Step] = []
    for number in range(count):
        layer, place = divmod(number, width)
        before = [steps[(layer - 1) * width + (place + shift) % width] for shift in range(READS)] if layer else []
        steps.append(
            Step(
                kind="made-up",
                label=f"step {number}",
                settings={"number": number, "model": {"identity": "0" * 64, "dtype": "float32"}, "seed": 0},
                inputs={f"part-{index}": step for index, step in enumerate({one.key: one for one in before}.values())},
                versions={"made-up": 1, "task geography": 2},
                execution={"plugins": [__file__]},
            )
        )
    return steps


def planned(folder: Path, count: int) -> float:
    """Lay steps, and see which are done."""
    began = time.perf_counter()
    assert len(plan(made_up(count), Store(folder))) == count
    return time.perf_counter() - began


def run(folder: Path, count: int, jobs: int) -> float:
    """Run steps as `w2s run` does, with its note of what is used and its look at where results are from."""
    runner = runner_of(jobs) if jobs > 1 else local.run
    began = time.perf_counter()
    steps, store = made_up(count), Store(folder)
    with store.using(steps, label="benchmark"):
        from_elsewhere(plan(steps, store), store)
        runner(steps, store, on_event=tell_nobody)
    return time.perf_counter() - began


def study(folder: Path, cells: int) -> tuple[float, int]:
    """Lay and plan a study of real settings: the seconds, and how many steps it has."""
    from w2s.hub import without_hub
    from w2s.study.grid import cells_of
    from w2s.study.running import Plan

    rates = [round(1e-5 * (1 + number), 9) for number in range(cells)]
    settings = {"base": {"seeds": [0, 1, 2, 3, 4]}, "grid": {"student_training.learning_rate": rates}}
    began = time.perf_counter()
    with without_hub():
        laid = Plan(cells_of(settings))
    steps = plan(laid.targets(), Store(folder))
    return time.perf_counter() - began, len(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500, help="that are run")
    parser.add_argument("--planned", type=int, default=10_000, help="that are planned")
    parser.add_argument("--cells", type=int, default=120, help="of the study")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    count, jobs, rows = arguments.steps, arguments.jobs, []

    def measure(what: str, function: Callable[..., Any], steps: int, **given: Any) -> None:
        side = in_own_process(function, **given)
        seconds, number = side.value if isinstance(side.value, tuple) else (side.value, steps)
        rows.append([what, f"{number:,}", f"{seconds:.2f}", f"{1000 * seconds / number:.2f}", f"{side.peak_gb:.2f}"])

    with tempfile.TemporaryDirectory() as name:
        local_run, in_jobs = Path(name) / "local", Path(name) / "jobs"
        measure("planned, none done", planned, arguments.planned, folder=local_run, count=arguments.planned)
        measure("computed", run, count, folder=local_run, count=count, jobs=1)
        measure("all found done", run, count, folder=local_run, count=count, jobs=1)
        measure("planned, all done", planned, count, folder=local_run, count=count)
        measure(f"computed, {jobs} processes", run, count, folder=in_jobs, count=count, jobs=jobs)
        measure("study of real settings, planned", study, 0, folder=Path(name) / "study", cells=arguments.cells)
    print_table(f"Scheduling, {device_name()}", ["", "steps", "s", "ms a step", "GB"], rows)


if __name__ == "__main__":
    run_script(main)
