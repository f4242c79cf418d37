"""How many seeds and questions see an effect: power, from the variance components of a finished study.

A difference of two methods in the answer of seed s to question q is taken to be

    d[s, q] = effect + seed[s] + question[q] + error[s, q]

with independent normal parts of mean 0, whose variances are the components. From them follows how far the mean of S
seeds and Q questions varies, and how large its interval is in each study of this size that could be made: by the very
function that makes the interval of a report (`crossed.MeanSquares.spread`: its floors, Satterthwaite's degrees of
freedom), averaged over the χ² distribution of the mean square of seeds, of S − 1 degrees. The mean squares of questions
and of error, which have far more degrees, are taken to be what they are on average. docs/statistics.md has the formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from w2s.errors import InputError, unknown_name
from w2s.metrics.crossed import LEVEL, MeanSquares
from w2s.metrics.scores import Floats
from w2s.metrics.tested import QuestionIds, as_tested, shared_questions

__all__ = ["ALPHA", "POWER", "TEST_SETS", "Components", "TestSets", "minimal_effect", "power", "variance_components"]

ALPHA = 1 - LEVEL
POWER = 0.8

TestSets = Literal["shared", "own"]
"""One test set for all seeds, or one for each that shares no question with another's."""
TEST_SETS: tuple[TestSets, ...] = get_args(TestSets)

_FEWEST_SEEDS = 3  # from which on there is an interval
_NODES = 400  # of the integral over the mean square of seeds


class Components(NamedTuple):
    """Variances of a difference in accuracy.

    Attributes:
        seeds: Of the seeds' own differences, over all questions that there could be.
        questions: Of the questions' own, over all seeds; nan where no question was asked in two seeds.
        answers: Of what is left of a single answer; with that of the questions, where the two cannot be told apart.
        seeds_low: Lower end of the 95% interval of `seeds`; nan where the variances were given.
        seeds_high: Upper end, likewise.
    """

    seeds: float
    questions: float
    answers: float
    seeds_low: float = math.nan
    seeds_high: float = math.nan

    @property
    def within_seeds(self) -> float:
        """Of a single answer, within a seed."""
        return self.answers if math.isnan(self.questions) else self.questions + self.answers

    @classmethod
    def of_deviations(cls, *, seeds: float, questions: float, answers: float) -> Components:
        """From standard deviations in accuracy: .02 is two percentage points.

        Raises:
            InputError: One is negative or no number.
        """
        given = {"seeds": seeds, "questions": questions, "answers": answers}
        for name, value in given.items():
            if not 0 <= value < math.inf:
                raise InputError(f"standard deviation of {name} {value}: expected a number of 0 or more")
        return cls(**{name: value**2 for name, value in given.items()})


def variance_components(a: npt.ArrayLike, b: npt.ArrayLike, *, question_ids: QuestionIds | None = None) -> Components:
    """Variance components of the accuracy of a minus that of b: from the mean squares of the report's intervals.

    `(MS_seed − MS_error) / Q`, `(MS_question − MS_error) / S` and `MS_error`, each at least 0. The interval of the
    first comes from that of what `MS_seed` is on average, a χ² variable of S − 1 degrees.

    Args:
        a: (seeds, questions); with `question_ids` (questions,) of each seed.
        b: The same questions and seeds.
        question_ids: The questions of each seed, where not all seeds were tested on the same.

    Raises:
        InputError: One seed, one question, or shapes or question ids that do not fit each other.
    """
    first, second = as_tested(question_ids, a, b)
    values = first - second
    seeds, questions = values.shape
    if seeds < 2 or questions < 2:
        raise InputError(f"{seeds} seeds and {questions} questions: expected two or more of each to see how they vary")
    found = MeanSquares.of(values[None])
    of_seeds, of_questions, error = (
        float(square[0, 0]) for square in (found.of_seeds, found.of_questions, found.of_error)
    )
    apart = question_ids is not None and shared_questions(question_ids) == "none"
    # How many answers a seed and a question have; where the numbers differ, as `MeanSquares` counts them.
    tested = ~np.isnan(values)
    per_seed, per_question = ((tested.sum(axis=axis) ** 2).sum() / tested.sum() for axis in (1, 0))
    within = max(0.0, of_questions) if apart else max(0.0, error)
    between = of_seeds + (of_questions - error if apart else 0.0)  # the mean square of seeds' means
    low, high = _variance_ends(between, seeds - 1)
    return Components(
        seeds=max(0.0, (between - within) / per_seed),
        questions=math.nan if apart else max(0.0, (of_questions - error) / per_question),
        answers=within,
        seeds_low=max(0.0, (low - within) / per_seed),
        seeds_high=max(0.0, (high - within) / per_seed),
    )


def _variance_ends(mean_square: float, degrees: int) -> tuple[float, float]:
    """The 95% interval of what a mean square is on average."""
    from scipy.special import chdtri

    low, high = (float(chdtri(degrees, tail)) for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return mean_square * degrees / low, mean_square * degrees / high


def power(
    components: Components,
    *,
    seeds: int,
    questions: int,
    effect: float,
    alpha: float = ALPHA,
    test_sets: TestSets = "shared",
) -> float:
    """How often a study of this size finds an effect: the chance that the interval of the difference excludes 0.

    Args:
        components: Variances of the difference.
        seeds: Of the study; below three there is no interval.
        questions: Of the test set of a seed.
        effect: The true difference in accuracy.
        alpha: The level of the test; intervals of the report have .05.
        test_sets: One for all seeds, or one for each.

    Raises:
        InputError: A number is not what it should be, or the components cannot be told apart as the design needs it.
    """
    if not -1 <= effect <= 1:
        raise InputError(f"effect {effect}: expected a difference of accuracies, from -1 to 1, such as 0.03")
    half = _halves(components, seeds, questions, alpha, test_sets)
    return _power(half, _standard_error(components, seeds, questions, test_sets), effect)


def minimal_effect(
    components: Components,
    *,
    seeds: int,
    questions: int,
    wanted: float = POWER,
    alpha: float = ALPHA,
    test_sets: TestSets = "shared",
) -> float:
    """The least difference in accuracy that a study of this size finds with the wanted power; inf where none is.

    Args:
        components: As for `power`.
        seeds: As for `power`.
        questions: As for `power`.
        wanted: The power, above `alpha`.
        alpha: As for `power`.
        test_sets: As for `power`.

    Raises:
        InputError: As for `power`.
    """
    from scipy.optimize import brentq

    half = _halves(components, seeds, questions, alpha, test_sets)
    if not alpha < wanted < 1:
        raise InputError(f"power {wanted}: expected a number above alpha ({alpha}) and below 1")
    error = _standard_error(components, seeds, questions, test_sets)
    if error == 0:
        return 0.0
    high = error
    while _power(half, error, high) < wanted:
        high *= 2
    if high > 1 and _power(half, error, 1.0) < wanted:
        return math.inf  # a difference of accuracies is 1 at most
    return float(brentq(lambda effect: _power(half, error, effect) - wanted, 0.0, high))


def _power(halves: Floats, standard_error: float, effect: float) -> float:
    """The chance that a normal estimate lies farther from 0 than half its interval, over intervals as likely."""
    from scipy.special import ndtr

    if standard_error == 0:
        return float(effect != 0)
    above = ndtr((effect - halves) / standard_error)
    below = ndtr((-effect - halves) / standard_error)
    return float((above + below).mean())


def _standard_error(components: Components, seeds: int, questions: int, test_sets: TestSets) -> float:
    of_seeds, answers = components.seeds / seeds, seeds * questions
    if test_sets == "own":
        return math.sqrt(of_seeds + components.within_seeds / answers)
    return math.sqrt(of_seeds + components.questions / questions + components.answers / answers)


def _halves(components: Components, seeds: int, questions: int, alpha: float, test_sets: TestSets) -> Floats:
    """(nodes,) half the width of intervals that are as likely as each other, by the report's own formula."""
    from scipy.special import chdtri

    _check(components, seeds, questions, alpha, test_sets)
    own = test_sets == "own"
    tails = (np.arange(_NODES) + 0.5) / _NODES
    scales = chdtri(seeds - 1, tails) / (seeds - 1)  # of the mean square of seeds, around its mean
    error = components.answers
    if own:
        within = components.within_seeds
        # As `MeanSquares` has them where no question comes twice: the error is counted with the questions.
        of_seeds, of_questions, of_error = (within + questions * components.seeds) * scales - within, within, 0.0
        size = (seeds, seeds * questions, seeds * questions)
    else:
        of_seeds = (error + questions * components.seeds) * scales
        of_questions, of_error = error + seeds * components.questions, error
        size = (seeds, questions, seeds * questions)
    return np.array([_half(size, [float(of_seed), of_questions, of_error], 1 - alpha) for of_seed in of_seeds])


def _half(size: tuple[int, int, int], squares: Sequence[float], level: float) -> float:
    found = MeanSquares(*size, *(np.full((1, 1), square) for square in squares))
    return found.spread(np.ones(1)).half(level)


def _check(components: Components, seeds: int, questions: int, alpha: float, test_sets: TestSets) -> None:
    if seeds < _FEWEST_SEEDS:
        raise InputError(f"{seeds} seeds: expected {_FEWEST_SEEDS} or more, below which a difference has no p-value")
    if questions < 2:
        raise InputError(f"{questions} questions: expected 2 or more")
    if not 0 < alpha < 1:
        raise InputError(f"alpha {alpha}: expected a number between 0 and 1")
    if test_sets not in TEST_SETS:
        raise unknown_name("test sets", test_sets, TEST_SETS)
    if test_sets == "shared" and math.isnan(components.questions):
        raise InputError(
            "test sets that share no question cannot tell how questions vary from how answers do: expected test sets "
            "of each seed's own ('own'), or components of a study whose seeds were tested on the same questions"
        )
