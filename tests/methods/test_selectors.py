"""Selectors: what each keeps, and the laws that all of them obey."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s import tables
from w2s.errors import InputError
from w2s.methods.ceiling import ceiling
from w2s.methods.controls import augmented, oracle, random_subset
from w2s.methods.filtering import filter_uncertain, filter_uncertain_sampled
from w2s.methods.majority import majority
from w2s.methods.naive import naive
from w2s.methods.relabel import agreed
from w2s.methods.reweighting import reweight, reweight_sampled
from w2s.methods.selection import TrainingSet, candidates_from
from w2s.reliability import score_answers

Answers = Sequence[Sequence[str | None]]
Selector = Callable[..., TrainingSet]


def scored_of(answers: Answers) -> pa.Table:
    """Scored answers; the prompt and the completion tell question, variation and answer."""
    rows = [
        {
            "question_id": f"q{q}",
            "variation": v,
            "prompt": f"prompt {q}.{v}",
            "completion": f"completion {q}.{v} {answer}",
            "answer": answer,
            "supervisor": "weak",
        }
        for q, given_answers in enumerate(answers)
        for v, answer in enumerate(given_answers)
    ]
    return score_answers(tables.check(pa.Table.from_pylist(rows, tables.ANSWERS), tables.ANSWERS, name="answers"))


def gold_of(answers: Answers, truth: str = "a") -> pa.Table:
    return pa.table(
        {
            "question_id": pa.array([f"q{q}" for q in range(len(answers))], pa.string()),
            "variation": pa.array([0] * len(answers), pa.int32()),
            "prompt": pa.array([f"prompt {q}.0" for q in range(len(answers))], pa.string()),
            "answer": pa.array([truth] * len(answers), pa.string()),
        }
    )


def oracle_of_a(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """The oracle, where the truth is always "a"."""
    ids = scored["question_id"].unique()
    columns = {"question_id": ids, "variation": [0] * len(ids), "answer": ["a"] * len(ids)}
    return oracle(scored, pa.table(columns), seed=seed)


def agreed_on_a(scored: pa.Table, *, seed: int = 0) -> TrainingSet:
    """Agreement with a student that always says "a"."""
    ids = scored["question_id"].unique()
    columns = {"question_id": ids, "variation": [0] * len(ids), "answer": ["a"] * len(ids)}
    return agreed(scored, pa.table(columns), seed=seed)


SELECTORS: list[Selector] = [
    naive,
    filter_uncertain,
    filter_uncertain_sampled,
    reweight,
    reweight_sampled,
    majority,
    ceiling,
    random_subset,
    augmented,
    oracle_of_a,
    agreed_on_a,
]
SAMPLED: list[Selector] = [filter_uncertain_sampled, reweight_sampled, augmented, oracle_of_a]

ANSWERS = st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=5), max_size=6)
all_selectors = pytest.mark.parametrize("selector", SELECTORS)

UNANIMOUS: list[list[str | None]] = [["a", "a", "a"], ["b", "b", "b"]]
SPLIT: list[list[str | None]] = [["a", "b", "b"], ["a", "b", "c"]]


def with_scores(scored: pa.Table, **scores: Any) -> pa.Table:
    for name, values in scores.items():
        scored = scored.set_column(scored.column_names.index(name), name, pa.array(values, pa.float64()))
    return scored


def chosen(training: TrainingSet) -> list[tuple[str, int]]:
    return [(row["question_id"], row["variation"]) for row in training.table.to_pylist()]


# Laws


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_selection_never_invents_rows(selector: Selector, answers: Answers) -> None:
    scored = scored_of(answers)
    there = {(row["prompt"], row["completion"], row["question_id"], row["answer"]) for row in scored.to_pylist()}
    training = selector(scored)
    rows = training.table.to_pylist()
    assert training.table.schema.equals(tables.TRAINING_SET)
    assert all((row["prompt"], row["completion"], row["question_id"], row["answer"]) in there for row in rows)
    assert len({row["prompt"] for row in rows}) == len(rows)


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS, random=st.randoms(use_true_random=False), seed=st.integers(0, 3))
def test_the_order_of_the_answers_changes_nothing(selector: Selector, answers: Answers, random: Any, seed: int) -> None:
    scored = scored_of(answers)
    order = list(range(scored.num_rows))
    random.shuffle(order)
    first, other = selector(scored, seed=seed), selector(scored.take(pa.array(order, pa.int64())), seed=seed)
    assert first.table.equals(other.table)
    assert first.selection == other.selection


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_every_row_is_selected_or_counted_as_dropped(selector: Selector, answers: Answers) -> None:
    scored = scored_of(answers)
    training, selection = selector(scored)
    assert selection.rows_in == scored.num_rows
    assert selection.questions_in == len(answers)
    assert selection.rows == training.num_rows
    assert selection.questions == len(training["question_id"].unique())
    assert selection.rows + sum(selection.dropped.values()) == selection.rows_in


@all_selectors
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_unreadable_answers_are_never_trained_on(selector: Selector, answers: Answers) -> None:
    assert selector(scored_of(answers)).table["answer"].null_count == 0


@pytest.mark.parametrize("selector", SAMPLED)
@settings(max_examples=25)
@given(answers=ANSWERS)
def test_a_sample_has_at_most_a_row_for_each_question_there_was(selector: Selector, answers: Answers) -> None:
    assert selector(scored_of(answers)).selection.rows <= len(answers)


@pytest.mark.parametrize("selector", [*SAMPLED, random_subset])
def test_the_seed_decides_the_draw(selector: Selector) -> None:
    scored = scored_of([["a", "a", "b", "b"], *([["a", "a", "a", "a"]] * 3)] * 8)
    assert chosen(selector(scored, seed=1)) == chosen(selector(scored, seed=1))
    assert chosen(selector(scored, seed=1)) != chosen(selector(scored, seed=2))


@all_selectors
def test_only_reweighting_weighs(selector: Selector) -> None:
    weights = set(selector(scored_of([["a", "a", "b"]] * 20)).table["weight"].to_pylist())
    if selector not in (reweight, reweight_sampled):
        assert weights == {1.0}
    else:
        assert len(weights) == 2


@all_selectors
def test_no_answers_give_an_empty_training_set(selector: Selector) -> None:
    training = selector(scored_of([]))
    assert training.table.schema.equals(tables.TRAINING_SET)
    assert training.selection.rows == training.selection.questions_in == 0


@all_selectors
def test_a_selection_is_written_as_json(selector: Selector) -> None:
    selection = selector(scored_of(UNANIMOUS)).selection
    assert json.loads(json.dumps(selection.to_dict()))["rows"] == selection.rows
    assert selection.rule


@all_selectors
def test_a_missing_prompt_is_an_error(selector: Selector) -> None:
    with pytest.raises(InputError, match="has no column 'prompt'"):
        selector(scored_of(UNANIMOUS).drop_columns(["prompt"]))


@all_selectors
def test_a_missing_completion_is_the_answer_after_a_space(selector: Selector) -> None:
    training = selector(scored_of(UNANIMOUS).drop_columns(["completion"])).table
    assert training["completion"].to_pylist() == [f" {answer}" for answer in training["answer"].to_pylist()]


@pytest.mark.parametrize("selector", [selector for selector in SELECTORS if selector is not ceiling])
def test_answers_without_scores_are_an_error(selector: Selector) -> None:
    with pytest.raises(InputError, match="scored answers has no column 'vote_share'"):
        selector(scored_of(UNANIMOUS).drop_columns(["vote_share", "entropy", "reliability"]))


def test_a_null_prompt_is_named_with_its_row() -> None:
    scored = scored_of([["a", "b"]])
    broken = scored.set_column(scored.column_names.index("prompt"), "prompt", pa.array(["p", None]))
    with pytest.raises(InputError, match="row 2: expected a prompt"):
        naive(broken)


def test_a_null_completion_is_the_answer_after_a_space() -> None:
    scored = scored_of([["a", "b"]])
    position = scored.column_names.index("completion")
    training = reweight(scored.set_column(position, "completion", pa.array([None, "B."]))).table
    assert training["completion"].to_pylist() == [" a", "B."]


def test_an_answer_that_is_there_twice_is_an_error() -> None:
    scored = scored_of([["a", "b"]])
    with pytest.raises(InputError, match="expected one answer for question_id 'q0', variation 0"):
        reweight(pa.concat_tables([scored, scored]))


# Each of them


def test_naive_takes_the_first_variation() -> None:
    assert chosen(naive(scored_of(UNANIMOUS + SPLIT))) == [("q0", 0), ("q1", 0), ("q2", 0), ("q3", 0)]


def test_naive_takes_the_lowest_variation_that_there_is() -> None:
    scored = scored_of([["a", "b", "c"]]).slice(1)
    assert chosen(naive(scored)) == [("q0", 1)]


def test_naive_does_not_replace_an_unreadable_answer() -> None:
    training = naive(scored_of([[None, "a", "a"], ["b", "b", None]]))
    assert chosen(training) == [("q1", 0)]
    assert training.selection.dropped == {"other_variations": 4, "unparsed": 1}


def test_filtering_keeps_all_rows_of_the_certain_questions() -> None:
    training = filter_uncertain(scored_of(UNANIMOUS + SPLIT), quantile=0.5)
    # Half of the rows are at entropy 0 and half above: the median lies between 0 and the lower of the others.
    assert chosen(training) == [("q0", 0), ("q0", 1), ("q0", 2), ("q1", 0), ("q1", 1), ("q1", 2)]
    assert training.selection.dropped == {"uncertain": 6, "unparsed": 0}


def test_filtering_keeps_ties_at_the_threshold() -> None:
    training = filter_uncertain(scored_of([*UNANIMOUS, ["c", "c", "c"], ["a", "b", "b"]]), quantile=0.1)
    assert training.selection.questions == 3
    split = [["a", "b", "b"], ["b", "a", "b"], ["c", "c", "a"]]
    assert filter_uncertain(scored_of(split), quantile=0.0).selection.questions == 3


def test_filtering_is_not_decided_by_a_rounding() -> None:
    scored = scored_of([["a", "b", "b"]] * 4)
    nudged = with_scores(scored, uncertainty=scored["uncertainty"].to_numpy() + np.repeat([0, 1e-15, 2e-15, 3e-15], 3))
    assert filter_uncertain(nudged, quantile=0.0).selection.questions == 4


@given(ANSWERS)
def test_filtering_at_quantile_one_keeps_every_readable_answer(answers: Answers) -> None:
    scored = scored_of(answers)
    kept = filter_uncertain(scored, quantile=1.0).selection
    assert kept.rows == scored.num_rows - scored["answer"].null_count


@given(ANSWERS, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_quantile_keeps_no_less(answers: Answers, one: float, other: float) -> None:
    scored = scored_of(answers)
    fewer, more = (set(chosen(filter_uncertain(scored, quantile=q))) for q in sorted([one, other]))
    assert fewer <= more


def test_the_threshold_is_a_quantile_over_rows_not_questions() -> None:
    # Two questions of three are certain, but only two rows of seven.
    scored = scored_of([["a"], ["a"], ["a", "b", "b", "b", "b"]])
    assert filter_uncertain(scored, quantile=0.5).selection.questions == 3


def test_the_quantile_is_over_parsed_answers_unless_all_are_asked_for() -> None:
    # Questions of which nothing could be parsed are unanimous, but nothing of them can be kept.
    scored = scored_of([[None, None, None]] * 4 + [["a", "a", "a"], ["a", "a", "b"], ["a", "b", "c"]])
    assert filter_uncertain(scored, quantile=0.5).selection.questions == 2
    assert filter_uncertain(scored, quantile=0.5, over="all").selection.questions == 1
    with pytest.raises(InputError, match="over is 'some': expected 'parsed' or 'all'"):
        filter_uncertain(scored, over="some")


@pytest.mark.parametrize("selector", [filter_uncertain, filter_uncertain_sampled, random_subset])
@pytest.mark.parametrize("quantile", [-0.1, 1.1, 50, math.nan])
def test_a_quantile_out_of_range_is_refused(selector: Selector, quantile: float) -> None:
    with pytest.raises(InputError, match=f"quantile {quantile}: expected a number from 0 to 1"):
        selector(scored_of(UNANIMOUS), quantile=quantile)


def test_sampled_filtering_draws_from_the_kept_rows() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    kept, drawn = chosen(filter_uncertain(scored)), chosen(filter_uncertain_sampled(scored))
    assert set(drawn) < set(kept)
    assert len(drawn) == 4


def test_sampled_filtering_takes_what_there_is_where_that_is_less() -> None:
    scored = scored_of([["a", "a"], *([["a", "b"]] * 5)])
    assert filter_uncertain_sampled(scored, quantile=0.0).selection.rows == 2


def test_reweighting_weighs_each_answer_by_its_reliability() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    training = reweight(scored)
    assert chosen(training) == list(zip(*(scored[c].to_pylist() for c in ("question_id", "variation")), strict=True))
    np.testing.assert_allclose(training.table["weight"].to_numpy(), scored["reliability"].to_numpy(), rtol=1e-6)


def test_sampled_reweighting_keeps_the_weights() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    weight = {(row["question_id"], row["variation"]): row["reliability"] for row in scored.to_pylist()}
    training = reweight_sampled(scored)
    assert training.selection.rows == 4
    for row in training.table.to_pylist():
        assert row["weight"] == pytest.approx(weight[row["question_id"], row["variation"]])


def test_sampled_reweighting_draws_all_rows_alike() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    draws = [row for seed in range(300) for row in chosen(reweight_sampled(scored, seed=seed))]
    frequency = np.array([draws.count(row) for row in set(draws)]) / 300
    assert len(frequency) == 12
    assert np.all(np.abs(frequency - 4 / 12) < 0.12)


def test_a_confidence_that_is_none_and_a_negative_weight_are_refused() -> None:
    scored = scored_of([["a", "b"]])
    for wrong in (-0.5, 1.5):
        with pytest.raises(InputError, match=rf"scored answers, row 2: confidence is {wrong}, expected a number from"):
            reweight(with_scores(scored, confidence=[0.5, wrong]))
    weighted = candidates_from(scored.append_column("mine", pa.array([1.5, -0.5])))
    with pytest.raises(InputError, match=r"mine -0\.5: expected weights of 0 or more"):
        weighted.training_set("by weights of my own", weight="mine")


def test_methods_read_confidence_and_uncertainty_whatever_estimator_they_are_of() -> None:
    # The votes say otherwise: by them the second question is the certain one.
    scored = with_scores(
        scored_of([["a", "b"], ["a", "a"]]),
        confidence=[0.9, 0.8, 0.2, 0.1],
        uncertainty=[0.0, 0.0, 0.5, 0.5],
    )
    assert chosen(filter_uncertain(scored, quantile=0.0)) == [("q0", 0), ("q0", 1)]
    assert reweight(scored).table["weight"].to_pylist() == pytest.approx([0.9, 0.8, 0.2, 0.1])


def test_scores_of_an_older_table_are_those_of_the_votes() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    older = scored.drop_columns(["confidence", "uncertainty"])
    for selector in (filter_uncertain, reweight):
        assert selector(older).table.equals(selector(scored).table)


@pytest.mark.parametrize(
    ("answers", "variation"),
    [
        (["a", "a", "b"], 0),  # variation 0 agrees with the majority
        (["b", "a", "a"], 1),  # it does not: the lowest that does
        (["a", "b", "b", "a"], 0),  # a tie goes to the lowest variation's answer
        (["c", "b", "a", "a", "b"], 1),  # a tie of the two highest
        ([None, None, None, "b", "a", "b"], 3),  # unparsed answers do not win
    ],
)
def test_majority_takes_the_first_row_that_gave_the_majoritys_answer(answers: list[str | None], variation: int) -> None:
    training = majority(scored_of([answers]))
    assert chosen(training) == [("q0", variation)]
    assert training.table["prompt"].to_pylist() == [f"prompt 0.{variation}"]
    assert training.table["completion"].to_pylist() == [f"completion 0.{variation} {answers[variation]}"]


@given(ANSWERS)
def test_majority_takes_one_row_of_each_question_with_a_readable_answer(answers: Answers) -> None:
    ids = [id for id, _ in chosen(majority(scored_of(answers)))]
    readable = [f"q{q}" for q, given_answers in enumerate(answers) if any(given_answers)]
    assert ids == readable


def test_the_ceiling_takes_all_of_the_ground_truth() -> None:
    training = ceiling(gold_of(UNANIMOUS + SPLIT))
    assert training.selection.rows == 4
    assert set(training.table["answer"].to_pylist()) == {"a"}
    assert set(training.table["weight"].to_pylist()) == {1.0}


@settings(max_examples=50)
@given(ANSWERS, st.floats(0, 1), st.integers(0, 3))
def test_the_random_subset_is_of_as_many_questions_as_filtering_keeps(
    answers: Answers, quantile: float, seed: int
) -> None:
    scored = scored_of(answers)
    drawn = random_subset(scored, quantile=quantile, seed=seed)
    assert drawn.selection.questions == filter_uncertain(scored, quantile=quantile).selection.questions
    kept = set(drawn.table["question_id"].to_pylist())
    for q, given_answers in enumerate(answers):
        rows = [row for row in chosen(drawn) if row[0] == f"q{q}"]
        assert len(rows) == (sum(answer is not None for answer in given_answers) if f"q{q}" in kept else 0)


def test_the_random_subset_is_blind_to_agreement() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    drawn = [id for seed in range(40) for id, _ in chosen(random_subset(scored, seed=seed))]
    assert set(drawn) == {"q0", "q1", "q2", "q3"}


def test_augmented_is_as_large_as_naive_and_of_all_variations() -> None:
    scored = scored_of([["a", "b", "c"]] * 30)
    training = augmented(scored)
    assert training.selection.rows == naive(scored).selection.rows == 30
    assert {variation for _, variation in chosen(training)} == {0, 1, 2}


def test_the_oracle_takes_correct_answers_only() -> None:
    answers = UNANIMOUS + SPLIT
    training = oracle(scored_of(answers), gold_of(answers))
    assert set(training.table["answer"].to_pylist()) == {"a"}
    assert training.selection.rows == 4  # of the five that are correct
    assert training.selection.dropped == {"unparsed": 0, "incorrect": 7, "not_drawn": 1}


def test_the_oracle_refuses_a_question_without_truth() -> None:
    with pytest.raises(InputError, match="expected one for question 'q2', there is none"):
        oracle(scored_of(UNANIMOUS + SPLIT), gold_of(UNANIMOUS))


def test_the_oracle_refuses_two_truths() -> None:
    gold = gold_of(UNANIMOUS)
    second = gold.set_column(1, "variation", pa.array([1, 1], pa.int32()))
    with pytest.raises(InputError, match="4 rows for 2 questions, expected one for each"):
        oracle(scored_of(UNANIMOUS), pa.concat_tables([gold, second]))


@all_selectors
def test_supervisors_of_one_variation_are_told_apart_in_any_order(selector: Selector) -> None:
    scored = scored_of([["a", "b"], ["a", "a"]])
    other = scored.set_column(scored.column_names.index("supervisor"), "supervisor", pa.array(["api"] * 4))
    prompts = pa.array([f"{prompt} of the other" for prompt in scored["prompt"].to_pylist()])
    other = other.set_column(other.column_names.index("prompt"), "prompt", prompts)
    forth, back = (score_answers(pa.concat_tables(both)) for both in ([scored, other], [other, scored]))
    assert selector(forth).table.equals(selector(back).table)
    assert selector(forth).selection.rows_in == 8


# Relabelling


def student_of(answers: Mapping[str, Sequence[str | None]]) -> pa.Table:
    """A student's answers by question."""
    rows = [(id, variation, answer) for id, row in answers.items() for variation, answer in enumerate(row)]
    ids, variations, said = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "question_id": pa.array(ids, pa.string()),
            "variation": pa.array(variations, pa.int32()),
            "answer": pa.array(said, pa.string()),
        }
    )


def test_the_answers_that_a_student_agrees_with_are_kept_beside_the_certain_ones() -> None:
    scored = scored_of([["a", "a", "a"], ["a", "b", "b"], ["a", "b", "c"], ["c", None, "b"]])
    student = student_of({"q1": ["a", "a", "b"], "q2": ["a", "b", "c"], "q3": [None, None, "c"]})
    training = agreed(scored, student, quantile=0.0)
    # q1: two of three say "a", against the weak majority; q2: no majority; q3: most cannot be parsed.
    assert chosen(training) == [("q0", 0), ("q0", 1), ("q0", 2), ("q1", 0)]
    assert training.selection.dropped == {"not_agreed": 8, "unparsed": 0}
    # Labels stay the weak supervisor's: an answer of the student's alone is nowhere.
    alone = agreed(scored, student_of({"q1": ["c", "c", "c"]}), quantile=0.0)
    assert chosen(alone) == [("q0", 0), ("q0", 1), ("q0", 2)]


@given(ANSWERS, st.floats(0, 1), st.randoms(use_true_random=False))
def test_a_second_round_keeps_all_that_the_first_kept(answers: Answers, quantile: float, random: Any) -> None:
    scored = scored_of(answers)
    first = filter_uncertain(scored, quantile=quantile)
    said = {f"q{q}": [random.choice(["a", "b", None]) for _ in range(3)] for q in range(len(answers))}
    second = agreed(scored, student_of(said), quantile=quantile)
    assert set(chosen(first)) <= set(chosen(second))
    assert agreed(scored, student_of({}), quantile=quantile).table.equals(first.table)
    everything = agreed(scored, student_of({f"q{q}": row for q, row in enumerate(answers)}), quantile=quantile)
    assert set(chosen(everything)) >= {
        (f"q{q}", v)
        for q, row in enumerate(answers)
        for v, answer in enumerate(row)
        if answer is not None and 2 * list(row).count(answer) > len(row)
    }
