"""Views as one: weights that were put in are found, agreement tells what each is worth, and one view stays itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.views import Floats, log_softmax, ragged
from w2s.reliability import combining
from w2s.reliability.combining import agreement_skills, combine, equal_weights, fit_weights, skills_to_weights

SIZES = st.lists(st.integers(2, 5), min_size=1, max_size=12)
SEEDS = st.integers(0, 10_000)


def drawn_from(rng: np.random.Generator, logprobs: Floats) -> np.ndarray:
    return np.array([rng.choice(len(row), p=np.exp(row)) for row in logprobs])


def penalised(views: Sequence[Floats], right: np.ndarray, weights: Sequence[float] | Floats, ridge: float) -> float:
    away = np.asarray(weights) - 1 / len(views)
    return float(-combine(views, weights)[np.arange(len(right)), right].sum() + ridge * away @ away)


def judges(rng: np.random.Generator, skills: Sequence[float], sizes: Sequence[int]) -> tuple[list[Floats], np.ndarray]:
    """Views that are right by their skill, wrong with any other option, and independent; and the truth."""
    count = np.array(sizes)
    right = rng.integers(0, count)
    views = []
    for skill in skills:
        is_right = rng.random(len(count)) < 1 / count + (1 - 1 / count) * skill
        wrong = (right + rng.integers(1, count)) % count
        views.append(one_hot(np.where(is_right, right, wrong), sizes))
    return views, right


def one_hot(chosen: np.ndarray, sizes: Sequence[int], odds: float = 9.0) -> Floats:
    """Views that give the chosen option the same odds to any other."""
    there = np.arange(max(sizes)) < np.array(sizes)[:, None]
    picked = np.arange(max(sizes)) == chosen[:, None]
    return log_softmax(np.where(there, np.where(picked, np.log(odds), 0.0), -np.inf))


# Log-linear


def test_a_posterior_by_hand() -> None:
    views = [np.log([[0.6, 0.3, 0.1]]), np.log([[0.2, 0.5, 0.3]])]
    product = np.array([0.6 * 0.2, 0.3 * 0.5, 0.1 * 0.3])
    assert np.exp(combine(views, [1, 1]))[0] == pytest.approx(product / product.sum())
    squared = np.array([0.6**2, 0.3**2, 0.1**2])
    assert np.exp(combine(views, [2, 0]))[0] == pytest.approx(squared / squared.sum())


@given(SIZES, SEEDS)
def test_one_view_is_itself_and_so_is_one_that_is_there_twice(sizes: list[int], seed: int) -> None:
    view = ragged(np.random.default_rng(seed), sizes)
    assert combine([view], fit_weights([view], np.zeros(len(sizes), np.int64))) == pytest.approx(view)
    assert combine([view, view], equal_weights(2)) == pytest.approx(view)


@given(SIZES, SEEDS, st.randoms(use_true_random=False))
def test_options_and_questions_in_another_order_are_the_same(sizes: list[int], seed: int, random: object) -> None:
    rng = np.random.default_rng(seed)
    views = [ragged(rng, sizes) for _ in range(3)]
    right = rng.integers(0, np.array(sizes))
    order = rng.permutation(len(sizes))
    columns = rng.permutation(max(sizes))
    place = np.argsort(columns)
    moved = [view[order][:, columns] for view in views]
    assert fit_weights(moved, place[right[order]]) == pytest.approx(fit_weights(views, right), abs=2e-3)
    assert agreement_skills(moved) == pytest.approx(agreement_skills(views))
    weights = [0.3, 1.2, 0.7]
    assert combine(moved, weights) == pytest.approx(combine(views, weights)[order][:, columns])


def test_without_questions_there_is_nothing_to_combine_and_the_weights_are_equal() -> None:
    views = [np.zeros((0, 0))] * 3
    assert combine(views, equal_weights(3)).shape == (0, 0)
    assert fit_weights(views, np.zeros(0, np.int64)) == pytest.approx([1 / 3] * 3)


# Fitted


@pytest.mark.parametrize("weights", [(0.5, 2.0, 1.0), (0.0, 1.0, 0.3), (1 / 3, 1 / 3, 1 / 3)])
def test_the_weights_that_made_the_truth_are_found(weights: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 6, 6000).tolist()
    views = [ragged(rng, sizes) for _ in weights]
    right = drawn_from(rng, combine(views, weights))
    assert fit_weights(views, right) == pytest.approx(weights, abs=0.1)


@given(SIZES, SEEDS, st.lists(st.floats(0, 3), min_size=3, max_size=3), st.sampled_from([0.1, 1.0, 10.0]))
def test_no_other_weights_fit_better(sizes: list[int], seed: int, other: list[float], ridge: float) -> None:
    rng = np.random.default_rng(seed)
    views = [ragged(rng, sizes) for _ in range(3)]
    right = rng.integers(0, np.array(sizes))
    found = fit_weights(views, right, ridge=ridge)
    assert (found >= 0).all()
    assert penalised(views, right, found, ridge) <= penalised(views, right, other, ridge) + 1e-4


def test_a_strong_ridge_leaves_the_views_equal() -> None:
    rng = np.random.default_rng(1)
    views = [ragged(rng, [4] * 50) for _ in range(2)]
    assert fit_weights(views, views[0].argmax(axis=1), ridge=1e9) == pytest.approx([0.5, 0.5], abs=1e-4)


def test_a_view_that_says_nothing_gets_next_to_no_weight_and_one_that_errs_none() -> None:
    rng = np.random.default_rng(2)
    good, nothing = ragged(rng, [4] * 2000), ragged(rng, [4] * 2000)
    right = drawn_from(rng, good)
    assert fit_weights([good, nothing], right) == pytest.approx([1.0, 0.0], abs=0.1)
    assert fit_weights([good, log_softmax(-good)], right)[1] == 0


# From agreement


def test_skills_by_hand() -> None:
    first, second, third = (np.zeros(16, int) for _ in range(3))
    second[:4] = 1  # agrees with the first on 12 of 16, so rho = .5; and so does the third
    third[3:7] = 1  # agrees with the second on 10 of 16, so rho = .25
    views = [one_hot(chosen, [2] * 16) for chosen in (first, second, third)]
    assert agreement_skills(views) == pytest.approx([0.999, 0.5, 0.5])


@pytest.mark.parametrize("skills", [(0.9, 0.6, 0.3), (0.5, 0.5, 0.5)])
def test_skills_are_found_where_errors_are_independent(skills: tuple[float, ...]) -> None:
    rng = np.random.default_rng(3)
    views, _ = judges(rng, skills, rng.integers(2, 6, 20_000).tolist())
    assert agreement_skills(views) == pytest.approx(skills, abs=0.03)


def test_views_that_share_their_errors_seem_better_than_they_are() -> None:
    rng = np.random.default_rng(4)
    (first, second, third), _ = judges(rng, (0.5, 0.5, 0.5), [4] * 10_000)
    copied = np.where((rng.random(10_000) < 0.7)[:, None], first, second)
    assert agreement_skills([first, copied, third])[:2].min() > 0.7


def test_options_that_are_equally_likely_share_an_answer() -> None:
    unsure = np.log([[0.5, 0.5], [0.5, 0.5]])
    sure = np.log([[0.9, 0.1], [0.9, 0.1]])
    assert agreement_skills([sure, sure, unsure])[2] == pytest.approx(0.01)


def test_agreement_by_chance_alone_is_said(caplog: pytest.LogCaptureFixture) -> None:
    views = [one_hot(np.array(chosen), [2] * 4) for chosen in ([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1])]
    with caplog.at_level(logging.WARNING):
        assert agreement_skills(views)[0] == pytest.approx(0.01)
    assert "no more often than by chance" in caplog.text


def test_a_judge_counts_by_the_odds_that_he_is_right() -> None:
    chosen, sizes = np.array([0, 2, 3, 1]), [4] * 4
    skill = 0.6  # right with probability .7
    weights = skills_to_weights([one_hot(chosen, sizes, odds=9.0)], np.array([skill]))
    assert weights == pytest.approx([np.log(0.7 * 3 / 0.3) / np.log(9.0)], rel=1e-6)


@given(SIZES, SEEDS, st.floats(0.05, 0.95))
def test_a_view_is_as_sure_as_it_is_said_to_be_right(sizes: list[int], seed: int, skill: float) -> None:
    view = ragged(np.random.default_rng(seed), sizes)
    (weight,) = skills_to_weights([view], np.array([skill]))
    chance = 1 / np.array(sizes)
    sure, surest = (np.exp(combine([view], [w])).max(axis=1).mean() for w in (weight, combining._SHARPEST))
    said = (chance + (1 - chance) * skill).mean()
    assert sure == pytest.approx(min(said, surest), abs=1e-6)  # two options that are almost a tie stay one
