"""Effects of several experiments, pooled: values by hand, laws, and how often the interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.metrics import pool_effects

effects_and_errors = st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=2, max_size=8)


def test_equal_errors_give_the_mean_with_a_t_interval() -> None:
    found = pool_effects([0.0, 0.1, 0.2], [0.02] * 3)
    assert found.estimate == pytest.approx(0.1)
    # The sample's variance .01 is that between experiments and of the errors: .01 = between² + .02².
    assert found.between == pytest.approx(math.sqrt(0.01 - 0.0004))
    half = 4.302653 * 0.1 / math.sqrt(3)  # t of .975 at 2 degrees of freedom
    assert (found.low, found.high) == pytest.approx((0.1 - half, 0.1 + half), rel=1e-5)
    half_next = 12.706205 * math.sqrt(0.0096 + 0.01 / 3)  # t at 1 degree
    assert found.high_next - found.estimate == pytest.approx(half_next, rel=1e-5)


def test_effects_that_differ_less_than_their_errors_say_have_no_variance_between() -> None:
    found = pool_effects([0.10, 0.11], [0.1, 0.2])
    assert found.between == 0
    assert found.estimate == pytest.approx((0.10 / 0.01 + 0.11 / 0.04) / (1 / 0.01 + 1 / 0.04))
    # Never narrower than the errors themselves say.
    assert found.high - found.estimate == pytest.approx(12.706205 * math.sqrt(1 / (1 / 0.01 + 1 / 0.04)), rel=1e-5)


def test_one_experiment_has_no_interval() -> None:
    found = pool_effects([0.3], [0.1])
    assert found.estimate == 0.3
    assert math.isnan(found.low)
    assert math.isnan(found.p_value)


def test_two_experiments_have_no_interval_for_another() -> None:
    assert math.isnan(pool_effects([0.1, 0.3], [0.1, 0.1]).low_next)


@given(effects_and_errors)
def test_the_mean_lies_among_the_effects_and_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    effects, errors = zip(*pairs, strict=True)
    found = pool_effects(effects, errors)
    assert min(effects) - 1e-9 <= found.estimate <= max(effects) + 1e-9
    assert found.low < found.estimate < found.high
    assert 0 <= found.p_value <= 1


@given(effects_and_errors, st.floats(-1, 1), st.randoms())
def test_order_changes_nothing_and_a_shift_shifts(pairs: list[tuple[float, float]], shift: float, rng: object) -> None:
    effects, errors = zip(*pairs, strict=True)
    found = pool_effects(effects, errors)
    mixed = list(pairs)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    again = pool_effects([effect + shift for effect, _ in mixed], [error for _, error in mixed])
    assert again.estimate == pytest.approx(found.estimate + shift, abs=1e-6)
    assert again.between == pytest.approx(found.between, abs=1e-5)
    assert again.high - again.low == pytest.approx(found.high - found.low, abs=1e-5)


def test_the_interval_holds_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        errors = rng.uniform(0.01, 0.05, 4)
        effects = 0.05 + rng.normal(0, 0.03, 4) + rng.normal(0, errors)
        found = pool_effects(effects.tolist(), errors.tolist())
        held += found.low <= 0.05 <= found.high
    assert 0.93 <= held / 1000 <= 0.985


@pytest.mark.parametrize(
    ("estimates", "errors"), [([], []), ([0.1], [0.0]), ([0.1, 0.2], [0.1]), ([math.nan], [0.1])], ids=str
)
def test_what_does_not_fit_is_refused(estimates: list[float], errors: list[float]) -> None:
    with pytest.raises(InputError, match="expected"):
        pool_effects(estimates, errors)
