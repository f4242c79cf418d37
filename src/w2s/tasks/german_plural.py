"""German plurals: which of four forms is a noun's plural. The nouns come with the package german-nouns."""

from __future__ import annotations

import csv
import importlib.util
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from w2s.errors import InputError
from w2s.tasks.packaged import PackagedTask, as_many_of_each, options_for
from w2s.tasks.questions import Example, Question
from w2s.tasks.variations import rng_for

__all__ = ["TASK", "GermanPlural"]

PATTERNS = ("", "-e", "-(e)n", "-s", "umlaut -e", "umlaut -er")
NOUNS = 850  # of each pattern
ALIKE = 40  # of each pattern, nouns that end in the same three letters: compounds of one noun, or one suffix
# A vowel that takes an umlaut, alone or as au, and after it consonants only, or an unstressed -el or -er.
_NOUN = re.compile(r"([A-ZÄÖÜ][a-zäöüß]*?)(?<![aeiouyäöüAEIOUYÄÖÜ])(au|[aou])([bcdfghjklmnpqrstvwxzß]+(?:e[lr])?)")
_UMLAUT = {"a": "ä", "o": "ö", "u": "ü", "au": "äu"}


class GermanPlural(PackagedTask):
    """Which of four forms is the plural of a German noun, for 5,100 nouns.

    A record of german-nouns, which has them from the German Wiktionary, and the question made of it:

        {"lemma": "Kunstwort", "pos": "Substantiv", "nominativ plural": "Kunstwörter", …}

        What is the plural of the German noun "Kunstwort"?   "Kunstworts" / "Kunstworten" / "Kunstwörter" / "Kunstwort"

    The options follow six patterns: no ending, -e, -(e)n, -s, umlaut and -e, umlaut and -er. Asked about are nouns of
    one plural, which follows one of these, and whose last vowel can take an umlaut, so that all six can be shown for
    every noun: 850 of each pattern, of those that end in the same three letters 40 at most. Left out are nouns with
    two entries ("Bank"), names, and those with a hyphen or a capital inside.

    An answer is written in quotes: its probability is that of its tokens, and without an end "Kunstwort" would never be
    less probable than "Kunstworte".

    Each pattern is right equally often, and the three others are drawn from all five alike. Without knowing what
    becomes of the noun, right are, whatever pattern is preferred: .25 (`packaged.options_for`).
    """

    name = "german-plural"
    summary = "which of four forms is a German noun's plural; needs no download"
    source = "package german-nouns"
    licence = "CC BY-SA 4.0 (German Wiktionary)"
    package = "german_nouns"
    install = "--no-deps german-nouns"

    @classmethod
    def make_examples(cls) -> list[Example]:
        """One example a noun, pattern by pattern."""
        # The file alone: its package's code needs a parser of Wiktionary.
        spec = importlib.util.find_spec(cls.package)
        paths = [Path(folder) / "nouns.csv" for folder in spec.submodule_search_locations or ()] if spec else []
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise InputError(f"task {cls.name}: package {cls.package} has no nouns.csv: pip install {cls.install}")
        nouns = nouns_by_pattern(_entries(path))
        return [_example(noun, pattern) for pattern, noun in as_many_of_each(nouns, NOUNS)]

    def shown(self, question: Question) -> Sequence[str]:
        """The forms in quotes."""
        return [f'"{form}"' for form in question.choices]


class Entry(NamedTuple):
    """What the package says of a noun.

    Attributes:
        noun: In the nominative singular.
        kind: "Substantiv" for a noun that is nothing besides.
        plurals: Its nominative plurals.
    """

    noun: str
    kind: str
    plurals: frozenset[str]


def _entries(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        noun, kind = header.index("lemma"), header.index("pos")
        plurals = [index for index, column in enumerate(header) if column.startswith("nominativ plural")]
        for row in rows:
            yield Entry(row[noun], row[kind], frozenset(row[index] for index in plurals) - {""})


def nouns_by_pattern(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """The nouns that can be asked about, by the pattern of their plural, in an order that means nothing."""
    of_noun: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of_noun[entry.noun].append(entry)
    found: dict[str, list[str]] = {pattern: [] for pattern in PATTERNS}
    for noun in sorted(of_noun, key=lambda noun: rng_for(0, noun).random()):
        if len(of_noun[noun]) == 1 and (pattern := _pattern(of_noun[noun][0])) is not None:
            found[pattern].append(noun)
    return {pattern: list(_not_too_alike(nouns)) for pattern, nouns in found.items()}


def _pattern(entry: Entry) -> str | None:
    """How the plural is formed; None where there is not just one, or it follows no pattern."""
    if entry.kind != "Substantiv":
        return None
    return next((pattern for pattern, form in forms_of(entry.noun).items() if entry.plurals == {form}), None)


def forms_of(noun: str) -> dict[str, str]:
    """What the plural would be, by pattern; empty where the last vowel takes no umlaut."""
    parts = _NOUN.fullmatch(noun)
    if parts is None:
        return {}
    umlaut = parts[1] + _UMLAUT[parts[2]] + parts[3]
    n = "n" if noun.endswith(("el", "er")) else "en"
    forms = (noun, f"{noun}e", f"{noun}{n}", f"{noun}s", f"{umlaut}e", f"{umlaut}er")
    return dict(zip(PATTERNS, forms, strict=True))


def _not_too_alike(nouns: Iterable[str]) -> Iterator[str]:
    """At most `ALIKE` of those that end alike."""
    ends: Counter[str] = Counter()
    for noun in nouns:
        end = noun[-3:].lower()
        ends[end] += 1
        if ends[end] <= ALIKE:
            yield noun


def _example(noun: str, pattern: str) -> Example:
    identity = f"noun-{noun}"
    forms = forms_of(noun)
    options = [forms[shown] for shown in options_for(pattern, PATTERNS, identity)]
    question = Question(id=identity, text=f'What is the plural of the German noun "{noun}"?', choices=tuple(options))
    return Example(question=question, answer=forms[pattern])


TASK = GermanPlural
