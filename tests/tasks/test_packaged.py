"""What the tasks have in common whose questions are made from a package."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks import TASKS, Example, Task, load_task, questions_of
from w2s.tasks.german_plural import forms_of
from w2s.tasks.packaged import as_many_of_each, options_for
from w2s.tasks.splits import QuestionPool

SIZES = {"word-language": 30_000, "german-plural": 5_100, "identifier-language": 8_000}
"""How many questions each of these tasks has."""

each_task = pytest.mark.parametrize("name", SIZES)


@cache
def task(name: str) -> Task:
    return load_task(name)


@cache
def examples(name: str) -> list[Example]:
    return list(task(name).examples())


@cache
def shown(name: str) -> list[tuple[list[str], int]]:
    """Of each question what stands behind its options, languages or patterns of forms, and which is right."""
    found = []
    for example in examples(name):
        choices = list(example.question.choices)
        number = choices.index(str(example.answer))
        if name == "german-plural":
            patterns = {form: pattern for pattern, form in forms_of(example.question.id.removeprefix("noun-")).items()}
            choices = [patterns[choice] for choice in choices]
        found.append((choices, number))
    return found


@each_task
def test_all_questions_are_there_and_each_once(name: str) -> None:
    assert len(examples(name)) == SIZES[name]
    assert len({example.question.id for example in examples(name)}) == SIZES[name]
    assert len({example.question.text.casefold() for example in examples(name)}) == SIZES[name]


@each_task
def test_every_question_has_four_options_and_one_of_them_is_right(name: str) -> None:
    for example in examples(name):
        assert len(set(example.question.choices)) == 4
        assert example.question.choices.count(str(example.answer)) == 1


@each_task
def test_texts_are_composed(name: str) -> None:
    for example in examples(name):
        for text in (example.question.id, example.question.text, *example.question.choices, str(example.answer)):
            assert unicodedata.is_normalized("NFC", text)


@each_task
def test_each_label_is_right_equally_often(name: str) -> None:
    counts = Counter(options[right] for options, right in shown(name))
    assert len(set(counts.values())) == 1
    assert len(counts) >= 6


@each_task
def test_the_right_answer_stands_at_every_position_alike(name: str) -> None:
    positions = Counter(right for _, right in shown(name))
    assert all(0.22 < count / SIZES[name] < 0.28 for count in positions.values())


@each_task
@pytest.mark.parametrize("seed", range(20))
def test_no_preference_among_options_finds_the_answer_without_reading(name: str, seed: int) -> None:
    """Who prefers the labels in any fixed order, such as that of their frequency, is right on a quarter."""
    order = sorted({label for options, _ in shown(name) for label in options})
    random.Random(seed).shuffle(order)
    assert guessed(name, {label: rank for rank, label in enumerate(order)}) == pytest.approx(0.25, abs=0.03)


@each_task
def test_the_options_that_are_shown_most_or_least_are_no_better_a_guess(name: str) -> None:
    counts = Counter(label for options, _ in shown(name) for label in options)
    assert guessed(name, counts) == pytest.approx(0.25, abs=0.03)
    assert guessed(name, {label: -count for label, count in counts.items()}) == pytest.approx(0.25, abs=0.03)


def guessed(name: str, ranks: Mapping[str, int]) -> float:
    """How often the option of the lowest rank is right."""
    return fmean(options[right] == min(options, key=ranks.__getitem__) for options, right in shown(name))


@each_task
def test_the_splits_share_no_question_and_no_near_duplicate(name: str) -> None:
    splits = QuestionPool(examples(name), task(name).spec).splits()
    ids = splits.questions["question_id"].to_pylist()
    assert Counter(splits.questions["split"].to_pylist()) == {"weak_train": 100, "transfer": 300, "test": 400}
    assert len(set(ids)) == len(ids)
    assert (splits.dropped, splits.near_duplicates) == ({}, 0)


@each_task
def test_seeds_are_tested_on_a_thousand_questions_each_and_share_none(name: str) -> None:
    spec = load_task(name, test=1000).spec
    pool = QuestionPool(examples(name), spec)
    drawn = [pool.splits(one).questions for one in pool.draws([0, 1, 2, 3])]
    tests = [{question.id for question in questions_of(table, "test")} for table in drawn]
    assert all(len(ids) == 1000 for ids in tests)
    assert len(set.union(*tests)) == 4000


@each_task
def test_the_prompt_is_short(name: str) -> None:
    prompt = task(name).vary(examples(name)[0].question, 1, 0)[0].prompt
    assert len(prompt.split()) < 25
    assert prompt.endswith("\nAnswer:")


@each_task
def test_no_answer_begins_another(name: str) -> None:
    """Else the longer one could never be the more probable."""
    for example in examples(name):
        written = task(name).vary(example.question, 1, 0)[0].completions
        assert not any(one is not other and other.startswith(one) for one in written for other in written)


@each_task
def test_an_answer_that_is_written_is_parsed_as_itself(name: str) -> None:
    for example in examples(name)[::50]:
        variation = task(name).vary(example.question, 2, 0)[1]
        for choice in example.question.choices:
            written = task(name).complete(choice, example.question, variation)
            assert task(name).parse(written, example.question, variation) == choice
            assert task(name).parse(f"{choice}.", example.question, variation) == choice


@each_task
def test_it_reads_no_data(name: str) -> None:
    with pytest.raises(InputError, match=rf"data='x.csv': task {name} reads no data but its package's"):
        list(load_task(name, data="x.csv").examples())


@each_task
def test_a_package_that_is_not_there_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS[name], "package", "no_such_package")
    with pytest.raises(InputError, match=rf"task {name}: package no_such_package is not installed: pip install "):
        list(load_task(name).examples())


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.text(max_size=3)), min_size=1), st.integers(0, 5))
def test_of_every_label_there_are_as_many(found: dict[str, list[str]], most: int) -> None:
    pairs = as_many_of_each(found, most)
    each = min(most, *map(len, found.values()))
    assert pairs == [(label, item) for label in found for item in found[label][:each]]


@given(st.sampled_from("abcdef"), st.text())
def test_options_are_the_right_label_and_three_others(label: str, key: str) -> None:
    options = options_for(label, list("abcdef"), key)
    assert len(set(options)) == len(options) == 4
    assert label in options
    assert options == options_for(label, list("abcdef"), key)
