"""What each piece of fast training is worth: the same training with it and without it.

    python benchmarks/ablation.py [--model gemma3-270m] [--rows 64] [--rounds 2]

Two training sets of the task geography: plain rows, one to a question, and soft labels, whose rows are the options of a
question. For each piece, a process trains with it and another without it, one after the other, as often as `--rounds`
says; of each the fastest epoch after the first is taken. Compiled layers are measured apart: with them the pieces
that they replace are not used. The losses of both must agree.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pyarrow as pa
from common import device_name, in_own_process, language_model, print_table, run_script

from training import right_answers
from w2s.config import TrainingSpec
from w2s.engine.trees import Tree
from w2s.training.student import train_student

EPOCHS = 3

# By the name of a piece, what stands in for it where it is left out.
WITHOUT: dict[str, dict[str, object]] = {
    "shared beginnings": {
        "w2s.training.batches.grow_tree": lambda sequences: chains(sequences),
        "w2s.training.batches.shared_length": lambda a, b: 0,
    },
    "several rows in one": {"w2s.training.student.takes_masks": lambda lm: False},
    "LoRA as one operation": {"w2s.training.student._fast_layers": lambda *_: nullcontext()},
    "plain attention": {"w2s.training.student._attention_for": lambda *_: "sdpa"},
    "kept memory": {"w2s.models.load.keep_freed_memory": lambda: None},
}
COMPILED = "compiled layers"
SETS = ["plain rows", "soft labels"]


class Trained(NamedTuple):
    """The fastest epoch after the first, in seconds; tokens of the training set in an epoch; mean loss at the end."""

    seconds: float
    tokens: int
    loss: float


def chains(sequences: Sequence[list[int]]) -> Tree:
    """A tree in which nothing is shared: one sequence after the other."""
    ids: list[int] = []
    positions: list[int] = []
    ends: list[int] = []
    paths: list[list[int]] = []
    for sequence in sequences:
        paths.append(list(range(len(ids), len(ids) + len(sequence))))
        ids += sequence
        positions += range(len(sequence))
        ends += [len(ids)] * len(sequence)
    return Tree(ids, positions, ends, paths)


def trained(model: str, table: pa.Table, spec: TrainingSpec, left_out: str | None) -> Trained:
    """Train, with a piece left out."""
    ends: list[float] = []
    with ExitStack() as stack:
        for name, stand_in in WITHOUT.get(left_out or "", {}).items():
            stack.enter_context(mock.patch(name, stand_in))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        lm = stack.enter_context(language_model(model))
        report = train_student(
            lm, table, spec, seed=0, out=Path(folder), progress=lambda *_: ends.append(time.perf_counter())
        )
    each = len(ends) // EPOCHS
    epochs = [ends[(number + 1) * each - 1] - ends[number * each - 1] for number in range(1, EPOCHS)]
    return Trained(min(epochs), report.tokens, report.loss)


def soft_rows(plain: pa.Table) -> pa.Table:
    """The same questions with all of their options, as the prompts list them, and drawn soft labels."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[object]] = {name: [] for name in plain.column_names}
    for number, row in enumerate(plain.to_pylist()):
        options = [line.removeprefix("- ") for line in row["prompt"].splitlines() if line.startswith("- ")]
        for option, weight in zip(options, rng.dirichlet(np.ones(len(options))), strict=True):
            values = {**row, "completion": f" {option}", "answer": option, "weight": weight, "group": number}
            for name in columns:
                columns[name].append(values[name])
    return pa.table(columns, schema=plain.schema)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--rows", type=int, default=64, help="questions (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--pieces", nargs="*", default=[*WITHOUT, COMPILED], choices=[*WITHOUT, COMPILED])
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)
    arguments = parser.parse_args()
    plain = right_answers("geography", None, arguments.rows)
    for title in arguments.sets:
        table, loss = (plain, "cross-entropy") if title == SETS[0] else (soft_rows(plain), "soft-cross-entropy")
        rows = []
        for piece in arguments.pieces:
            spec = {"epochs": EPOCHS, "loss": loss, "checkpoints": 0}
            found: dict[bool, list[Trained]] = {True: [], False: []}
            for _ in range(arguments.rounds):
                for used in (True, False):
                    compiles = "on" if piece == COMPILED and used else "off"
                    side = in_own_process(
                        trained,
                        model=arguments.model,
                        table=table,
                        spec=TrainingSpec(**spec, compile=compiles),  # type: ignore[arg-type]
                        left_out=None if used else piece,
                    )
                    found[used].append(side.value)
            one, other = (min(found[used]) for used in (True, False))
            rates = [f"{side.tokens / side.seconds:,.0f}" for side in (one, other)]
            ratio = f"{other.seconds / one.seconds:.2f}"
            rows.append([piece, *rates, ratio, f"{abs(one.loss - other.loss):.1e}"])
        print_table(
            f"{title}, {arguments.rows} questions, {arguments.model}; {device_name()}",
            ["piece", "with it, tokens/s", "without it", "times as fast", "losses differ by"],
            rows,
        )


if __name__ == "__main__":
    run_script(main)
