"""How often 95% intervals hold the truth: differences, accuracies and PGR, by seeds and by how far seeds differ.

Run as:

    python benchmarks/coverage.py [--repetitions 2000] [--pool 800 | --few-degrees | --near-one]

A weak supervisor, a student and a ceiling answer the same questions. A latent normal variable decides each answer: the
question's difficulty, which all models share; how lucky that answer is; and a shift of the seed, of which one part is
the same for all models and the other is each model's own. Both are given as the standard deviation of an accuracy over
seeds. With --pool each seed has a test set of its own, of that many questions: disjoint ones while they last, then any.
With --few-degrees intervals of a difference take seeds - 1 degrees of freedom. With --near-one the accuracy is .98, and
the table says on which side its intervals miss it. Every repetition draws new questions and
new seeds, so the truth is the mean over all that there could be: exactly the accuracies below. docs/statistics.md holds
the table.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from w2s.metrics import accuracy_interval, difference_interval, pgr_interval
from w2s.metrics.crossed import MeanSquares

__all__ = ["Coverage", "coverage", "main"]

WEAK, STUDENT, CEILING = 0.60, 0.75, 0.90
NEAR_ONE = 0.98
DIFFICULTY, LUCK = 0.8, 0.6  # standard deviations of a latent variable whose variance is 1 without seeds
AT_ONCE = 100  # repetitions in memory

SEEDS = (1, 2, 3, 5, 10)
DEVIATIONS = ((0.0, 0.0), (0.02, 0.02), (0.03, 0.03), (0.04, 0.04), (0.04, 0.0), (0.0, 0.04))  # shared, own


class Coverage(NamedTuple):
    """Shares of intervals that hold the truth; of PGR among the defined ones, and the share that is defined."""

    difference: float
    accuracy: float
    pgr: float
    pgr_defined: float


def coverage(
    *,
    seeds: int,
    shared: float,
    own: float,
    questions: int = 400,
    repetitions: int = 2000,
    seed: int = 0,
    pool: int | None = None,
) -> Coverage:
    """Simulate experiments, and count the intervals that hold the truth.

    Args:
        seeds: Runs of an experiment.
        shared: Standard deviation of accuracy over seeds, of the shift that all models have in common.
        own: Likewise, of the shift that each model has to itself.
        questions: Of the test split.
        repetitions: Simulated experiments.
        seed: Of the simulation.
        pool: Questions that the seeds' own test sets are drawn from; None for one test set.
    """
    ratio = (STUDENT - WEAK) / (CEILING - WEAK)
    differences = accuracies = ratios = defined = 0
    rng = np.random.default_rng(seed)
    sets = None if pool is None else _test_sets(np.random.default_rng(seed), seeds, questions, pool)
    ids = None if sets is None else [[str(question) for question in own_set] for own_set in sets]
    for weak, student, ceiling in _experiments(rng, seeds, shared, own, questions, repetitions, sets):
        difference = difference_interval(student, weak, question_ids=ids)
        accuracy = accuracy_interval(student, question_ids=ids)
        differences += difference.low <= STUDENT - WEAK <= difference.high
        accuracies += accuracy.low <= STUDENT <= accuracy.high
        found = pgr_interval(weak, student, ceiling, question_ids=ids)
        defined += found.defined
        ratios += found.defined and found.low <= ratio <= found.high
    return Coverage(
        differences / repetitions, accuracies / repetitions, ratios / max(1, defined), defined / repetitions
    )


def few_degrees(*, seeds: int, shared: float, own: float, questions: int = 400, repetitions: int = 2000) -> float:
    """Share of intervals of a difference that hold the truth, with seeds - 1 degrees of freedom always."""
    held = 0
    for weak, student, _ in _experiments(np.random.default_rng(0), seeds, shared, own, questions, repetitions):
        difference = student.astype(np.float64) - weak
        spread = MeanSquares.of(difference[None]).spread(np.ones(1))._replace(degrees=seeds - 1)
        held += abs(float(difference.mean()) - (STUDENT - WEAK)) <= spread.half()
    return held / repetitions


def near_one(*, seeds: int, questions: int, repetitions: int = 2000) -> tuple[float, float, float]:
    """Shares of intervals of an accuracy of .98 that hold it, that lie above it, and that lie below.

    Each seed moves it by .01.
    """
    above = below = 0
    rng = np.random.default_rng(0)
    for (correct,) in _experiments(rng, seeds, 0.0, 0.01, questions, repetitions, accuracies=(NEAR_ONE,)):
        found = accuracy_interval(correct)
        above += found.low > NEAR_ONE
        below += found.high < NEAR_ONE
    return 1 - (above + below) / repetitions, above / repetitions, below / repetitions


def _test_sets(rng: np.random.Generator, seeds: int, questions: int, pool: int) -> npt.NDArray[np.int64]:
    """(seeds, questions): blocks that share no question while there are any, then any questions."""
    blocks = [np.arange(start, start + questions) for start in range(0, pool - questions + 1, questions)]
    return np.array([blocks[s] if s < len(blocks) else rng.permutation(pool)[:questions] for s in range(seeds)])


def _experiments(
    rng: np.random.Generator,
    seeds: int,
    shared: float,
    own: float,
    questions: int,
    repetitions: int,
    sets: npt.NDArray[np.int64] | None = None,
    accuracies: tuple[float, ...] = (WEAK, STUDENT, CEILING),
) -> Iterator[npt.NDArray[np.bool_]]:
    """(models, seeds, questions) of each experiment: whether the answer is right."""
    asked = questions if sets is None else int(sets.max()) + 1
    normal = NormalDist()
    cuts = np.array([normal.inv_cdf(accuracy) for accuracy in accuracies])
    # A small shift of the latent variable moves an accuracy by this much times the shift.
    slopes = np.array([normal.pdf(cut) for cut in cuts])[:, None, None]
    # The shift widens the latent variable; a cut that widens with it keeps the mean accuracy.
    wider = cuts[:, None, None] * np.sqrt(1 + (shared**2 + own**2) / slopes**2)
    for start in range(0, repetitions, AT_ONCE):
        count = min(AT_ONCE, repetitions - start)
        shift = shared * rng.standard_normal((count, 1, seeds, 1)) + own * rng.standard_normal(
            (count, len(cuts), seeds, 1)
        )
        difficulty = DIFFICULTY * rng.standard_normal((count, 1, 1, asked), np.float32)
        if sets is not None:
            difficulty = difficulty[:, :, 0, sets]
        luck = LUCK * rng.standard_normal((count, len(cuts), seeds, questions), np.float32)
        yield from luck + difficulty < (wider - shift / slopes).astype(np.float32)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000, help="simulated experiments a row")
    parser.add_argument("--pool", type=int, help="questions that each seed draws a test set of its own from")
    parser.add_argument("--few-degrees", action="store_true", help="seeds - 1 degrees of freedom, for comparison")
    parser.add_argument("--near-one", action="store_true", help="an accuracy of .98")
    arguments = parser.parse_args()
    repetitions = arguments.repetitions
    if arguments.near_one:
        print(f"{repetitions} repetitions a row; {_processor()}\n")
        print("| seeds | questions | accuracy | interval above it | below it |\n|---|---|---|---|---|")
        for seeds, questions in ((seeds, questions) for seeds in SEEDS[2:] for questions in (100, 400)):
            cells = " | ".join(
                f"{share:.3f}" for share in near_one(seeds=seeds, questions=questions, repetitions=repetitions)
            )
            print(f"| {seeds} | {questions} | {cells} |", flush=True)
        return
    if arguments.few_degrees:
        print(f"{repetitions} repetitions a row, 400 questions; {_processor()}\n")
        print("| seeds | sd shared / own | difference |\n|---|---|---|")
        for seeds, (shared, own) in ((seeds, deviation) for seeds in SEEDS[2:] for deviation in DEVIATIONS):
            held = few_degrees(seeds=seeds, shared=shared, own=own, repetitions=repetitions)
            print(f"| {seeds} | {shared:.2f} / {own:.2f} | {held:.3f} |", flush=True)
        return
    print(f"{repetitions} repetitions a row, 400 questions; {_processor()}\n")
    print("| seeds | sd shared / own | difference | accuracy | PGR | PGR defined |\n|---|---|---|---|---|---|")
    for seeds in SEEDS if arguments.pool is None else SEEDS[2:]:
        if seeds == 2:
            print("| 2 | any | – | – | – | – |", flush=True)  # there is no interval
            continue
        for shared, own in DEVIATIONS:
            found = coverage(seeds=seeds, shared=shared, own=own, repetitions=repetitions, pool=arguments.pool)
            cells = " | ".join(f"{value:.3f}" for value in found)
            print(f"| {seeds} | {shared:.2f} / {own:.2f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
