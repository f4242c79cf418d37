"""Dawid–Skene on two million answers of a thousand annotators: w2s, and crowd-kit beside it, in one run.

    python benchmarks/dawid_skene.py [--answers 2000000] [--annotators 1000] [--labels 4] [--theirs 200000]

The two are compared on a share of the answers, over the same number of iterations, from a table to posteriors. Each
side has a process of its own; run with OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pyarrow as pa
from common import in_own_process, print_table, run_script

from w2s.reliability import check_answers, score_answers
from w2s.reliability.dawid_skene import fit_dawid_skene

ITERATIONS = 20
EACH = 10  # answers to a question


def make_answers(rows: int, annotators: int, labels: int) -> tuple[pa.Table, np.ndarray]:
    """Answers of annotators who are right with a probability of .3 to .95, and the truth of each question."""
    rng = np.random.default_rng(0)
    questions = rows // EACH
    truth = rng.integers(0, labels, questions)
    skill = rng.uniform(0.3, 0.95, annotators)
    question = np.repeat(np.arange(questions), EACH)
    step = max(1, annotators // EACH)
    annotator = ((rng.integers(0, annotators, questions)[:, None] + step * np.arange(EACH)) % annotators).reshape(-1)
    wrong = (truth[question] + rng.integers(1, labels, len(question))) % labels
    answer = np.where(rng.random(len(question)) < skill[annotator], truth[question], wrong)
    table = pa.table(
        {
            "question_id": pa.array(question).cast(pa.string()),
            "variation": pa.array(np.zeros(len(question), np.int32)),
            "answer": pa.array(answer).cast(pa.string()),
            "supervisor": pa.array(annotator).cast(pa.string()),
        }
    )
    return table, truth


def ours(rows: int, annotators: int, labels: int, form: str) -> tuple[float, float]:
    """Seconds to score the answers, and how often the most probable label is right."""
    table, truth = make_answers(rows, annotators, labels)
    score_answers(table.slice(0, 1000), estimator="dawid-skene")  # imports
    began = time.perf_counter()
    scored = score_answers(table, estimator="dawid-skene", form=form)
    seconds = time.perf_counter() - began
    question = scored["question_id"].cast(pa.int64()).to_numpy()
    answer = scored["answer"].cast(pa.int64()).to_numpy()
    order = np.lexsort((scored["confidence"].to_numpy(), question))
    last = np.flatnonzero(np.diff(question[order], append=-1))  # the highest confidence of each question
    return seconds, float((answer[order[last]] == truth).mean())


def our_iterations(rows: int, annotators: int, labels: int) -> float:
    """Seconds of so many iterations from a table of answers."""
    table = check_answers(make_answers(rows, annotators, labels)[0])
    began = time.perf_counter()
    fit_dawid_skene(table, form="full", max_iterations=ITERATIONS, tolerance=1e-300)
    return time.perf_counter() - began


def their_iterations(rows: int, annotators: int, labels: int) -> float:
    """The same of crowd-kit, from a frame."""
    from crowdkit.aggregation import DawidSkene

    names = {"question_id": "task", "supervisor": "worker", "answer": "label"}
    table = make_answers(rows, annotators, labels)[0].select(list(names)).rename_columns(list(names.values()))
    frame = table.to_pandas()
    began = time.perf_counter()
    DawidSkene(n_iter=ITERATIONS, tol=-np.inf).fit(frame)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=2_000_000)
    parser.add_argument("--annotators", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=4)
    parser.add_argument("--theirs", type=int, default=200_000, help="answers that crowd-kit is timed on")
    given = parser.parse_args()
    size = {"annotators": given.annotators, "labels": given.labels}
    rows = []
    for form in ("full", "one-coin"):
        side = in_own_process(ours, rows=given.answers, form=form, **size)
        seconds, right = side.value
        rows.append([form, f"{seconds:.1f} s", f"{side.peak_gb:.2f} GB", f"{right:.3f}"])
    title = f"{given.answers:,} answers of {given.annotators:,} annotators, {given.labels} labels"
    print_table(title, ["w2s to the end", "time", "peak memory, data included", "right"], rows)

    mine = in_own_process(our_iterations, rows=given.theirs, **size).value
    other = in_own_process(their_iterations, rows=given.theirs, **size).value
    pairs = [["w2s", f"{mine:.2f} s", "1.0"], ["crowd-kit", f"{other:.2f} s", f"{other / mine:.1f}"]]
    print()
    print_table(f"{ITERATIONS} iterations, full, {given.theirs:,} answers", ["", "time", "ratio"], pairs)


if __name__ == "__main__":
    run_script(main)
