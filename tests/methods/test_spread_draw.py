"""The spread draw of the sampled methods: each question once before any comes twice."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.selecting import ANSWERS, Answers, Selector, chosen, scored_of
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.methods.filtering import filter_uncertain, filter_uncertain_sampled
from w2s.methods.reweighting import reweight, reweight_sampled
from w2s.methods.selection import candidates_from
from w2s.step import Step

SAMPLED = [(filter_uncertain_sampled, filter_uncertain), (reweight_sampled, reweight)]
both = pytest.mark.parametrize(("sampled", "whole"), SAMPLED)


def counts(rows: list[tuple[str, int]]) -> Counter[str]:
    return Counter(question for question, _ in rows)


@both
@given(answers=ANSWERS, seed=st.integers(0, 5))
def test_no_question_comes_again_before_every_other_that_has_a_row_left(
    sampled: Selector, whole: Selector, answers: Answers, seed: int
) -> None:
    there, drawn = (
        counts(chosen(whole(scored_of(answers)))),
        counts(chosen(sampled(scored_of(answers), spread=True, seed=seed))),
    )
    most = max(drawn.values(), default=0)
    assert all(drawn[question] >= min(most - 1, rows) for question, rows in there.items())


@both
@given(answers=ANSWERS, seed=st.integers(0, 5))
def test_a_spread_draw_has_as_many_rows_as_the_draw_of_the_paper_and_all_are_kept_ones(
    sampled: Selector, whole: Selector, answers: Answers, seed: int
) -> None:
    scored = scored_of(answers)
    spread, paper = sampled(scored, spread=True, seed=seed), sampled(scored, seed=seed)
    assert len(set(chosen(spread))) == spread.table.num_rows == paper.table.num_rows
    assert set(chosen(spread)) <= set(chosen(whole(scored)))
    assert spread.selection.dropped == paper.selection.dropped


@given(answers=ANSWERS, rows=st.integers(0, 12), seed=st.integers(0, 5), random=st.randoms(use_true_random=False))
def test_a_spread_draw_takes_in_order_of_turns_whatever_the_order_of_the_rows(
    answers: Answers, rows: int, seed: int, random: object
) -> None:
    scored = scored_of(answers)
    order = list(range(scored.num_rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    fewer, same, more = (
        set(chosen(candidates_from(table).draw(size, seed=seed, spread=True).training_set("drawn")))
        for table, size in ((scored, rows), (scored.take(pa.array(order, pa.int64())), rows), (scored, rows + 1))
    )
    assert fewer == same and fewer <= more
    assert len(more) - len(fewer) == (rows < scored.num_rows)


def test_each_question_of_a_filter_comes_once_before_one_comes_twice() -> None:
    scored = scored_of([["a", "a", "a"], ["b", "b", "b"], ["a", "b", "c"]])
    drawn = counts(chosen(filter_uncertain_sampled(scored, quantile=0.0, spread=True)))
    assert sorted(drawn.values()) == [1, 2] and set(drawn) == {"q0", "q1"}


def test_every_row_of_a_question_can_be_drawn_and_the_first_question_is_not_preferred() -> None:
    scored = scored_of([["a", "a", "a"], ["a", "a", "a"]])
    drawn = {
        tuple(chosen(candidates_from(scored).draw(1, seed=seed, spread=True).training_set("one"))) for seed in range(99)
    }
    assert drawn == {((f"q{q}", v),) for q in range(2) for v in range(3)}


class _Laying:
    """Remembers the settings that a method selects with."""

    settings: dict[str, object]
    scored = Step(kind="scored", label="", settings={}, inputs={})

    def select(self, selector: str, inputs: object, settings: dict[str, object]) -> Step:
        self.settings = settings
        return self.scored

    def train(self, training_set: Step) -> Step:
        return training_set


@pytest.mark.parametrize("name", ["filtering-sampled", "reweighting-sampled"])
def test_the_setting_is_in_the_key_only_where_it_is_given(name: str) -> None:
    method, laying = METHODS[name], _Laying()
    for given_settings, told in (({}, False), ({"spread": False}, False), ({"spread": True}, True)):
        method.steps(laying, method.resolve(given_settings))  # type: ignore[arg-type]
        assert ("spread" in laying.settings) == told
    assert set(laying.settings) == set(method.settings)


def test_a_method_that_draws_nothing_has_no_such_setting() -> None:
    with pytest.raises(InputError, match="spread"):
        METHODS["filtering"].resolve({"spread": True})
    with pytest.raises(InputError, match="spread"):
        METHODS["filtering-sampled"].resolve({"spread": "yes"})
