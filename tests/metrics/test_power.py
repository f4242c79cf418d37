"""Power of a study: by hand, by law, and as simulated studies have it whose answers are right or wrong."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.metrics import Components, difference_interval, minimal_effect, power, variance_components
from w2s.metrics.power import TestSets

TYPICAL = Components.of_deviations(seeds=0.02, questions=0.15, answers=0.4)


def test_components_by_hand() -> None:
    """Differences 1 0 / 0 0 / 0 -1: seeds' means .5, 0, -.5; questions' 1/3, -1/3; what is left is ±1/6 or ±1/3."""
    found = variance_components([[1, 0], [0, 0], [0, 0]], [[0, 0], [0, 0], [0, 1]])
    of_seeds = 2 * (0.25 + 0 + 0.25) / 2
    of_questions = 3 * (2 / 9) / 1
    error = (4 * (1 / 6) ** 2 + 2 * (1 / 3) ** 2) / 2
    assert found.seeds == pytest.approx((of_seeds - error) / 2)
    assert found.questions == pytest.approx((of_questions - error) / 3)
    assert found.answers == pytest.approx(error)
    # Quantiles of χ² of two degrees are -2 log of the upper tail.
    low, high = (2 * of_seeds / (-2 * math.log(tail)) for tail in (0.025, 0.975))
    assert found.seeds_low == pytest.approx(max(0.0, (low - error) / 2))
    assert found.seeds_high == pytest.approx((high - error) / 2)


def test_where_no_question_comes_twice_questions_are_not_told_from_answers() -> None:
    a, b = [[1, 1, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 1]]
    found = variance_components(a, b, question_ids=[["a", "b", "c"], ["d", "e", "f"]])
    differences = np.array(a) - np.array(b)  # of means 1/3 and 0
    within = np.var(differences, axis=1, ddof=1).mean()
    between = 3 * np.var([1 / 3, 0], ddof=1)
    assert math.isnan(found.questions) and found.answers == found.within_seeds == pytest.approx(within)
    assert found.seeds == max(0.0, (between - within) / 3)
    with pytest.raises(InputError, match=r"test sets that share no question cannot tell .* \('own'\)"):
        power(found, seeds=3, questions=100, effect=0.1)
    assert 0 < power(found, seeds=3, questions=100, effect=0.1, test_sets="own") < 1


def test_components_come_back_from_a_study_that_has_them() -> None:
    rng = np.random.default_rng(0)
    a, b = answers(rng, seeds=200, questions=1000, own=0.03)
    found = variance_components(a, b)
    both = variance_components(a[:2], b[:2])
    assert math.sqrt(found.seeds) == pytest.approx(math.sqrt(2) * 0.03, rel=0.2)  # of two students
    assert found.seeds_low < found.seeds < found.seeds_high < 2 * found.seeds
    assert both.seeds_low < found.seeds < both.seeds_high and both.seeds_high > 100 * both.seeds_low
    assert found.within_seeds + found.seeds == pytest.approx(np.var(a.astype(float) - b), rel=0.02)


def test_where_everything_is_known_power_is_that_of_a_normal_estimate() -> None:
    """With a thousand seeds the degrees are no matter: 80% at 2.80 standard errors."""
    error = math.sqrt(0.04**2 / 1000 + 0.1**2 / 4000 + 0.3**2 / 4_000_000)
    components = Components.of_deviations(seeds=0.04, questions=0.1, answers=0.3)
    expected = (NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) * error
    assert minimal_effect(components, seeds=1000, questions=4000) == pytest.approx(expected, rel=0.01)


SIZES = {"seeds": st.integers(3, 12), "questions": st.integers(20, 2000)}
SD = st.sampled_from([0.0, 0.02, 0.1, 0.3])


@settings(max_examples=15, deadline=None)
@given(**SIZES, sds=st.tuples(SD, SD, SD), test_sets=st.sampled_from(["shared", "own"]))
@example(seeds=3, questions=20, sds=(0.02, 0.02, 0.0), test_sets="shared")
def test_the_minimal_effect_has_the_wanted_power_and_a_larger_study_sees_less(
    seeds: int, questions: int, sds: tuple[float, float, float], test_sets: TestSets
) -> None:
    components = Components.of_deviations(seeds=sds[0], questions=sds[1], answers=sds[2])
    size = {"seeds": seeds, "questions": questions}
    least = minimal_effect(components, **size, test_sets=test_sets)
    if not any(sds):
        assert least == 0
        return
    # A little more, where fewer degrees of freedom are left of a variance that hardly falls.
    for larger in ({"seeds": 2 * seeds}, {"questions": 2 * questions}):
        assert minimal_effect(components, **(size | larger), test_sets=test_sets) <= 1.1 * least
    larger = {"seeds": 2 * seeds, "questions": 2 * questions}
    assert minimal_effect(components, **larger, test_sets=test_sets) < least
    if math.isfinite(least):
        reached = [power(components, **size, effect=sign * least, test_sets=test_sets) for sign in (1, -1)]
        assert reached == pytest.approx([0.8, 0.8], abs=1e-6)
        assert power(components, **size, effect=0.0, test_sets=test_sets) < 0.085, (
            "three seeds whose variance is like that of questions are covered by .925: docs/statistics.md"
        )


def test_a_stricter_level_sees_less_and_an_effect_beyond_reach_is_said() -> None:
    size = {"seeds": 5, "questions": 400}
    assert minimal_effect(TYPICAL, **size, alpha=0.01) > minimal_effect(TYPICAL, **size) > 0
    assert minimal_effect(TYPICAL, **size, wanted=0.95) > minimal_effect(TYPICAL, **size)
    noisy = Components.of_deviations(seeds=1.0, questions=0, answers=0)
    assert minimal_effect(noisy, seeds=3, questions=400) == math.inf


def answers(
    rng: np.random.Generator, *, seeds: int, questions: int, own: float, effect: float = 0.0
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Two students of accuracy .7 + effect and .7, (seeds, questions): difficulty is shared, seeds move each alone."""
    normal = NormalDist()
    difficulty = 0.8 * rng.standard_normal((1, questions))
    found = []
    for accuracy in (0.7 + effect, 0.7):
        cut = normal.inv_cdf(accuracy)
        slope = normal.pdf(cut)
        shift = own / slope * rng.standard_normal((seeds, 1))
        wider = cut * math.sqrt(1 + (own / slope) ** 2)
        found.append(0.6 * rng.standard_normal((seeds, questions)) + difficulty < wider - shift)
    return found[0], found[1]


@pytest.mark.parametrize("test_sets", ["shared", "own"])
@pytest.mark.parametrize(("seeds", "own", "effect"), [(3, 0.02, 0.08), (5, 0.03, 0.05), (8, 0.0, 0.03)])
def test_studies_find_an_effect_as_often_as_predicted_from_the_components_of_another(
    seeds: int, own: float, effect: float, test_sets: TestSets
) -> None:
    rng = np.random.default_rng(seeds)
    components = variance_components(*answers(rng, seeds=300, questions=2000, own=own, effect=effect))
    repetitions, questions = 250, 200
    ids = [[f"{seed}.{number}" for number in range(questions)] for seed in range(seeds)]
    found = 0
    for _ in range(repetitions):
        if test_sets == "shared":
            a, b = answers(rng, seeds=seeds, questions=questions, own=own, effect=effect)
            p = difference_interval(a, b).p_value
        else:
            pairs = [answers(rng, seeds=1, questions=questions, own=own, effect=effect) for _ in range(seeds)]
            a, b = (np.concatenate(some) for some in zip(*pairs, strict=True))
            p = difference_interval(a, b, question_ids=ids).p_value
        found += p < 0.05
    predicted = power(components, seeds=seeds, questions=questions, effect=effect, test_sets=test_sets)
    assert 0.15 < predicted < 0.95
    assert found / repetitions == pytest.approx(predicted, abs=4 * math.sqrt(0.25 / repetitions))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 2}, "2 seeds: expected 3 or more, below which a difference has no p-value"),
        ({"questions": 1}, "1 questions: expected 2 or more"),
        ({"alpha": 1.0}, "alpha 1.0: expected a number between 0 and 1"),
        ({"effect": 3.0}, "effect 3.0: expected a difference of accuracies"),
        ({"test_sets": "shard"}, "unknown test sets 'shard'.*did you mean 'shared'"),
    ],
)
def test_sizes_that_no_study_has_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        power(TYPICAL, **{"seeds": 3, "questions": 100, "effect": 0.1, **given})  # type: ignore[arg-type]


def test_what_cannot_be_estimated_or_wanted_is_refused() -> None:
    with pytest.raises(InputError, match="1 seeds and 2 questions: expected two or more of each"):
        variance_components([[1, 0]], [[0, 0]])
    with pytest.raises(InputError, match=r"power 0\.05: expected a number above alpha \(0\.1\)"):
        minimal_effect(TYPICAL, seeds=3, questions=100, wanted=0.05, alpha=0.1)
    with pytest.raises(InputError, match=r"standard deviation of answers -0\.4: expected a number of 0 or more"):
        Components.of_deviations(seeds=0.1, questions=0.1, answers=-0.4)
