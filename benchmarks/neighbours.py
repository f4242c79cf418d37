"""How long a training takes beside other busy processes, by how OpenMP's threads wait for each other.

    python benchmarks/neighbours.py [--spins 1000 3000] [--neighbours 1] [--rounds 2]

The rows: what w2s sets by itself; OpenMP's own default; waiting without spinning (`OMP_WAIT_POLICY=PASSIVE`); and as
many turns of spinning as `--spins` says. Each trains SmolLM2-135M on 64 questions of geography, in a process of its
own, alone and then beside processes that do nothing but keep a core busy; the first of three epochs is not timed. Run
it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from common import device_name, print_table, run_script

BUSY = "while True: pass"
EPOCHS, ROWS = 3, 64
OWN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def train() -> float:
    """Seconds of the epochs after the first."""
    from common import language_model

    from training import right_answers
    from w2s.config import TrainingSpec
    from w2s.training.student import train_student

    ends: list[float] = []
    table, spec = right_answers("geography", None, ROWS), TrainingSpec(epochs=EPOCHS, checkpoints=0, compile="off")
    with language_model("smollm2-135m") as lm, tempfile.TemporaryDirectory() as folder:
        train_student(lm, table, spec, seed=0, out=Path(folder), progress=lambda *_: ends.append(time.perf_counter()))
    return ends[-1] - ends[len(ends) // EPOCHS - 1]


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that keep a core busy, for as long as the block lasts."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def seconds(environment: Mapping[str, str], neighbours: int) -> float:
    """As `train`, in a process of this environment."""
    plain = {name: value for name, value in os.environ.items() if name not in OWN}
    with busy(neighbours):
        done = subprocess.run(
            [sys.executable, __file__, "--train"],
            env={**plain, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spins", type=int, nargs="*", default=[])
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2, help="the fastest of them counts")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        print(train())
        return
    ways: dict[str, dict[str, str]] = {
        "w2s": {},
        "OpenMP's default": {"GOMP_SPINCOUNT": "300000"},  # libgomp's where no policy is set
        "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
        **{f"GOMP_SPINCOUNT={spin}": {"GOMP_SPINCOUNT": str(spin)} for spin in arguments.spins},
    }
    rows = []
    for name, environment in ways.items():
        alone, beside = (
            min(seconds(environment, count) for _ in range(arguments.rounds)) for count in (0, arguments.neighbours)
        )
        rows.append([name, f"{alone:.1f}", f"{beside:.1f}", f"{beside / alone:.2f}"])
    print_table(
        f"{EPOCHS - 1} epochs of {ROWS} rows, smollm2-135m; {device_name()}, and {arguments.neighbours} busy beside it",
        ["", "alone, s", "beside, s", "times as long"],
        rows,
    )


if __name__ == "__main__":
    run_script(main)
