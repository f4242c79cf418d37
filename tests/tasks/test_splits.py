from __future__ import annotations

import random
import unicodedata
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.tables import GOLD, QUESTIONS
from w2s.tasks import Example, Question, gold_of, questions_of
from w2s.tasks.splits import Splits, split

from .support import example

NAMES = ("weak_train", "transfer", "test")


def drawn(splits: Splits) -> dict[str, list[str]]:
    return {name: [question.id for question in questions_of(splits.questions, name)] for name in NAMES}


def spec(weak_train: Any = 2, transfer: Any = 3, test: Any = 4, **fields: Any) -> TaskSpec:
    return TaskSpec(weak_train=weak_train, transfer=transfer, test=test, **fields)


POOLS = st.sampled_from(["any", "train", "weak_train", "transfer", "test"])
# Few texts for many examples: most have a duplicate somewhere.
EXAMPLES = st.lists(st.tuples(POOLS, st.integers(0, 25)), min_size=30, max_size=60).map(
    lambda rows: [
        example(number, pool, text=f"{'What ' if number % 2 else 'what  '}{text}")
        for number, (pool, text) in enumerate(rows)
    ]
)


@given(examples=EXAMPLES, seed=st.integers(0, 5))
def test_splits_are_disjoint_by_question_and_by_text_and_keep_to_their_pools(
    examples: list[Example], seed: int
) -> None:
    splits = split(examples, spec(0, 0, 0, split_seed=seed))
    assert not any(drawn(splits).values())
    try:
        splits = split(examples, spec("all", "all", "all", split_seed=seed))
    except InputError as error:
        assert "nothing left" in str(error)
        return
    ids = [identity for name in NAMES for identity in drawn(splits)[name]]
    texts = [" ".join(text.casefold().split()) for text in splits.questions["text"].to_pylist()]
    assert len(set(ids)) == len(ids) and len(set(texts)) == len(texts)
    assert len(ids) + splits.dropped.get("duplicate", 0) == len(examples)
    pools = {one.question.id: one.pool for one in examples}
    for name in NAMES:
        allowed = {name, "any"} | ({"train"} if name != "test" else set())
        assert {pools[identity] for identity in drawn(splits)[name]} <= allowed
    in_test = {one.question.text.casefold() for one in examples if one.pool == "test"}
    for name in ("weak_train", "transfer"):
        assert not in_test & {question.text.casefold() for question in questions_of(splits.questions, name)}


@given(order=st.randoms(use_true_random=False), seed=st.integers(0, 5))
def test_the_order_of_the_examples_changes_nothing(order: random.Random, seed: int) -> None:
    examples = [example(number, text=f"what {number % 15}") for number in range(20)]
    shuffled = order.sample(examples, len(examples))
    one, other = split(examples, spec(split_seed=seed)), split(shuffled, spec(split_seed=seed))
    assert one.questions.equals(other.questions)
    assert one.gold.equals(other.gold)


def test_a_seed_draws_other_questions() -> None:
    examples = [example(number) for number in range(30)]
    assert drawn(split(examples, spec(split_seed=0))) != drawn(split(examples, spec(split_seed=1)))


def test_the_size_of_transfer_changes_neither_test_nor_weak_train_and_only_adds_to_transfer() -> None:
    examples = [example(number) for number in range(30)]
    small, large = drawn(split(examples, spec(transfer=3))), drawn(split(examples, spec(transfer=20)))
    assert small["test"] == large["test"]
    assert small["weak_train"] == large["weak_train"]
    assert small["transfer"] == large["transfer"][:3]


def test_the_tables_have_their_schemas_and_gold_goes_apart() -> None:
    splits = split([example(number, answer="no") for number in range(9)], spec())
    assert splits.questions.schema.equals(QUESTIONS)
    assert splits.gold.schema.equals(GOLD)
    assert splits.questions["question_id"].to_pylist() == splits.gold["question_id"].to_pylist()
    assert Counter(splits.questions["split"].to_pylist()) == {"weak_train": 2, "transfer": 3, "test": 4}


def test_a_question_comes_back_from_the_table_as_it_went_in() -> None:
    question = Question(id="é", text='a "b" {c}\n', choices=("x", "ÿ"), fields={"topic": "Zoë"})
    free = Question(id="2", text="free")
    splits = split([Example(question=question, answer="x"), Example(question=free, answer="3")], spec(0, 0, "all"))
    assert sorted(questions_of(splits.questions, "test"), key=lambda one: one.id) == [free, question]
    assert gold_of(splits.gold, "test") == {"é": "x", "2": "3"}


def test_all_takes_what_the_numbers_leave_in_equal_shares() -> None:
    examples = [example(number) for number in range(21)]
    sizes = {name: len(ids) for name, ids in drawn(split(examples, spec("all", "all", 4))).items()}
    assert sizes["test"] == 4
    assert sorted((sizes["weak_train"], sizes["transfer"])) == [8, 9]


def test_all_keeps_to_the_pools() -> None:
    examples = [example(number, "train") for number in range(10)] + [
        example(number, "test") for number in range(10, 13)
    ]
    sizes = {name: len(ids) for name, ids in drawn(split(examples, spec("all", "all", "all"))).items()}
    assert sizes == {"weak_train": 5, "transfer": 5, "test": 3}


def test_questions_meant_for_a_split_are_drawn_before_those_that_may_go_anywhere() -> None:
    examples = [example(number, "test" if number < 4 else "any") for number in range(30)]
    assert set(drawn(split(examples, spec()))["test"]) == {"q0", "q1", "q2", "q3"}


def test_of_two_copies_the_one_meant_for_test_stays() -> None:
    examples = [example(1, "train", text="Same  one"), example(2, "test", text="same one"), example(3, "train")]
    splits = split(examples, spec(0, 1, 1))
    assert drawn(splits) == {"weak_train": [], "transfer": ["q3"], "test": ["q2"]}
    assert splits.dropped == {"duplicate": 1}


def test_the_order_of_choices_makes_no_new_question_but_other_choices_do() -> None:
    def with_choices(identity: str, *choices: str) -> Example:
        return Example(
            question=Question(id=identity, text="Which?", choices=choices), answer=min(choices, key=str.lower)
        )

    splits = split(
        [with_choices("1", "a", "b"), with_choices("2", "b", "A"), with_choices("3", "a", "c")], spec(0, 0, "all")
    )
    assert len(drawn(splits)["test"]) == 2
    assert splits.dropped == {"duplicate": 1}


@given(st.text(alphabet="aeéE\u0301 ö\u0308ñßIi", min_size=1))
def test_composed_and_decomposed_writings_are_one_question(text: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", f"what {text}"), unicodedata.normalize("NFD", f"What  {text} ")
    splits = split([example(1, "test", text=composed), example(2, "train", text=decomposed)], spec(0, 0, "all"))
    assert drawn(splits)["test"] == ["q1"]
    assert splits.dropped == {"duplicate": 1}


def test_choices_that_differ_in_their_writing_only_are_equal() -> None:
    question = Question(id="1", text="Where?", choices=("Córdoba", "Co\u0301rdoba"))
    splits = split([Example(question=question, answer="Córdoba"), example(2)], spec(0, 0, "all"))
    assert splits.dropped == {"equal or empty choices": 1}


@given(st.permutations([("q1", "any", "yes"), ("q2", "test", "no"), ("q3", "train", "Yes"), ("q4", "any", "yes")]))
def test_of_copies_with_different_answers_none_is_kept(rows: list[tuple[str, Any, str]]) -> None:
    same = [
        Example(question=Question(id=name, text="Is it so?", choices=("yes", "no")), answer=answer, pool=pool)
        for name, pool, answer in rows
    ]
    splits = split([*same, example(5)], spec(0, 0, "all"))
    assert drawn(splits)["test"] == ["q5"]
    assert splits.dropped == {"contradictory answers": 4}
    agreeing = [one for one in same if one.answer != "no"]
    assert split([*agreeing, example(5)], spec(0, 0, "all")).dropped == {"duplicate": 2}


def test_answers_that_differ_in_case_contradict_each_other_only_where_choices_do() -> None:
    genotypes = Question(id="1", text="Which one?", choices=("PP", "Pp", "pp"))
    examples = [Example(question=genotypes, answer="Pp"), Example(question=replace(genotypes, id="2"), answer="pp")]
    assert split([*examples, example(3)], spec(0, 0, "all")).dropped == {"contradictory answers": 2}
    free = [
        Example(question=Question(id=name, text="Who?"), answer=answer) for name, answer in [("1", "Al"), ("2", "al")]
    ]
    assert split(free, spec(0, 0, "all")).dropped == {"duplicate": 1}


def test_a_copy_without_an_answer_contradicts_none() -> None:
    splits = split([example(1, "transfer", text="Why?", answer=None), example(2, "test", text="why?")], spec(0, 0, 1))
    assert (drawn(splits)["test"], splits.dropped) == (["q2"], {"duplicate": 1})


LONG = "The ferry leaves the northern harbour at noon and calls at four small islands before it turns back. When, {}?"


def test_near_duplicates_are_kept_with_a_warning_where_splits_share_them(caplog: pytest.LogCaptureFixture) -> None:
    examples = [example(1, "test", text=LONG.format("sir")), example(2, "transfer", text=LONG.format("madam"))]
    splits = split([*examples, example(3, "transfer")], spec(0, 2, 1))
    assert (splits.near_duplicates, splits.dropped) == (1, {})
    assert "near-duplicates in different splits: 1, first 'q2' in transfer and 'q1' in test" in caplog.text
    within = split([replace(one, pool="test") for one in examples], spec(0, 0, 2))
    assert within.near_duplicates == 0


def test_near_duplicates_are_dropped_where_that_is_set() -> None:
    examples = [example(1, "train", text=LONG.format("sir")), example(2, "test", text=LONG.format("madam"))]
    splits = split([*examples, example(3, "train")], spec(0, 1, 1, near_duplicates="drop"))
    assert drawn(splits) == {"weak_train": [], "transfer": ["q3"], "test": ["q2"]}
    assert (splits.near_duplicates, splits.dropped) == (0, {"near-duplicate": 1})


def test_another_word_for_near_duplicates_is_refused() -> None:
    with pytest.raises(InputError, match="near_duplicates is 'dropp'"):
        split([example(1)], spec(0, 0, 1, near_duplicates="dropp"))


def test_a_question_with_equal_or_empty_choices_is_dropped_and_counted() -> None:
    def with_choices(identity: str, *choices: str) -> Example:
        return Example(question=Question(id=identity, text=identity, choices=choices), answer=choices[0])

    splits = split(
        [with_choices("1", "a", "a"), with_choices("2", "a", ""), with_choices("3", "a", "b")], spec(0, 0, "all")
    )
    assert drawn(splits)["test"] == ["3"]
    assert splits.dropped == {"equal or empty choices": 2}


def test_an_unlabelled_question_may_stand_in_transfer_only() -> None:
    splits = split([example(1, "transfer", answer=None)], spec(0, 1, 0))
    assert gold_of(splits.gold, "transfer") == {"q1": None}
    with pytest.raises(InputError, match="question 'q1' has no answer"):
        split([example(1, "any", answer=None)], spec(0, 1, 0))


def test_an_id_in_two_splits_is_named() -> None:
    with pytest.raises(InputError, match="question 'q1' is in test and in weak_train: splits must not overlap"):
        split([example(1, "weak_train"), example(1, "test")], spec(1, 0, 1))


def test_two_questions_with_one_id_are_named() -> None:
    with pytest.raises(InputError, match="two different questions have the id 'q1'"):
        split([example(1, text="one"), example(1, text="two")], spec(1, 0, 1))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2, 9, 4), r"transfer asks for 9 questions: there are 4 left for it, of 10 in all"),
        ((2, 3, 11), r"test asks for 11 questions: there are 10 left for it, of 10 in all"),
        ((6, "all", 4), r"transfer asks for all that is left: there is nothing left for it, of 10 in all"),
        ((-1, 3, 4), r"weak_train is -1: expected a number of questions, or 'all'"),
        (("some", 3, 4), r"weak_train is 'some': expected a number"),
    ],
)
def test_sizes_that_cannot_be_had_are_named(sizes: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split([example(number) for number in range(10)], spec(*sizes))
