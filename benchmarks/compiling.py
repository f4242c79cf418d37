"""What the compiler costs a training: the first time on a machine, in each later process, and what it saves a step.

    python benchmarks/compiling.py [--model gemma3-270m] [--rows 64]

The same training on right answers of geography, three times, each in a process of its own: with layers as they are,
compiled where nothing is kept, and compiled with what the second one kept. The compiler's cost is how much longer the
first step takes than the median of the others.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pyarrow as pa
from common import device_name, in_own_process, language_model, print_table, run_script

from training import right_answers
from w2s.config import TrainingSpec
from w2s.training.student import train_student


def steps(model: str, table: pa.Table, compiles: Literal["on", "off"], cache: str) -> list[float]:
    """Seconds of each step."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    spec = TrainingSpec(epochs=3, checkpoints=0, compile=compiles)
    with language_model(model) as lm, tempfile.TemporaryDirectory() as folder:
        ends = [time.perf_counter()]
        train_student(lm, table, spec, seed=0, out=Path(folder), progress=lambda *_: ends.append(time.perf_counter()))
    return [end - start for start, end in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--rows", type=int, default=64, help="(default: %(default)s)")
    arguments = parser.parse_args()
    table = right_answers("geography", None, arguments.rows)
    with tempfile.TemporaryDirectory() as cache:
        found = {
            name: in_own_process(steps, model=arguments.model, table=table, compiles=compiles, cache=cache).value
            for name, compiles in (
                ("layers as they are", "off"),
                ("compiled, for the first time", "on"),
                ("compiled, with what was kept", "on"),
            )
        }
    plain = statistics.median(found["layers as they are"][1:])
    rows = []
    for name, seconds in found.items():
        step = statistics.median(seconds[1:])
        cost = seconds[0] - step
        saved = 1 - step / plain
        pays = f"{cost / saved:.0f}" if "compiled" in name and saved > 0 else "–"
        rows.append([name, f"{seconds[0]:.1f}", f"{step:.2f}", f"{plain / step:.2f}", f"{cost:.1f}", pays])
    print_table(
        f"{arguments.rows} rows of geography, {arguments.model}; {device_name()}",
        ["", "first step, s", "a later one, s", "times as fast", "cost, s", "pays from so many s of training"],
        rows,
    )


if __name__ == "__main__":
    run_script(main)
