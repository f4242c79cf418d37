"""What a position adds, and log-probabilities without it: values by hand, and laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.debias import Floats, divide_out_positions, log_softmax, position_prior
from w2s.errors import InputError

ROTATIONS = [tuple((option + turn) % 3 for option in range(3)) for turn in range(3)]
ORDERS = list(itertools.permutations(range(3)))

NATS = st.floats(-4, 4)
CONTENT = st.lists(st.lists(NATS, min_size=3, max_size=3), min_size=1, max_size=4)
PRIOR = st.lists(NATS, min_size=3, max_size=3)


def asked(
    content: list[list[float]], orders: list[tuple[int, ...]], prior: list[float]
) -> tuple[list[list[float]], list[tuple[int, ...]], list[int]]:
    """Each question in each order, by a model that adds a constant to the log-probability of each position."""
    rows = [(question, order) for question in range(len(content)) for order in orders]
    logprobs = [[content[q][option] + prior[order[option]] for option in range(3)] for q, order in rows]
    return logprobs, [order for _, order in rows], [q for q, _ in rows]


def prior_of(logprobs: list[list[float]], positions: list[tuple[int, ...]], questions: list[int]) -> Floats:
    return position_prior(np.array(logprobs), np.array(positions), np.array(questions))


def test_two_options_in_both_orders_by_hand() -> None:
    # What stands first gets 2 nats more: option 0 is ahead by 3 when it is first, behind by 1 when it is not.
    logprobs, positions = [[3.0, 0.0], [0.0, 1.0]], [(0, 1), (1, 0)]
    assert position_prior(np.array(logprobs), np.array(positions), np.array([0, 0])) == pytest.approx([1, -1])
    for row in divide_out_positions(logprobs, positions, ["q", "q"]):
        assert row[0] - row[1] == pytest.approx(1)
        assert np.exp(row).sum() == pytest.approx(1)


@given(CONTENT, PRIOR)
def test_a_constant_at_a_position_is_removed_where_all_rotations_are_asked(
    content: list[list[float]], prior: list[float]
) -> None:
    logprobs, positions, questions = asked(content, ROTATIONS, prior)
    for row, question in zip(divide_out_positions(logprobs, positions, questions), questions, strict=True):
        assert row == pytest.approx(log_softmax(np.array(content[question])), abs=1e-9)


@given(CONTENT, st.lists(st.sampled_from(ORDERS), min_size=1, max_size=5))
def test_without_a_preference_nothing_changes_whatever_the_orders(
    content: list[list[float]], orders: list[tuple[int, ...]]
) -> None:
    logprobs, positions, questions = asked(content, orders, [0, 0, 0])
    for row, before in zip(divide_out_positions(logprobs, positions, questions), logprobs, strict=True):
        assert row == pytest.approx(log_softmax(np.array(before)), abs=1e-9)


@given(st.lists(st.lists(NATS, min_size=9, max_size=9), min_size=1, max_size=4))
def test_over_all_rotations_the_prior_is_the_mean_by_position(questions: list[list[float]]) -> None:
    logprobs = [log_softmax(np.array(question[start : start + 3])) for question in questions for start in (0, 3, 6)]
    positions = ROTATIONS * len(questions)
    by_position = [[row[places.index(at)] for at in range(3)] for row, places in zip(logprobs, positions, strict=True)]
    mean = np.mean(by_position, axis=0)
    numbers = [number for number in range(len(questions)) for _ in ROTATIONS]
    assert prior_of([list(row) for row in logprobs], positions, numbers) == pytest.approx(mean - mean.mean(), abs=1e-9)


@given(CONTENT, PRIOR, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(content: list[list[float]], prior: list[float], random: Any) -> None:
    logprobs, positions, questions = asked(content, ORDERS[:4], prior)
    order = list(range(len(logprobs)))
    random.shuffle(order)
    before = divide_out_positions(logprobs, positions, questions)
    after = divide_out_positions(*[[column[row] for row in order] for column in (logprobs, positions, questions)])
    for number, row in enumerate(order):
        assert after[number] == pytest.approx(before[row], abs=1e-9)


def test_a_right_option_that_always_stands_first_is_no_preference() -> None:
    """Of the questions as they stand, none of them asked in another order."""
    logprobs, positions, questions = asked([[3, 0, 0]] * 5, ORDERS[:1], [0, 0, 0])
    assert prior_of(logprobs, positions, questions) == pytest.approx([0, 0, 0])
    # In other orders as well: it follows the option, and not the position.
    logprobs, positions, questions = asked([[3, 0, 0]] * 5, ORDERS[:2], [0, 0, 0])
    assert prior_of(logprobs, positions, questions) == pytest.approx([0, 0, 0], abs=1e-9)


def test_each_model_and_each_number_of_options_has_a_preference_of_its_own() -> None:
    first, last = asked([[1, 0, 0]], ROTATIONS, [2, 0, 0]), asked([[1, 0, 0]], ROTATIONS, [0, 0, 4])
    logprobs: list[list[float]] = [*first[0], *last[0], [3.0, 0.0], [0.0, 1.0]]
    positions: list[tuple[int, ...]] = [*first[1], *last[1], (0, 1), (1, 0)]
    models = ["a"] * 3 + ["b"] * 3 + ["a"] * 2
    found = divide_out_positions(logprobs, positions, ["q"] * 6 + ["r"] * 2, models)
    for row in found[:6]:
        assert row == pytest.approx(log_softmax(np.array([1.0, 0.0, 0.0])), abs=1e-9)
    for row in found[6:]:
        assert row == pytest.approx(log_softmax(np.array([1.0, 0.0])), abs=1e-9)


def test_an_impossible_option_leaves_numbers() -> None:
    found = divide_out_positions([[0.0, -np.inf], [0.0, -1.0]], [(0, 1), (1, 0)], ["q", "q"])
    assert all(np.isfinite(row).all() for row in found)


@pytest.mark.parametrize("positions", [(0, 0), (1, 2), (0,), (0, 1, 2), ()])
def test_positions_that_are_no_order_are_refused_with_their_row(positions: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"row 2: positions are .*, expected each from 0 to 1 once"):
        divide_out_positions([[0.0, -1.0], [0.0, -1.0]], [(0, 1), positions], ["q", "q"])


@pytest.mark.parametrize("row", [[0.0, np.nan], [0.0, np.inf], [-np.inf, -np.inf], [0.0, None]])
def test_what_is_no_log_probability_is_refused_with_its_row(row: list[float]) -> None:
    with pytest.raises(InputError, match=r"row 2: .* are no log-probabilities"):
        divide_out_positions([[0.0, -1.0], row], [(0, 1), (1, 0)], ["q", "q"])


def test_no_rows_and_rows_of_no_options_come_back_as_they_are() -> None:
    assert divide_out_positions([], [], []) == []
    assert [row.tolist() for row in divide_out_positions([[], [-1.0]], [[], [0]], ["q", "r"])] == [[], [0.0]]
