"""Which tasks have room: how far the weak supervisor, the student on its own, and a few right labels get.

    python benchmarks/task_room.py word-language german-plural [--weak-train 100] [--transfer 600] [--test 300]

A task tests supervision where the weak supervisor is neither lost nor perfect, the ceiling lies well above it, and two
short cuts do not reach the ceiling: the untrained student, asked fairly, and the student that learns from the right
labels that the weak supervisor was trained on. `ROOM` says how much; what a task falls short of is printed.

Columns: `weak` is the supervisor, trained on weak_train; `self` the untrained student in five orders of the options,
its preference for positions divided out; `weak-gold`, `naive` and `ceiling` the student trained on the right answers
to weak_train, on the supervisor's first answers to transfer, and on the right answers to transfer. All are tested on
the same questions. Then, of the supervisor's answers to transfer in five orders: the share that is right, the share of
questions with the same answer in all orders, and how often the first answer is right there and elsewhere. It is one
seed and one draw: an accuracy has a standard error of about .03 for 300 questions, besides that of training.

The draws have a `split_seed` of 900 and above, which are this script's: tables that count use lower ones. Both draw
from the same questions, so a table may still ask some of these; the last line says how many of how many were used.
Settings are the defaults. Finished parts are kept in the store (`W2S_HOME`): a run that was stopped goes on there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pyarrow as pa
from common import print_table, run_script

from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec, TrainingSpec
from w2s.pipeline.stages import evaluate, ground_truth, label, select, train
from w2s.reliability import score_answers
from w2s.tasks import task_from

FIRST_SPLIT_SEED = 900
ORDERS = 5
ROOM = {
    "weak at least .45": lambda row: row["weak"] >= 0.45,
    "weak at most .75": lambda row: row["weak"] <= 0.75,
    "ceiling .12 above weak": lambda row: row["ceiling"] - row["weak"] >= 0.12,
    "self .06 below the ceiling": lambda row: row["ceiling"] - row["self"] >= 0.06,
    "weak-gold .06 below the ceiling": lambda row: row["ceiling"] - row["weak-gold"] >= 0.06,
}
"""What a task with room has."""


def accuracy(predictions: pa.Table) -> float:
    """The share of predictions that are right."""
    return fmean(predictions["correct"].to_pylist())


class Bench:
    """One task at the default settings: its parts, each computed once for the store.

    Args:
        spec: The questions.
        weak: The supervisor's model.
        strong: The student's.
        folder: Where adapters are handed out to.
    """

    def __init__(self, spec: TaskSpec, weak: str, strong: str, folder: Path) -> None:
        self.spec = spec
        self._weak, self._strong = ModelSpec(name=weak), ModelSpec(name=strong)
        self._folder = folder
        self._settings = Experiment()

    def trained(self, name: str, rows: pa.Table, model: ModelSpec, training: TrainingSpec) -> float:
        """Train a model, and say how many of the test questions it is right on."""
        train(rows, model, training, out=self._folder / name)
        return accuracy(evaluate(self.spec, model, adapter=self._folder / name))

    def room(self) -> Iterator[tuple[str, float]]:
        """The columns of the table, each as it is computed."""
        strong, student = self._strong, self._settings.student_training
        known = select(ground_truth(self.spec, split="weak_train"), "ceiling").table
        yield "weak", self.trained("weak", known, self._weak, self._settings.weak_training)
        fairly = AnsweringSpec(mode="choose", orders=ORDERS)
        yield "self", accuracy(evaluate(self.spec, strong, answering=fairly))
        yield "weak-gold", self.trained("weak-gold", known, strong, student)
        answers = label(self.spec, self._weak, adapter=self._folder / "weak")
        yield "naive", self.trained("naive", select(score_answers(answers), "naive").table, strong, student)
        right = ground_truth(self.spec, split="transfer")
        yield "ceiling", self.trained("ceiling", select(right, "ceiling").table, strong, student)
        gold = dict(zip(right["question_id"].to_pylist(), right["answer"].to_pylist(), strict=True))
        yield from agreement(answers, gold).items()


def agreement(answers: pa.Table, gold: dict[str, str]) -> dict[str, float]:
    """How often the supervisor's first answers are right: everywhere, where all its answers agree, and elsewhere."""
    given: dict[str, list[str]] = {}
    for id, answer in zip(answers["question_id"].to_pylist(), answers["answer"].to_pylist(), strict=True):
        given.setdefault(id, []).append(answer)
    right = {id: own[0] == gold[id] for id, own in given.items()}
    unanimous = {id for id, own in given.items() if len(Counter(own)) == 1}
    parts = {"right there": unanimous, "right elsewhere": set(given) - unanimous}
    shares = {name: fmean(right[id] for id in part) if part else float("nan") for name, part in parts.items()}
    return {"labels right": fmean(right.values()), "unanimous": len(unanimous) / len(given), **shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+", metavar="TASK", help="names that w2s tasks lists")
    parser.add_argument("--weak-train", type=int, default=100)
    parser.add_argument("--transfer", type=int, default=600)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--draw", type=int, default=0, help=f"which draw: its split_seed is {FIRST_SPLIT_SEED} more")
    parser.add_argument("--weak", default="smollm2-135m", metavar="MODEL")
    parser.add_argument("--strong", default="gemma3-270m", metavar="MODEL")
    arguments = parser.parse_args()
    sizes = {"weak_train": arguments.weak_train, "transfer": arguments.transfer, "test": arguments.test}
    for name in arguments.tasks:
        spec = TaskSpec(name=name, split_seed=FIRST_SPLIT_SEED + arguments.draw, num_variations=ORDERS, **sizes)
        pool = len(list(task_from(spec).examples()))
        with tempfile.TemporaryDirectory() as folder:
            row = {}
            for column, value in Bench(spec, arguments.weak, arguments.strong, Path(folder)).room():
                row[column] = value
                print(f"{name}: {column} {value:.3f}", file=sys.stderr, flush=True)
        print_table(
            f"{name}: {', '.join(f'{size} {split}' for split, size in sizes.items())}; split_seed {spec.split_seed}",
            ["", *row],
            [["accuracy or share", *(f"{value:.3f}" for value in row.values())]],
        )
        missing = [what for what, holds in ROOM.items() if not holds(row)]
        print("no room: not " + ", nor ".join(missing) if missing else "it has room")
        print(f"{sum(sizes.values())} of the task's {pool:,} questions were used\n", flush=True)


if __name__ == "__main__":
    run_script(main)
