"""How often the 95% interval of Dawid and Skene's accuracy of an annotator holds the true one, on simulated tables.

    python benchmarks/annotator_coverage.py [--tables 100]

Each row is a kind of table: its questions and labels, and how often each annotator is right. Every annotator answers
every question; a wrong answer is any of the other labels alike, whatever the others say. A cell is the share of tables
whose interval holds the annotator's true accuracy, in the order of the second column.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from common import run_script

from w2s.reliability.annotators import compare_annotators

KINDS: Sequence[tuple[int, int, Sequence[float]]] = (
    (100, 2, (0.9, 0.8, 0.6)),
    (300, 2, (0.9, 0.8, 0.6)),
    (300, 2, (0.75, 0.7, 0.65)),
    (300, 4, (0.92, 0.88, 0.5)),
    (200, 3, (0.9, 0.85, 0.8, 0.7, 0.6)),
)


def table_of(rng: np.random.Generator, questions: int, labels: int, accuracies: Sequence[float]) -> pa.Table:
    """A table of answers, one of each annotator to each question."""
    truth = rng.integers(labels, size=questions)
    options = [chr(ord("a") + label) for label in range(labels)]
    tables = []
    for number, accuracy in enumerate(accuracies):
        wrong = (truth + rng.integers(1, labels, size=questions)) % labels
        given = np.where(rng.random(questions) < accuracy, truth, wrong)
        tables.append(
            pa.table(
                {
                    "question_id": [f"q{question}" for question in range(questions)],
                    "variation": pa.array([0] * questions, pa.int32()),
                    "supervisor": [str(number)] * questions,
                    "answer": [options[label] for label in given],
                    "choices": [options] * questions,
                }
            )
        )
    return pa.concat_tables(tables)


def covered(questions: int, labels: int, accuracies: Sequence[float], *, tables: int) -> list[float]:
    """The share of tables whose interval holds the true accuracy, for each annotator."""
    rng = np.random.default_rng(0)
    held = np.zeros(len(accuracies))
    for _ in range(tables):
        for one in compare_annotators(table_of(rng, questions, labels, accuracies)).annotators:
            if one.accuracy_low is not None and one.accuracy_high is not None:
                held[int(one.name)] += one.accuracy_low <= accuracies[int(one.name)] <= one.accuracy_high
    return (held / tables).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100)
    arguments = parser.parse_args()
    print("| questions, labels | right | coverage |\n|---|---|---|")
    for questions, labels, accuracies in KINDS:
        found = covered(questions, labels, accuracies, tables=arguments.tables)
        right, cells = (" ".join(f"{value:.2f}" for value in values) for values in (accuracies, found))
        print(f"| {questions}, {labels} | {right} | {cells} |", flush=True)


if __name__ == "__main__":
    run_script(main)
