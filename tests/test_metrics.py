"""Metrics: known values, laws, and whether the intervals hold their level on simulated data."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from w2s.errors import InputError
from w2s.metrics import (
    Resamples,
    accuracy,
    accuracy_interval,
    auroc,
    difference_interval,
    pgr,
    pgr_interval,
    risk_coverage,
)

Correct = npt.NDArray[np.bool_]
CORRECT = hnp.arrays(np.bool_, st.integers(1, 30))


def run(right: int, of: int) -> Correct:
    """A run that is right on the first questions."""
    return np.arange(of) < right


def scored_answers() -> st.SearchStrategy[list[tuple[int, bool]]]:
    return st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30)


def test_accuracy_is_the_share_over_questions_and_seeds() -> None:
    assert accuracy([True, False, True, True]) == 0.75
    assert accuracy([[1, 0], [1, 1]]) == 0.75
    assert math.isnan(accuracy([]))


@pytest.mark.parametrize("correct", [[0.5, 1.0], [2], [math.nan]])
def test_what_is_neither_right_nor_wrong_is_refused(correct: list[float]) -> None:
    with pytest.raises(InputError, match="expected booleans"):
        accuracy(correct)


def test_three_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(1, 1, 1\)"):
        accuracy([[[True]]])


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


# Resamples


@given(CORRECT)
def test_resampled_accuracies_of_right_and_wrong_sum_to_one(correct: Correct) -> None:
    resamples = Resamples(len(correct), num_resamples=20)
    np.testing.assert_allclose(resamples.means(correct) + resamples.means(~correct), 1)


def test_a_single_run_is_the_same_for_every_seed() -> None:
    correct = run(7, 10)
    resamples = Resamples(10, num_seeds=4, num_resamples=50)
    np.testing.assert_allclose(resamples.means(correct), resamples.means(np.tile(correct, (4, 1))))


def test_resamples_of_the_same_arguments_are_the_same() -> None:
    correct = run(7, 10)
    first, again = Resamples(10, num_resamples=50), Resamples(10, num_resamples=50)
    np.testing.assert_array_equal(first.means(correct), again.means(correct))
    assert not np.array_equal(first.means(correct), Resamples(10, num_resamples=50, seed=1).means(correct))


def test_resampled_accuracies_spread_as_theory_says() -> None:
    questions = run(140, 200)
    resamples = Resamples(200, num_seeds=10)
    assert resamples.means(questions).std() == pytest.approx(math.sqrt(0.7 * 0.3 / 200), rel=0.03)
    by_seed = np.tile(run(6, 10)[:, None], (1, 200))  # seeds all right or all wrong
    assert resamples.means(by_seed).std() == pytest.approx(math.sqrt(0.6 * 0.4 / 10), rel=0.03)
    assert resamples.means(questions).mean() == pytest.approx(0.7, abs=0.002)


def test_working_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = np.random.default_rng(0).random((3, 40)) < 0.6
    whole = Resamples(40, num_seeds=3, num_resamples=100).means(correct)
    monkeypatch.setattr("w2s.metrics._CHUNK_CELLS", 280)
    np.testing.assert_array_equal(Resamples(40, num_seeds=3, num_resamples=100).means(correct), whole)


def test_arrays_of_other_shapes_are_refused() -> None:
    resamples = Resamples(10, num_seeds=3, num_resamples=5)
    with pytest.raises(InputError, match=r"1 seeds x 9 questions: expected 3 \(or 1\) x 10"):
        resamples.means(run(5, 9))
    with pytest.raises(InputError, match="2 seeds x 10 questions"):
        resamples.means(np.tile(run(5, 10), (2, 1)))
    with pytest.raises(InputError, match="9 questions"):
        difference_interval(run(5, 10), run(5, 9))


@pytest.mark.parametrize("wrong", ["num_questions", "num_seeds", "num_resamples"])
def test_resamples_of_nothing_are_refused(wrong: str) -> None:
    sizes = {"num_questions": 5, "num_seeds": 1, "num_resamples": 5, wrong: 0}
    with pytest.raises(InputError, match=f"{wrong} 0: expected at least 1"):
        Resamples(sizes["num_questions"], num_seeds=sizes["num_seeds"], num_resamples=sizes["num_resamples"])


# Intervals


@pytest.mark.parametrize(("right", "of"), [(0, 5), (5, 5), (1, 3), (340, 500)])
def test_the_accuracy_interval_of_one_run_is_wilsons(right: int, of: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(right, of).proportion_ci(method="wilson")
    found = accuracy_interval(run(right, of))
    assert found == pytest.approx((right / of, expected.low, expected.high))
    assert found.low <= found.estimate <= found.high


def test_accuracies_of_zero_and_one_are_not_certain() -> None:
    assert accuracy_interval(np.ones((3, 20))).low < 0.9
    assert accuracy_interval(np.ones((3, 20))).high == 1
    assert accuracy_interval(np.zeros(20)).high > 0.1


@given(CORRECT)
def test_the_accuracy_interval_holds_the_estimate(correct: Correct) -> None:
    found = accuracy_interval(correct)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_seeds_that_differ_widen_the_accuracy_interval() -> None:
    alike = np.tile(run(50, 100), (4, 1))
    differing = np.stack([run(right, 100) for right in (20, 40, 60, 80)])
    narrow, wide = accuracy_interval(alike), accuracy_interval(differing)
    assert narrow.estimate == wide.estimate
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_no_questions_are_refused() -> None:
    with pytest.raises(InputError, match="expected at least one question"):
        accuracy_interval([])


def test_given_resamples_give_the_default_result() -> None:
    a, b = run(60, 100), run(50, 100)
    assert difference_interval(a, b) == difference_interval(a, b, resamples=Resamples(100))


def test_a_difference_is_paired_by_question() -> None:
    same = difference_interval(run(60, 100), run(60, 100))
    assert (same.estimate, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    nested = difference_interval(run(60, 100), run(50, 100))
    crossed = difference_interval(run(60, 100), ~run(50, 100))
    assert nested.estimate == crossed.estimate == pytest.approx(0.1)
    assert nested.low > 0 > crossed.low


def test_a_difference_turns_its_sign_with_its_arguments() -> None:
    forth, back = difference_interval(run(6, 9), ~run(2, 9)), difference_interval(~run(2, 9), run(6, 9))
    assert (forth.estimate, forth.low, forth.high) == pytest.approx((-back.estimate, -back.high, -back.low))
    assert forth.p_value == back.p_value


def test_the_p_value_of_one_run_is_that_of_mcnemars_exact_test() -> None:
    from scipy.stats import binomtest

    a = np.array([1] * 9 + [0] * 2 + [1] * 20)
    b = np.array([0] * 9 + [1] * 2 + [1] * 20)
    assert difference_interval(a, b).p_value == pytest.approx(binomtest(2, 11).pvalue)


def test_the_p_value_of_several_seeds_is_never_zero() -> None:
    found = difference_interval(np.ones((3, 50)), np.zeros((3, 50)))
    assert found.p_value == pytest.approx(2 / 10_001)
    assert difference_interval(np.ones((3, 50)), np.ones((3, 50))).p_value == 1


def test_pgr_of_identical_methods_is_exact() -> None:
    weak, ceiling = run(300, 500), run(450, 500)
    at_weak, at_ceiling = pgr_interval(weak, weak, ceiling), pgr_interval(weak, ceiling, ceiling)
    assert at_weak[:4] == (0, 0, 0, True)
    assert at_ceiling[:4] == (1, 1, 1, True)


def test_the_terms_of_pgr_move_together() -> None:
    weak, student, ceiling = run(300, 500), run(375, 500), run(450, 500)
    found = pgr_interval(weak, student, ceiling)
    assert found.estimate == pytest.approx(0.5)
    assert 0.40 < found.low < 0.5 < found.high < 0.60  # unpaired, it would reach from about .15 to .8


def test_pgr_is_undefined_where_the_gap_is_not_clearly_positive() -> None:
    weak, ceiling = run(10, 20), ~run(9, 20)  # .50 and .55
    found = pgr_interval(weak, run(12, 20), ceiling)
    assert not found.defined
    assert all(math.isnan(value) for value in found[:3])
    assert "ceiling - weak is +0.050" in found.reason
    assert "not clearly above 0" in found.reason


@given(hnp.arrays(np.bool_, (3, 12)))
def test_a_defined_pgr_has_a_finite_interval_around_it(runs: Correct) -> None:
    found = pgr_interval(*runs, resamples=SMALL_RESAMPLES)
    if found.defined:
        assert -math.inf < found.low <= found.high < math.inf
        assert not found.reason
    else:
        assert found.reason


SMALL_RESAMPLES = Resamples(12, num_resamples=400)


TRUTH = np.array([0.60, 0.75, 0.90])  # weak, student, ceiling


def simulate(rng: np.random.Generator, seeds: int, questions: int, *, seed_effect: float) -> Correct:
    """Weak, student and ceiling of accuracies TRUTH: (3, seeds, questions), a probit of question, seed and luck."""
    latent = 0.8 * rng.standard_normal(questions) + 0.6 * rng.standard_normal((3, seeds, questions))
    latent += seed_effect * rng.standard_normal((3, seeds, 1))
    normal = NormalDist(sigma=math.sqrt(1 + seed_effect**2))
    cuts = np.array([normal.inv_cdf(accuracy) for accuracy in TRUTH])
    return np.asarray(latent < cuts[:, None, None])


@pytest.mark.parametrize(("seeds", "seed_effect"), [(1, 0.0), (8, 0.0), (8, 0.1)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(seeds: int, seed_effect: float) -> None:
    rng = np.random.default_rng(1)
    resamples = Resamples(300, num_seeds=seeds, num_resamples=600)
    trials, covered = 1000 if seeds == 1 else 300, np.zeros(3)
    for _ in range(trials):
        weak, student, ceiling = simulate(rng, seeds, 300, seed_effect=seed_effect)
        alone = accuracy_interval(student, resamples=resamples)
        difference = difference_interval(student, weak, resamples=resamples)
        ratio = pgr_interval(weak, student, ceiling, resamples=resamples)
        covered += [
            alone.low <= 0.75 <= alone.high,
            difference.low <= 0.15 <= difference.high,
            ratio.low <= 0.5 <= ratio.high,
        ]
    rates = covered / trials  # of accuracy, difference, PGR
    assert rates.min() > 0.93, rates
    if seeds == 1:
        assert rates.max() < 0.97, rates


def test_mcnemars_test_holds_its_level() -> None:
    rng = np.random.default_rng(3)
    runs = rng.random((1000, 2, 60)) < 0.7
    resamples = Resamples(60, num_resamples=10)
    p_values = [difference_interval(a, b, resamples=resamples).p_value for a, b in runs]
    assert np.mean(np.array(p_values) < 0.05) < 0.06


# Scores against correctness


@given(scored_answers())
def test_auroc_is_the_share_of_pairs_in_order(answers: list[tuple[int, bool]]) -> None:
    score, correct = zip(*answers, strict=True)
    right = [s for s, c in answers if c]
    wrong = [s for s, c in answers if not c]
    pairs = [(r > w) + 0.5 * (r == w) for r in right for w in wrong]
    if pairs:
        assert auroc(score, correct) == pytest.approx(np.mean(pairs))
    else:
        assert math.isnan(auroc(score, correct))


def test_auroc_of_known_scores() -> None:
    assert auroc([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]) == 1
    assert auroc([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]) == 0
    assert auroc([1, 1, 1, 1], [0, 1, 0, 1]) == 0.5
    assert math.isnan(auroc([], []))


def test_a_nan_score_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"the score of answer 1 \(from 0\) is nan"):
        auroc([0.5, math.nan], [True, False])


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"scores of shape \(2,\)"):
        auroc([0.5, 0.6], [True])


def test_risk_coverage_takes_tied_answers_together() -> None:
    curve = risk_coverage([3, 3, 2, 1], [True, True, False, True])
    np.testing.assert_allclose(curve.coverage, [0.5, 0.75, 1])
    np.testing.assert_allclose(curve.accuracy, [1, 2 / 3, 3 / 4])
    assert curve.area == pytest.approx((1 + 1 + 2 / 3 + 3 / 4) / 4)


@given(scored_answers())
def test_risk_coverage_ends_at_the_accuracy_of_all(answers: list[tuple[int, bool]]) -> None:
    score, correct = zip(*answers, strict=True)
    curve = risk_coverage(score, correct)
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(np.mean(correct))
    assert np.all(np.diff(curve.coverage) > 0)
    assert 0 <= curve.area <= 1 + 1e-12


@given(CORRECT)
def test_a_score_that_says_nothing_has_the_area_of_the_accuracy(correct: Correct) -> None:
    assert risk_coverage(np.ones(len(correct)), correct).area == pytest.approx(correct.mean())


def test_risk_coverage_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no answers"):
        risk_coverage([], [])
