from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks import Example, load_task
from w2s.tasks.german_plural import ALIKE, PATTERNS, Entry, GermanPlural, forms_of, nouns_by_pattern


@cache
def examples() -> dict[str, Example]:
    return {example.question.id.removeprefix("noun-"): example for example in load_task("german-plural").examples()}


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("Wort", ["Wort", "Worte", "Worten", "Worts", "Wörte", "Wörter"]),
        ("Haus", ["Haus", "Hause", "Hausen", "Hauss", "Häuse", "Häuser"]),
        ("Hammer", ["Hammer", "Hammere", "Hammern", "Hammers", "Hämmere", "Hämmerer"]),
        ("Uhr", []),  # a capital vowel
        ("Fenster", []),
        ("Boot", []),  # neither o alone
        ("Zeug", []),  # nor eu
        ("Lampe", []),
        ("U-Bahn", []),
    ],
)
def test_forms_follow_the_patterns_where_all_of_them_can(noun: str, forms: list[str]) -> None:
    assert list(forms_of(noun).values()) == forms


def entry(noun: str, *plurals: str, kind: str = "Substantiv") -> Entry:
    return Entry(noun, kind, frozenset(plurals))


def test_a_noun_goes_to_the_pattern_of_its_only_plural() -> None:
    entries = [
        entry("Wagner", "Wagner"),
        entry("Hund", "Hunde"),
        entry("Zeitung", "Zeitungen"),
        entry("Muskel", "Muskeln"),
        entry("Club", "Clubs"),
        entry("Ball", "Bälle"),
        entry("Buch", "Bücher"),
    ]
    expected = [{"Wagner"}, {"Hund"}, {"Zeitung", "Muskel"}, {"Club"}, {"Ball"}, {"Buch"}]
    found = nouns_by_pattern(entries)
    assert {pattern: set(nouns) for pattern, nouns in found.items()} == dict(zip(PATTERNS, expected, strict=True))


@pytest.mark.parametrize(
    "entries",
    [
        [entry("Bank", "Banken"), entry("Bank", "Bänke")],
        [entry("Block", "Blocks", "Blöcke")],
        [entry("Durst")],
        [entry("Vater", "Väter")],  # an umlaut alone is no pattern of ours
        [entry("Klaus", "Klause", kind="Substantiv,Vorname")],
    ],
)
def test_a_noun_without_one_plural_by_a_pattern_is_left_out(entries: list[Entry]) -> None:
    assert not any(nouns_by_pattern(entries).values())


@given(st.permutations([entry(f"{letter}und", f"{letter}unde") for letter in "BFHKMPRSW"]))
def test_the_order_of_the_entries_changes_nothing(entries: list[Entry]) -> None:
    assert nouns_by_pattern(entries) == nouns_by_pattern(sorted(entries))


def test_of_nouns_that_end_alike_there_are_not_too_many() -> None:
    rows = [
        entry(f"{chr(65 + first)}{chr(97 + second)}hund", f"{chr(65 + first)}{chr(97 + second)}hunde")
        for first in range(26)
        for second in range(26)
    ]
    assert len(nouns_by_pattern(rows)["-e"]) == ALIKE


def test_the_questions_are_as_mixed_as_the_package_allows() -> None:
    ends = Counter(
        (forms_of(noun) and noun[-3:].lower(), list(forms_of(noun).values()).index(str(example.answer)))
        for noun, example in examples().items()
    )
    assert max(ends.values()) <= ALIKE


def test_plurals_are_those_of_the_dictionary() -> None:
    answers = {noun: str(example.answer) for noun, example in examples().items()}
    assert all(answers[noun] in forms_of(noun).values() for noun in answers)
    assert not {"Bank", "Mutter"} & set(answers)


def test_a_question_is_the_same_wherever_it_is_made() -> None:
    # Fixed on purpose: results on this task are comparable between machines and releases.
    question = examples()["Kunstwort"].question
    assert question.text == 'What is the plural of the German noun "Kunstwort"?'
    assert question.choices == ("Kunstworts", "Kunstworten", "Kunstwörter", "Kunstwort")


def test_a_package_without_its_list_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "german_nouns").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(InputError, match=r"task german-plural: package german_nouns has no nouns\.csv: pip install"):
        GermanPlural.make_examples()
