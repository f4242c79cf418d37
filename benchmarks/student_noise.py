"""How much a student's accuracy varies with the seed of its training alone, and which training varies less.

    python benchmarks/student_noise.py --out noise.jsonl [--task word-language] [--seeds 8] [--jobs 1]

One weak supervisor labels one split; its labels, and the test questions, are the same throughout. From them students
are trained with other seeds (first adapter, order of the rows) and in other ways: with an average of the adapter over
the last half of the steps in place of the last one, with other schedules, and in fewer or larger steps. The columns are
the mean accuracy over the seeds with its standard deviation, that deviation over both methods, and that of the
difference between them, trained with the same seed, which is what a comparison of methods suffers from. A standard
deviation of n seeds is itself uncertain: by 1/sqrt(2(n - 1)) of itself, a quarter for eight.

Each student is a line in `--out`; what is there already is not computed again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from common import device_name, language_model, print_table, run_script
from safetensors.torch import load_file, save_file

from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec, TrainingSpec
from w2s.models.adapters import adapted
from w2s.models.load import LanguageModel
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.store import Store, default_root
from w2s.supervisors.asking import predict
from w2s.supervisors.local import LocalModel
from w2s.tables import read_table
from w2s.tasks import gold_of, questions_of, task_from
from w2s.training.student import train_student

warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other

STUDENT, DTYPE = "gemma3-270m", "float32"

WAYS: dict[str, dict[str, Any]] = {
    "as by default": {},
    "constant rate": {"schedule": "constant"},
    "cosine": {"schedule": "cosine"},
    "one epoch": {"epochs": 1},
    "one epoch, twice the rate": {"epochs": 1, "learning_rate": 1e-3},
    "batches of 32, 1.4 times the rate": {"batch_size": 32, "learning_rate": 7e-4},
}
AVERAGED = ("as by default", "constant rate")
"""Of these the average over the last half of the steps is tested too, at no further training."""


class Job(NamedTuple):
    """One training, and the tests of what came of it."""

    way: str
    method: str
    seed: int


class _Average:
    """The mean of the adapter's values over the last half of the steps; called as the training's progress."""

    def __init__(self, lm: LanguageModel) -> None:
        self._lm, self._count = lm, 0
        self._mean: dict[str, torch.Tensor] = {}

    def __call__(self, done: int, total: int, unit: str, tokens: int = 0) -> None:
        if 2 * done <= total:
            return
        self._count += 1
        for name, value in self._lm.model.named_parameters():
            if value.requires_grad:
                mean = self._mean.setdefault(name, torch.zeros_like(value, requires_grad=False))
                mean.add_((value.detach() - mean) / self._count)

    def save(self, adapter: Path) -> None:
        """Put the mean in place of the last values in an adapter's folder."""
        file = adapter / "adapter_model.safetensors"
        last = load_file(file)
        known = {_plain(name): value for name, value in self._mean.items()}
        values = {name: known[_plain(name)].cpu().contiguous() for name in last}
        assert len(values) == len(self._mean)
        save_file(values, file, metadata={"format": "pt"})


def _plain(name: str) -> str:
    return name.removeprefix("base_model.model.").replace(".default.", ".")


def labels_of(task: TaskSpec, methods: Sequence[str]) -> dict[str, pa.Table]:
    """The training sets of the methods, from the store or as the pipeline makes them."""
    graph = Graph(
        Experiment(
            task=task,
            weak=replace(Experiment().weak, dtype=DTYPE),
            strong=ModelSpec(name=STUDENT, dtype=DTYPE),
            methods=list(methods),
        )
    )
    store = Store(default_root())
    steps = {name: graph.seed_runs[0].methods[name].student.rounds[-1].training_set for name in methods}
    local.run(list(steps.values()), store)
    return {name: read_table(store.path(step) / "training_set.parquet") for name, step in steps.items()}


def trained(job: Job, task: TaskSpec, table: pa.Table) -> list[dict[str, Any]]:
    """Train one student; a line for it, and one for its average where that is asked for."""
    loaded = task_from(task)
    splits = loaded.splits()
    questions, gold = questions_of(splits.questions, "test"), gold_of(splits.gold, "test")
    spec = replace(TrainingSpec(checkpoints=0), **WAYS[job.way])
    lines = []
    with language_model(STUDENT, dtype=DTYPE) as lm, tempfile.TemporaryDirectory() as folder:
        average = _Average(lm)
        report = train_student(lm, table, spec, seed=job.seed, out=Path(folder), progress=average)
        for averages in (False, True) if job.way in AVERAGED else (False,):
            if averages:
                average.save(Path(folder) / "adapter")
            with adapted(lm, Path(folder) / "adapter") as student:
                model = LocalModel(student, loaded, AnsweringSpec(), name=STUDENT)
                right = predict(model, loaded, questions, gold)["correct"].to_pylist()
            way = f"{job.way}, averaged" if averages else job.way
            lines.append({**job._asdict(), "way": way, "accuracy": float(np.mean(right)), "seconds": report.seconds})
    return lines


def missing(jobs: Sequence[Job], known: Sequence[dict[str, Any]]) -> Iterator[Job]:
    """What has no line yet."""
    there = {(line["way"], line["method"], line["seed"]) for line in known}
    for job in jobs:
        last = f"{job.way}, averaged" if job.way in AVERAGED else job.way
        if (last, job.method, job.seed) not in there:
            yield job


def rows_of(lines: Sequence[dict[str, Any]], methods: Sequence[str]) -> list[list[str]]:
    """The table's rows: a way of training each, over the seeds that all methods have."""
    rows = []
    for way in dict.fromkeys(line["way"] for line in lines):
        of = {(line["method"], line["seed"]): line for line in lines if line["way"] == way}
        seeds = [seed for seed in sorted({seed for _, seed in of}) if all((name, seed) in of for name in methods)]
        if len(seeds) < 2:
            continue
        found = np.array([[of[name, seed]["accuracy"] for seed in seeds] for name in methods])
        seconds = float(np.median([of[name, seed]["seconds"] for name in methods for seed in seeds]))
        spread = found.std(1, ddof=1)
        rows.append(
            [
                way,
                str(len(seeds)),
                *(f"{mean:.3f} ± {sd:.3f}" for mean, sd in zip(found.mean(1), spread, strict=True)),
                f"{np.sqrt((spread**2).mean()):.4f}",
                f"{(found[1] - found[0]).std(ddof=1):.4f}",
                f"{seconds:.0f}",
            ]
        )
    return rows


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", default="word-language")
    parser.add_argument("--split-seed", type=int, default=2000)
    parser.add_argument("--methods", nargs=2, default=["naive", "filtering-sampled"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--sizes", type=int, nargs=3, default=[100, 600, 400], metavar=("WEAK_TRAIN", "TRANSFER", "TEST")
    )
    arguments = parser.parse_args(words)
    weak_train, transfer, test = arguments.sizes
    task = TaskSpec(
        name=arguments.task, split_seed=arguments.split_seed, weak_train=weak_train, transfer=transfer, test=test
    )
    tables = labels_of(task, arguments.methods)
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    jobs = [
        Job(way, method, seed)
        for seed in range(arguments.seeds)
        for way in arguments.ways
        for method in arguments.methods
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool, arguments.out.open("a") as out:
        waiting = [pool.submit(trained, job, task, tables[job.method]) for job in missing(jobs, lines)]
        for future in as_completed(waiting):
            for line in future.result():
                lines.append(line)
                print(json.dumps(line), file=out, flush=True)
    print_table(
        f"{arguments.task}, {transfer} questions, {test} test questions; {STUDENT} in {DTYPE}; {device_name()}",
        ["training", "seeds", *arguments.methods, "their deviation", "of the difference", "s"],
        rows_of(lines, arguments.methods),
    )


if __name__ == "__main__":
    run_script(main)
