"""The performance gap recovered and its interval: known values and laws."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.runs import Correct, run
from w2s.errors import InputError
from w2s.metrics import (
    difference_interval,
    pgr,
    pgr_interval,
)


def test_pgr_of_the_documented_example() -> None:
    assert pgr(weak=0.68, student=0.80, ceiling=0.94) == pytest.approx(0.46153846)


def test_pgr_is_zero_at_the_weak_supervisor_and_one_at_the_ceiling() -> None:
    assert pgr(weak=0.5, student=0.5, ceiling=0.9) == 0
    assert pgr(weak=0.5, student=0.9, ceiling=0.9) == 1
    assert pgr(weak=0.5, student=0.4, ceiling=0.9) < 0
    assert pgr(weak=0.5, student=1.0, ceiling=0.9) > 1


def test_pgr_of_a_gap_that_is_not_positive_is_nan() -> None:
    assert math.isnan(pgr(weak=0.5, student=0.6, ceiling=0.5))
    assert math.isnan(pgr(weak=0.5, student=0.6, ceiling=0.4))
    assert math.isnan(pgr(weak=0.5, student=math.nan, ceiling=0.9))


def test_pgr_of_arrays_goes_element_by_element() -> None:
    found = pgr(weak=[0.5, 0.5], student=np.array([0.6, 0.6]), ceiling=[0.7, 0.5])
    np.testing.assert_allclose(found, [0.5, np.nan])
    np.testing.assert_allclose(pgr(weak=0.5, student=[0.5, 0.7], ceiling=0.7), [0, 1])


@given(st.floats(0, 0.5), st.floats(0, 1), st.floats(0.6, 1), st.floats(0.1, 10), st.floats(-1, 1))
def test_pgr_does_not_depend_on_the_scale(
    weak: float, student: float, ceiling: float, scale: float, shift: float
) -> None:
    moved = pgr(weak=scale * weak + shift, student=scale * student + shift, ceiling=scale * ceiling + shift)
    assert moved == pytest.approx(pgr(weak=weak, student=student, ceiling=ceiling), abs=1e-9)


@pytest.mark.parametrize("questions", [20, 500])
def test_pgr_of_identical_methods_has_an_interval_that_is_no_point(questions: int) -> None:
    weak, ceiling = run(questions * 3 // 5, questions), run(questions, questions)
    for student, expected in ((weak, 0.0), (ceiling, 1.0)):
        found = pgr_interval(weak, student, ceiling)
        assert found.estimate == pytest.approx(expected) and found.defined
        assert found.low < expected < found.high
        # One more question won and one lost, of n + 2, is all that varies at the ratio itself; farther from it the
        # gap's own error comes in, so the interval is a little wider.
        least = 1.96 * math.sqrt(2) / (questions + 2) / 0.4
        assert least < found.high - expected < 2 * least


def test_the_terms_of_pgr_move_together() -> None:
    weak, student, ceiling = run(300, 500), run(375, 500), run(450, 500)
    found = pgr_interval(weak, student, ceiling)
    assert found.estimate == pytest.approx(0.5)
    assert 0.40 < found.low < 0.5 < found.high < 0.60  # unpaired, it would reach from about .15 to .8


def test_fiellers_interval_holds_the_ratios_that_are_not_refuted() -> None:
    rng = np.random.default_rng(3)
    weak, student, ceiling = rng.random((3, 5, 300)) < np.array([0.6, 0.75, 0.9])[:, None, None]
    found = pgr_interval(weak, student, ceiling)
    gain, gap = student.astype(float) - weak, ceiling.astype(float) - weak
    for theta in (found.low, found.high):
        # At an end, the combination's own interval ends at 0.
        combined = gain - theta * gap
        assert abs(combined.mean()) == pytest.approx(_half(combined), rel=1e-6)


def _half(values: npt.NDArray[np.float64]) -> float:
    """Half the width of the interval of a mean, by the formulas of the module's docstring."""
    from scipy.stats import t

    seeds, questions = values.shape
    rows, columns = values.mean(1), values.mean(0)
    ms_seed, ms_question = questions * rows.var(ddof=1), seeds * columns.var(ddof=1)
    rest = values - rows[:, None] - columns + values.mean()
    ms_error = (rest**2).sum() / ((seeds - 1) * (questions - 1))
    total = max(ms_seed + ms_question - ms_error, ms_seed, ms_question)
    spread = ms_seed**2 / (seeds - 1) + ms_question**2 / (questions - 1)
    degrees = max(total**2 / (spread + ms_error**2 / ((seeds - 1) * (questions - 1))), seeds - 1)
    return float(t.ppf(0.975, degrees) * math.sqrt(total / values.size))


def test_pgr_is_undefined_where_the_gap_is_not_clearly_positive() -> None:
    weak, ceiling = run(10, 20), ~run(9, 20)  # .50 and .55
    found = pgr_interval(weak, run(12, 20), ceiling)
    assert not found.defined
    assert all(math.isnan(value) for value in found[:3])
    assert "ceiling - weak is +0.050" in found.reason
    assert "not clearly above 0" in found.reason


@given(hnp.arrays(np.bool_, (3, 12)))
def test_a_defined_pgr_has_a_finite_interval_around_it(runs: Correct) -> None:
    found = pgr_interval(*runs)
    if found.defined:
        assert -math.inf < found.low <= found.high < math.inf
        assert not found.reason
    else:
        assert found.reason


@given(hnp.arrays(np.bool_, st.tuples(st.just(3), st.integers(1, 5), st.integers(1, 40))))
def test_pgr_is_defined_exactly_where_the_interval_of_its_gap_is_above_zero(runs: Correct) -> None:
    weak, student, ceiling = runs
    found = pgr_interval(weak, student, ceiling)
    if len(weak) != 2:
        assert found.defined == (difference_interval(ceiling, weak).low > 0)
    if found.defined:
        assert found.estimate == pytest.approx(
            pgr(weak=float(weak.mean()), student=float(student.mean()), ceiling=float(ceiling.mean()))
        )
        assert found.scope == "none" or -math.inf < found.low <= found.estimate <= found.high < math.inf


@given(hnp.arrays(np.bool_, st.tuples(st.just(3), st.integers(3, 5), st.integers(2, 30))))
def test_pgr_of_a_student_that_does_not_differ_from_the_weak_supervisor_holds_zero(runs: Correct) -> None:
    weak, student, ceiling = runs
    found, gain = pgr_interval(weak, student, ceiling), difference_interval(student, weak)
    difference = student.astype(float) - weak
    if found.defined and max(np.ptp(difference.mean(axis=0)), np.ptp(difference.mean(axis=1))) > 1e-9:
        # A ratio of 0 is a gain of 0: both are refuted by the same test.
        assert (found.low <= 0 <= found.high) == (gain.p_value >= 0.05)


def test_all_shapes_are_named_where_they_do_not_fit() -> None:
    with pytest.raises(InputError, match="1 seeds x 3 questions and 3 x 3 and 2 x 3"):
        pgr_interval(run(1, 3), np.zeros((3, 3)), np.ones((2, 3)))
