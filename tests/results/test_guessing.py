"""What test questions give away, and who gives one answer to all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.results.guessing import Guessing, TestQuestions, fixed_classes

OWN = [["a", "b"], ["c", "d"], ["e", "f", "g", "h"]]


def test_chance_is_the_mean_of_one_over_the_options() -> None:
    found = TestQuestions(OWN, ["a", "d", "e"]).guessing()
    assert found.chance == pytest.approx((1 / 2 + 1 / 2 + 1 / 4) / 3)
    assert (found.constant, found.constant_accuracy) == ("option 1", pytest.approx(2 / 3))


def test_the_majority_class_is_that_of_questions_with_the_same_options_in_any_order() -> None:
    found = TestQuestions([["yes", "no"], ["no", "yes"], ["yes", "no"]], ["yes", "yes", "no"]).guessing()
    assert found == Guessing(chance=0.5, constant="yes", constant_accuracy=pytest.approx(2 / 3))


def test_free_answers_have_no_chance_and_a_majority_only_where_they_are_few() -> None:
    numbers = [str(n) for n in range(40)]
    assert TestQuestions([[]] * 40, numbers).guessing() == Guessing()
    found = TestQuestions([[]] * 40, ["3"] * 30 + ["4"] * 10).guessing()
    assert found == Guessing(constant="3", constant_accuracy=0.75)


def test_options_of_their_own_are_no_classes() -> None:
    assert fixed_classes(OWN, ["a", "d", "e"]) is None
    assert fixed_classes([["x", "y"]] * 3, ["x", "y", "x"]) == ["x", "y"]


def test_one_answer_to_almost_all_is_called_out_and_not_where_the_truth_is_so_too() -> None:
    test = TestQuestions([["yes", "no"]] * 20, ["yes", "no"] * 10)
    assert test.same_answer(["no"] * 19 + ["yes"]) == ("no", 0.95)
    assert test.same_answer(["no"] * 17 + ["yes"] * 3) is None  # .85
    assert TestQuestions([["yes", "no"]] * 20, ["no"] * 19 + ["yes"]).same_answer(["no"] * 20) is None
    assert TestQuestions([["yes", "no"]] * 5, ["yes"] * 5).same_answer(["no"] * 5) is None  # too few to tell


def test_the_same_letter_is_called_out_where_options_differ() -> None:
    choices = [[f"{n}{letter}" for letter in "abcd"] for n in range(20)]
    truths = [own[index % 4] for index, own in enumerate(choices)]
    assert TestQuestions(choices, truths).same_answer([own[2] for own in choices]) == ("option 3", 1.0)
    assert TestQuestions(choices, truths).same_answer([None] * 20) is None


@given(st.lists(st.sampled_from(["yes", "no"]), min_size=1, max_size=30))
def test_a_constant_is_right_as_often_as_the_most_frequent_truth(truths: list[str]) -> None:
    found = TestQuestions([["yes", "no"]] * len(truths), truths).guessing()
    assert found.constant_accuracy == max(truths.count("yes"), truths.count("no")) / len(truths)
