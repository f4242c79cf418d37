"""Splits that are drawn for each seed anew."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.tasks import Example, questions_of
from w2s.tasks.splits import Draw, QuestionPool, Splits, split

from .support import example

NAMES = ("weak_train", "transfer", "test")
POOLS = st.lists(st.sampled_from(["any", "any", "train", "weak_train", "transfer", "test"]), min_size=12, max_size=60)
SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=6, unique=True)


def spec(weak_train: Any = 2, transfer: Any = 3, test: Any = 4, **fields: Any) -> TaskSpec:
    return TaskSpec(weak_train=weak_train, transfer=transfer, test=test, **fields)


def ids(splits: Splits) -> dict[str, list[str]]:
    return {name: [question.id for question in questions_of(splits.questions, name)] for name in NAMES}


def pool(pools: list[str], of: TaskSpec) -> QuestionPool:
    return QuestionPool([example(number, name) for number, name in enumerate(pools)], of)  # type: ignore[arg-type]


def per_seed(questions: QuestionPool, seeds: list[int]) -> list[dict[str, list[str]]]:
    return [ids(questions.splits(one)) for one in questions.draws(seeds)]


def asked_of(drawn: list[dict[str, list[str]]]) -> list[set[str]]:
    return [set(one["test"]) for one in drawn]


def disjoint(sets: list[set[str]]) -> bool:
    return not any(a & b for a, b in combinations(sets, 2))


@given(POOLS, SEEDS, st.integers(0, 3))
def test_each_seed_has_disjoint_splits_of_the_same_sizes_that_keep_to_their_pools(
    pools: list[str], seeds: list[int], split_seed: int
) -> None:
    questions = pool(pools, spec(split_seed=split_seed))
    try:
        once = ids(questions.splits())
    except InputError:
        return
    for drawn in per_seed(questions, seeds):
        assert {name: len(own) for name, own in drawn.items()} == {name: len(own) for name, own in once.items()}
        everything = [id for name in NAMES for id in drawn[name]]
        assert len(set(everything)) == len(everything), "a question is in two splits of a seed"
        for name in NAMES:
            allowed = {name, "any"} | ({"train"} if name != "test" else set())
            assert {pools[int(id[1:])] for id in drawn[name]} <= allowed


@given(SEEDS, st.integers(0, 40), st.integers(0, 40))
def test_test_sets_share_no_question_while_there_are_enough(seeds: list[int], more: int, of_test: int) -> None:
    # Whatever the seeds are, and whether questions are meant for the test or may go anywhere.
    needed = 4 * len(seeds)
    pools = ["test"] * min(of_test, needed) + ["any"] * (max(0, needed - of_test) + 5 + more)
    questions = pool(pools, spec())
    assert disjoint(asked_of(per_seed(questions, seeds)))


@given(SEEDS, st.lists(st.integers(0, 2**32 - 1), max_size=3))
def test_a_seed_that_is_added_changes_the_splits_of_no_other(seeds: list[int], added: list[int]) -> None:
    questions = pool(["any"] * 22, spec())
    both = list(dict.fromkeys([*seeds, *added]))
    assert per_seed(questions, both)[: len(seeds)] == per_seed(questions, seeds)


def test_seeds_in_a_row_have_the_same_splits_in_one_run_and_apart() -> None:
    questions = pool(["any"] * 25, spec())
    together = per_seed(questions, [3, 4, 5, 6])
    assert [per_seed(questions, [seed])[0] for seed in (3, 4, 5, 6)] == together
    assert disjoint(asked_of(together))


def test_where_the_pool_does_not_last_the_first_seeds_share_nothing_and_the_others_draw_from_all() -> None:
    questions = pool(["any"] * 13, spec())
    assert questions.draws([0, 1, 2, 3, 4]) == [Draw(0, 0), Draw(1, 1), Draw(2, 2), Draw(3, None), Draw(4, None)]
    sets = asked_of(per_seed(questions, [0, 1, 2, 3, 4]))
    assert disjoint(sets[:3]) and sets[3] not in sets[:3] and sets[3] != sets[4]


def test_a_fixed_test_split_is_the_same_for_all_seeds_in_the_same_order_and_what_is_learned_from_is_not() -> None:
    questions = pool(["test"] * 4 + ["train"] * 30, spec())
    drawn = per_seed(questions, [0, 1, 2])
    assert drawn[0]["test"] == drawn[1]["test"] == drawn[2]["test"]
    assert len({tuple(one["transfer"]) for one in drawn}) == 3


def test_enough_is_left_to_learn_from_whichever_block_is_tested_on() -> None:
    # All blocks after the first would take questions that weak_train and transfer need.
    questions = pool(["test"] * 4 + ["any"] * 5, spec())
    for drawn in per_seed(questions, [0, 1, 2]):
        assert [len(drawn[name]) for name in NAMES] == [2, 3, 4]


def test_all_of_what_is_left_has_for_each_seed_the_size_that_it_has_for_all() -> None:
    for sizes in ((2, "all", 4), ("all", "all", "all"), (2, 3, "all")):
        questions = pool(["any"] * 20 + ["test"] * 3, spec(*sizes))
        once = {name: len(own) for name, own in ids(questions.splits()).items()}
        assert [{name: len(own) for name, own in one.items()} for one in per_seed(questions, [0, 7])] == [once] * 2


@given(st.permutations(range(20)), SEEDS)
def test_the_order_of_the_examples_changes_nothing(order: list[int], seeds: list[int]) -> None:
    examples: list[Example] = [example(number) for number in range(20)]
    one, other = QuestionPool(examples, spec()), QuestionPool([examples[place] for place in order], spec())
    assert per_seed(one, seeds) == per_seed(other, seeds)


def test_the_split_seed_draws_other_splits_and_the_shared_draw_is_that_of_split() -> None:
    examples = [example(number) for number in range(40)]
    first, other = QuestionPool(examples, spec()), QuestionPool(examples, spec(split_seed=1))
    assert per_seed(first, [0])[0]["test"] != per_seed(other, [0])[0]["test"]
    assert ids(first.splits()) == ids(split(examples, spec()))
    assert per_seed(first, [0])[0]["test"] == ids(first.splits())["test"]


def test_near_duplicates_are_dropped_before_any_seed_draws() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    copies = [
        example(number, text=f"{long} {long[::-1]} {'extra ' * (number % 2)}{number // 2}") for number in range(2)
    ]
    rest = [example(number, text=f"What is number {number} times {number * 7}?") for number in range(2, 40)]
    questions = QuestionPool([*copies, *rest], spec(near_duplicates="drop"))
    for one in questions.draws([0, 1, 2, 3]):
        splits = questions.splits(one)
        assert splits.near_duplicates == 0 and splits.dropped == {"near-duplicate": 1}
        assert not {"q0", "q1"} <= {id for own in ids(splits).values() for id in own}


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_too_few_questions_are_named(seeds: list[int]) -> None:
    with pytest.raises(InputError, match="asks for 3 questions: there are 2 left for it, of 8 in all"):
        pool(["any"] * 8, spec()).draws(seeds)
