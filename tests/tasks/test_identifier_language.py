from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks import Example, load_task
from w2s.tasks.identifier_language import LISTS, IdentifierLanguage, own_names


@cache
def examples() -> list[Example]:
    return list(load_task("identifier-language").examples())


def test_names_are_from_their_languages() -> None:
    answers = {example.question.text.split('"')[1]: example.answer for example in examples()}
    assert set(answers.values()) == set(LISTS)
    assert all(answer == "LilyPond" for name, answer in answers.items() if name.startswith("ly:"))
    assert {answer for name, answer in answers.items() if name.endswith(("_lpdf", "_lcdf"))} == {"Stan"}
    assert {answer for name, answer in answers.items() if name.startswith("imap_")} == {"PHP"}


def test_only_names_of_one_list_that_begin_no_other_are_asked_about() -> None:
    lists = {
        "ABL": ["MINI", "MINIM", "MINIMU", "MINIMUM", "GET-TEXT"],
        "PHP": ["array_diff", "array_diff_key", "strlen", "get-text", "_underscore", "5times"],
        "Stata": ["strlen", "abcd", "regress"],
    }
    found = {language: set(names) for language, names in own_names(lists).items()}
    assert found == {"ABL": {"MINIMUM"}, "PHP": {"array_diff_key"}, "Stata": {"regress"}}


NAMES = st.lists(st.text("abAB_", min_size=4, max_size=7), unique=True, max_size=12)


@given(st.dictionaries(st.sampled_from("XYZ"), NAMES))
def test_a_name_that_is_asked_about_is_in_one_list_whatever_the_case(lists: dict[str, list[str]]) -> None:
    for language, names in own_names(lists).items():
        others = {name.casefold() for other, listed in lists.items() if other != language for name in listed}
        assert set(names) <= set(lists[language])
        assert not others & {name.casefold() for name in names}


@given(st.permutations(["alpha", "beta_", "gamma", "delta", "epsilon"]))
def test_the_order_of_a_list_changes_nothing(names: list[str]) -> None:
    assert own_names({"X": names}) == own_names({"X": sorted(names)})


def test_a_question_is_the_same_wherever_it_is_made() -> None:
    # Fixed on purpose: results on this task are comparable between machines and releases.
    question = examples()[0].question
    assert question.text == 'Which programming language is the name "tickMax3" from?'
    assert question.choices == ("Objective-C", "Asymptote", "Macaulay2", "Stata")


def test_a_version_of_pygments_without_a_list_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LISTS, "PHP", (("_php_builtins", "FUNCTIONS"),))  # type: ignore[misc]
    with pytest.raises(InputError, match=r"this version of Pygments has no _php_builtins.FUNCTIONS; expected one like"):
        IdentifierLanguage.make_examples()
