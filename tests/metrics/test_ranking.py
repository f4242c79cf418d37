"""Scores that rank the same answers: known values, ties, and intervals that hold the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from w2s.errors import InputError
from w2s.metrics import (
    COVERAGES,
    SeedAnswers,
    auroc,
    compare_rankings,
    measure_names,
    rank,
    risk_coverage,
    share_interval,
)

ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30)


@given(ANSWERS)
def test_the_measures_are_those_of_the_single_functions(answers: list[tuple[int, bool]]) -> None:
    score, correct = zip(*answers, strict=True)
    found = rank(score, correct)
    assert list(found) == measure_names() == ["auroc", "aurc", "accuracy_25", "accuracy_50", "accuracy_75"]
    assert found["auroc"] == pytest.approx(auroc(score, correct), nan_ok=True)
    assert found["aurc"] == pytest.approx(1 - risk_coverage(score, correct).area)


@given(ANSWERS)
def test_an_auroc_is_the_statistic_of_mann_and_whitney(answers: list[tuple[int, bool]]) -> None:
    right = [score for score, correct in answers if correct]
    wrong = [score for score, correct in answers if not correct]
    found = rank(*zip(*answers, strict=True))["auroc"]
    if right and wrong:
        assert found == pytest.approx(mannwhitneyu(right, wrong).statistic / (len(right) * len(wrong)))
    else:
        assert math.isnan(found)


def test_accuracies_at_coverages_by_hand() -> None:
    # Most trusted first: right; then a tie of right and wrong; then wrong.
    score, correct = [3, 2, 2, 1], [True, True, False, False]
    found = rank(score, correct, (0.25, 0.5, 0.75, 1.0))
    # At one half one of the two tied answers is taken, right half of the time.
    assert list(found.values())[2:] == pytest.approx([1, 1.5 / 2, 2 / 3, 0.5])
    # Of 10 equal answers of which 3 are right, so many at every coverage.
    assert list(rank([0] * 10, [True] * 3 + [False] * 7).values()) == pytest.approx([0.5, 0.7, 0.3, 0.3, 0.3])


def test_a_coverage_that_ends_between_two_answers_takes_part_of_the_next() -> None:
    assert rank([3, 2, 1], [True, False, False], (0.5,))["accuracy_50"] == pytest.approx(1 / 1.5)


@given(ANSWERS, st.randoms(use_true_random=False))
def test_neither_the_order_of_answers_nor_the_scale_of_scores_is_anything(
    answers: list[tuple[int, bool]], random: Any
) -> None:
    before = rank(*zip(*answers, strict=True))
    random.shuffle(answers)
    score, correct = zip(*answers, strict=True)
    assert rank([math.exp(value) - 7 for value in score], correct) == pytest.approx(before, nan_ok=True)


def of_seeds(seeds: int, questions: int = 300, *, noise: float = 0.1, rng_seed: int = 0) -> list[SeedAnswers]:
    """Four answers to each question; `good` knows how likely each is right, `bad` knows less, `same` ranks as good."""
    rng = np.random.default_rng(rng_seed)
    easy = rng.normal(size=questions)
    found = []
    for _ in range(seeds):
        chance = np.repeat(1 / (1 + np.exp(-(easy + rng.normal(0, noise) + rng.normal(0, 0.3, questions)))), 4)
        correct = rng.random(4 * questions) < chance
        good = chance + rng.normal(0, 0.1, len(chance))
        scores = {"good": good, "bad": chance + rng.normal(0, 0.6, len(chance)), "same": 3 * good - 1}
        found.append(SeedAnswers([f"q{n}" for n in range(questions) for _ in range(4)], correct, scores))
    return found


def test_a_worse_score_is_shown_to_be_worse_and_an_equal_one_to_be_equal() -> None:
    found = compare_rankings(of_seeds(1), "good")
    for name in ("auroc", *(f"accuracy_{100 * coverage:.0f}" for coverage in COVERAGES)):
        assert found["bad"][name].difference_high < 0
        assert found["bad"][name].low < found["bad"][name].estimate < found["bad"][name].high
    assert found["bad"]["aurc"].difference_low > 0, "more errors"
    for measured in found["same"].values():
        assert measured.difference == pytest.approx(0, abs=1e-12)
        assert math.isnan(measured.difference_low), "nothing varies, so there is nothing to measure it by"


def test_a_perfect_ranking_of_few_answers_is_not_certain_and_shows_no_difference() -> None:
    answers = SeedAnswers(range(20), np.arange(20) < 10, {"constant": np.zeros(20), "perfect": -np.arange(20)})
    found = compare_rankings([answers], "constant")["perfect"]
    # Wilson's of the ten right answers, and of the five that are taken.
    assert found["auroc"][:3] == (1, *share_interval(1, 0, 10))
    assert found["accuracy_25"][:3] == (1, *share_interval(1, 0, 5))
    assert found["auroc"].difference == 0.5 and math.isnan(found["auroc"].difference_low)


def test_a_seed_whose_answers_are_all_right_leaves_the_auroc_of_the_others() -> None:
    seeds = of_seeds(4, 40)
    seeds[3] = seeds[3]._replace(correct=np.ones(160, bool))
    found, of_others = compare_rankings(seeds, "good")["bad"], compare_rankings(seeds[:3], "good")["bad"]
    assert found["auroc"].estimate == pytest.approx(of_others["auroc"].estimate)
    assert found["auroc"].low < found["auroc"].estimate < found["auroc"].high
    assert (found["auroc"].seeds, found["aurc"].seeds) == (3, 4)
    none = compare_rankings(seeds[3:], "good")["bad"]["auroc"]
    assert math.isnan(none.estimate) and none.seeds == 0


def test_one_seed_has_an_interval_over_questions_two_have_none_and_three_have_a_wider_one() -> None:
    one, two, three = (compare_rankings(of_seeds(seeds, noise=0.5), "good")["bad"]["auroc"] for seeds in (1, 2, 3))
    assert math.isnan(two.low) and math.isnan(two.difference_high) and 0.5 < two.estimate < 1
    each = [compare_rankings([own], "good")["bad"]["auroc"].estimate for own in of_seeds(3, noise=0.5)]
    assert three.estimate == pytest.approx(np.mean(each))
    assert one.low < one.estimate < one.high and three.low < three.estimate < three.high
    seeds = np.array(each)
    assert three.high - three.low > 2 * seeds.std(ddof=1) / math.sqrt(3), "what seeds vary by is in it"


def test_answers_to_one_question_stand_or_fall_together() -> None:
    answers = of_seeds(1)[0]
    apart = answers._replace(question=[str(number) for number in range(len(answers.question))])
    # All four answers to a question the same: four times as many answers, and no more known.
    rows = np.arange(0, len(answers.question), 4)
    correct = np.asarray(answers.correct)
    single = SeedAnswers(
        [answers.question[row] for row in rows], correct[rows], {"good": np.asarray(answers.scores["good"])[rows]}
    )
    fourfold = SeedAnswers(
        [answers.question[row] for row in rows for _ in range(4)],
        np.repeat(correct[rows], 4),
        {"good": np.repeat(np.asarray(answers.scores["good"])[rows], 4)},
    )
    one, four = (compare_rankings([own], "good")["good"]["auroc"] for own in (single, fourfold))
    assert four.estimate == pytest.approx(one.estimate) and four.low == pytest.approx(one.low)
    assert compare_rankings([apart], "good")["good"]["auroc"].estimate == pytest.approx(
        compare_rankings([answers], "good")["good"]["auroc"].estimate
    )


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = np.mean([compare_one(rng_seed, 3000).difference for rng_seed in (100, 101)])
    intervals = [compare_one(rng_seed, 80) for rng_seed in range(40)]
    held = np.mean([one.difference_low <= truth <= one.difference_high for one in intervals])
    assert held >= 0.85, "95% of 40: .85 and more with a chance of .99"


def test_a_nearly_perfect_aurocs_interval_holds_the_truth_as_often_as_it_says() -> None:
    def nearly_perfect(rng_seed: int, questions: int) -> SeedAnswers:
        rng = np.random.default_rng(rng_seed)
        hard = rng.normal(size=questions)
        return SeedAnswers(range(questions), hard + rng.normal(0, 0.3, questions) < 0.8, {"easy": -hard})

    large = nearly_perfect(100, 100_000)
    truth = auroc(large.scores["easy"], large.correct)
    found = [compare_rankings([nearly_perfect(n, 40)], "easy", coverages=())["easy"]["auroc"] for n in range(60)]
    assert truth > 0.97
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.88


def compare_one(rng_seed: int, questions: int) -> Any:
    return compare_rankings(of_seeds(1, questions, rng_seed=rng_seed), "good", coverages=())["bad"]["auroc"]


def test_the_same_answers_give_the_same_interval() -> None:
    answers = of_seeds(1, 20)
    assert str(compare_rankings(answers, "good")) == str(compare_rankings(answers, "good"))


def test_what_cannot_be_compared_is_refused() -> None:
    answers = of_seeds(1, 5)[0]
    with pytest.raises(InputError, match=r"expected the same for each seed, with the reference 'other'"):
        compare_rankings([answers], "other")
    with pytest.raises(InputError, match="the score of answer 0"):
        rank([math.nan, 1], [True, False])
    with pytest.raises(InputError, match="expected one for each answer"):
        rank([1, 2, 3], [True, False])
    with pytest.raises(InputError, match="expected at least one question"):
        rank([], [])


def test_questions_of_one_kind_measure_as_they_do_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of few values: what is measured of the kinds is what is measured of all questions, to the last bit."""
    from w2s.metrics import ranking

    answers = of_seeds(3, 60)
    few = [one._replace(scores={name: np.round(np.asarray(s), 0) for name, s in one.scores.items()}) for one in answers]
    found = compare_rankings(few, "good")

    def each_its_own(question: Any, answer: Any) -> tuple[Any, Any, Any]:
        asked, first = np.unique(question, return_index=True)
        return asked, np.arange(len(first)), np.arange(len(first))

    monkeypatch.setattr(ranking, "_kinds", each_its_own)
    assert compare_rankings(few, "good") == found
