from __future__ import annotations

from collections import Counter

import pytest

from w2s.errors import InputError
from w2s.tasks import Example, load_task
from w2s.tasks.geography import _plain

EXAMPLES: dict[str, Example] = {example.question.text: example for example in load_task("geography").examples()}


def answer(city: str) -> str | None:
    return EXAMPLES[f"Which country is the city of {city} in?"].answer


def test_cities_are_in_their_countries() -> None:
    assert answer("Lyon") == "France"
    assert answer("Osaka") == "Japan"
    assert len(EXAMPLES) > 2000


@pytest.mark.parametrize(
    "city",
    [
        "Valencia",
        "Birmingham",
        "Singapore",
        "Mexico City",
        "Kuwait City",
        "Luxembourg",
        "Tunis",
        "Hong Kong",
        "Sector 4",
    ],
)
def test_a_city_whose_name_is_shared_or_gives_its_country_away_is_left_out(city: str) -> None:
    assert f"Which country is the city of {city} in?" not in EXAMPLES


def test_every_question_has_four_countries_and_one_of_them_is_right() -> None:
    for example in EXAMPLES.values():
        assert len(set(example.question.choices)) == 4
        assert example.answer in example.question.choices
        assert all(choice.isascii() and choice == choice.strip() for choice in example.question.choices)
        assert _plain(str(example.answer)) not in _plain(example.question.text)


def test_no_city_is_asked_about_twice() -> None:
    assert len({_plain(text) for text in EXAMPLES}) == len(list(load_task("geography").examples()))


def test_the_right_answer_stands_at_every_place_alike() -> None:
    positions = Counter(example.question.choices.index(str(example.answer)) for example in EXAMPLES.values())
    assert all(0.22 < count / len(EXAMPLES) < 0.28 for count in positions.values())


def test_knowing_which_countries_have_many_cities_is_of_little_help() -> None:
    cities = Counter(example.answer for example in EXAMPLES.values())
    right = [max(example.question.choices, key=lambda c: cities[c]) == example.answer for example in EXAMPLES.values()]
    assert sum(right) / len(right) < 0.36


def test_a_question_is_the_same_wherever_it_is_made() -> None:
    # Fixed on purpose: results on this task are comparable between machines and releases.
    lyon = EXAMPLES["Which country is the city of Lyon in?"].question
    assert (lyon.id, lyon.choices) == ("geo-2996944", ("France", "Russia", "United Kingdom", "North Macedonia"))


def test_the_prompt_is_short() -> None:
    task = load_task("geography")
    prompt = task.vary(EXAMPLES["Which country is the city of Lyon in?"].question, 1, 0)[0].prompt
    assert len(prompt.split()) < 25
    assert prompt.endswith("\nAnswer:")


def test_it_splits_at_its_default_sizes() -> None:
    splits = load_task("geography").splits()
    assert Counter(splits.questions["split"].to_pylist()) == {"weak_train": 100, "transfer": 600, "test": 400}
    assert splits.dropped == {}


def test_it_takes_no_data() -> None:
    with pytest.raises(InputError, match=r"data='x.csv': task geography reads no data but its package's"):
        load_task("geography", data="x.csv").splits()
