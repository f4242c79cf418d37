"""How often 95% intervals cover: differences, accuracies and PGR, by the number of seeds and how far seeds differ.

Run as:

    python benchmarks/coverage.py

Two methods, a weak supervisor and a ceiling answer the same questions. Each question has a difficulty of its own; each
seed shifts the accuracy of all models by a shared amount and of each by one of its own. The truth is the mean over all
questions and seeds that there could be. docs/statistics.md holds the table.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from w2s.metrics import accuracy_interval, difference_interval, pgr_interval

__all__ = ["coverage", "main"]

Floats = npt.NDArray[np.float64]

WEAK, NAIVE, BETTER, CEILING = 0.66, 0.77, 0.80, 0.92
SPREAD = 1.2  # standard deviation of a question's difficulty, in logits


def _logit(accuracy: float) -> float:
    """The logit at which questions of that spread have that mean accuracy, to about .01."""
    return float(np.log(accuracy / (1 - accuracy)) * np.sqrt(1 + SPREAD**2 / 2.9))


def _accuracy(logit: float, difficulty: Floats) -> Floats:
    accuracy: Floats = 1 / (1 + np.exp(-(logit + difficulty)))
    return accuracy


def coverage(
    *, seeds: int, shared: float, own: float, questions: int = 400, repetitions: int = 2000, seed: int = 0
) -> dict[str, float]:
    """The share of intervals that hold the truth.

    Args:
        seeds: Runs.
        shared: Standard deviation over seeds of what all models have in common.
        own: Standard deviation over seeds of what each has to itself.
        questions: Of the test split.
        repetitions: Simulated experiments.
        seed: Of the simulation.
    """
    rng = np.random.default_rng(seed)
    models = {"weak": WEAK, "naive": NAIVE, "better": BETTER, "ceiling": CEILING}
    many = rng.normal(0, SPREAD, 1_000_000)
    truth = {name: float(_accuracy(_logit(accuracy), many).mean()) for name, accuracy in models.items()}
    targets: dict[str, tuple[float, Callable[[dict[str, npt.NDArray[np.bool_]]], tuple[float, float]]]] = {
        "difference": (truth["better"] - truth["naive"], lambda r: difference_interval(r["better"], r["naive"])[1:3]),
        "accuracy": (truth["better"], lambda r: accuracy_interval(r["better"])[1:3]),
        "PGR": (
            (truth["better"] - truth["weak"]) / (truth["ceiling"] - truth["weak"]),
            lambda r: pgr_interval(r["weak"], r["better"], r["ceiling"])[1:3],
        ),
    }
    hits, intervals = dict.fromkeys(targets, 0), dict.fromkeys(targets, 0)
    for _ in range(repetitions):
        difficulty = rng.normal(0, SPREAD, questions)
        common = rng.normal(0, shared, (seeds, 1))
        right = {}
        for name, accuracy in models.items():
            chance = _accuracy(_logit(accuracy), difficulty) + common + rng.normal(0, own, (seeds, 1))
            right[name] = rng.random((seeds, questions)) < chance
        for name, (true, interval) in targets.items():
            low, high = interval(right)
            intervals[name] += not math.isnan(low)  # a PGR that is not defined has none
            hits[name] += bool(low <= true <= high)
    return {name: hits[name] / max(1, intervals[name]) for name in targets}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    repetitions = parser.parse_args().repetitions
    print("| seeds | sd shared / own | difference | accuracy | PGR |\n|---|---|---|---|---|")
    for seeds in (1, 3, 5, 10):
        for shared, own in ((0.0, 0.0), (0.03, 0.02), (0.03, 0.03), (0.04, 0.04)):
            found = coverage(seeds=seeds, shared=shared, own=own, repetitions=repetitions)
            cells = " | ".join(f"{value:.3f}" for value in found.values())
            print(f"| {seeds} | {shared:.2f} / {own:.2f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
