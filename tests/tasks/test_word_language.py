from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.tasks import Example, load_task
from w2s.tasks.word_language import own_words


@cache
def examples() -> dict[str, Example]:
    return {example.question.id.removeprefix("word-"): example for example in load_task("word-language").examples()}


def test_words_are_from_their_languages() -> None:
    answers = {"zeitraum": "German", "perquè": "Catalan", "siitä": "Finnish", "olarak": "Turkish", "tylko": "Polish"}
    assert {word: examples()[word].answer for word in answers} == answers


@pytest.mark.parametrize(
    "word",
    [
        "importante",  # Spanish, Italian and Portuguese
        "eller",  # Danish and Swedish
        "dobrý",  # Polish has "dobry"
        "computer",  # English
        "paris",
        "maar",  # too short
    ],
)
def test_a_word_of_two_languages_or_of_english_or_a_short_one_is_not_asked_about(word: str) -> None:
    assert word not in examples()


def test_words_are_letters_in_lower_case() -> None:
    for word in examples():
        assert len(word) >= 5
        assert word.isalpha()
        assert not word.isupper()
        assert f'"{word}"' in examples()[word].question.text


def test_a_question_is_the_same_wherever_it_is_made() -> None:
    # Fixed on purpose: results on this task are comparable between machines and releases.
    question = examples()["perquè"].question
    assert (question.id, question.text) == ("word-perquè", 'Which language is the word "perquè" from?')
    assert question.choices == ("Danish", "Romanian", "Catalan", "Hungarian")


def test_words_that_differ_in_accents_only_are_one_word_to_two_languages() -> None:
    lists = {
        "es": ["cuando", "canción", "países", "importante", "a1234", "tren"],
        "pt": ["canções", "paises", "quando", "importante"],
        "pl": ["było", "byłoby", "dobry"],
        "cs": ["bylo", "byloby", "dobrý"],
    }
    assert own_words(lists) == {
        "es": ["cuando", "canción"],
        "pt": ["canções", "quando"],
        "pl": ["byłoby"],  # ł is a letter, not an l with an accent
        "cs": ["byloby"],
    }


WORDS = st.lists(st.text("aábcç", min_size=5, max_size=6), unique=True, max_size=12)


@given(st.dictionaries(st.sampled_from(["aa", "bb", "cc"]), WORDS), st.randoms())
def test_the_order_of_the_lists_changes_nothing_but_the_order_of_the_words(
    lists: dict[str, list[str]], rng: object
) -> None:
    own = own_words(lists)
    assert {code: set(words) for code, words in own_words(dict(reversed(lists.items()))).items()} == {
        code: set(words) for code, words in own.items()
    }
    for code, words in own.items():
        assert [word for word in lists[code] if word in words] == words  # the commonest stay first


@given(st.dictionaries(st.sampled_from(["aa", "bb", "cc"]), WORDS))
def test_a_word_that_a_list_keeps_is_in_no_other_list(lists: dict[str, list[str]]) -> None:
    for code, words in own_words(lists).items():
        others = {word for other, listed in lists.items() if other != code for word in listed}
        assert not others & set(words)
