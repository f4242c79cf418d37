"""The numbers of a text: the same however they are written, and never lost, changed or added unnoticed."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.paraphrasing.numerals import numbers_in

SMALL = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
TENS = ["ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    if number < 20:
        return SMALL[number]
    if number < 100:
        return TENS[number // 10 - 1] + (f"-{SMALL[number % 10]}" if number % 10 else "")
    for size, word in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            joint = " and " if 0 < rest < 100 else " "
            return f"{in_words(number // size)} {word}" + (joint + in_words(rest) if rest else "")
    raise AssertionError


NUMBERS = st.integers(2, 10**7)
WRITTEN = st.sampled_from([str, in_words, lambda number: f"{number:,}", lambda number: f"${number}.00"])


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[int], list[str]]:
    """Numbers, and a sentence around each."""
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=5))
    return numbers, [f"Ann packs {draw(WRITTEN)(number)} pens for the fair." for number in numbers]


@given(NUMBERS, WRITTEN)
def test_a_number_is_the_same_in_digits_and_in_words(number: int, written: object) -> None:
    assert callable(written)
    assert numbers_in(f"There are {written(number)} cups.").certain == {Fraction(number): 1}


@given(sentences(), st.randoms(use_true_random=False))
def test_the_order_of_sentences_changes_nothing_and_each_number_counts_as_often_as_it_is_named(
    given: tuple[list[int], list[str]], rng: object
) -> None:
    numbers, lines = given
    text = numbers_in(" ".join(lines))
    rng.shuffle(lines)  # type: ignore[attr-defined]
    assert text == numbers_in(" ".join(lines)) and text.certain == Counter(map(Fraction, numbers))


@given(sentences(), st.data())
def test_a_number_that_is_lost_repeated_or_changed_is_noticed(
    given: tuple[list[int], list[str]], data: st.DataObject
) -> None:
    numbers, lines = given
    whole = numbers_in(" ".join(lines))
    at = data.draw(st.integers(0, len(lines) - 1))
    without = numbers_in(" ".join(lines[:at] + lines[at + 1 :]))
    twice = numbers_in(" ".join([*lines, lines[at]]))
    other = numbers_in(" ".join([*lines[:at], f"Ann packs {numbers[at] + 1} pens for the fair.", *lines[at + 1 :]]))
    one = Counter([Fraction(numbers[at])])
    assert (whole.missing_in(without), whole.added_by(without)) == (one, Counter())
    assert (whole.missing_in(twice), whole.added_by(twice)) == (Counter(), one)
    assert whole.missing_in(other) == one and whole.added_by(other) == Counter([Fraction(numbers[at] + 1)])
    assert not whole.missing_in(whole) and not whole.added_by(whole)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("twelve hundred and 1.2 thousand", ["1200", "1200"]),
        ("1½ cups, 1 1/2 cups, one and a half cups", ["3/2"] * 3),
        ("two-thirds of it, 2/3 of it", ["2/3"] * 2),
        ("a third of the third row", ["1/3", "3"]),
        ("half of it, half a dozen, 3 dozen, a dozen", ["1/2", "6", "36", "12"]),
        ("on the twenty-first and the 22nd", ["21", "22"]),
        ("twice or double or 2 times", ["2"] * 3),
        ("it was -5, minus 5, negative five; 10 minus 5", ["-5", "-5", "-5", "10", "5"]),
        ("from 20-30, at 10:30, 5kg and 8%", ["20", "30", "10", "30", "5", "8"]),
        ("a 3-year-old; five and six; two, three", ["3", "5", "6", "2", "3"]),
        ("dozens of them, hundreds more", []),
    ],
)
def test_numbers_by_hand(text: str, values: list[str]) -> None:
    assert numbers_in(text).certain == Counter(map(Fraction, values))


def test_a_name_with_digits_is_kept_as_a_name() -> None:
    assert numbers_in("Vitamin B12").certain == {"b12": 1}
    assert numbers_in("Vitamin B12").missing_in(numbers_in("Vitamin 12")) == {"b12": 1}


@pytest.mark.parametrize(
    ("question", "rewording", "is_kept"),
    [
        ("One egg is 2 cents.", "1 egg is two cents.", True),
        ("One egg is 2 cents.", "An egg is two cents.", False),
        ("Which one costs 2?", "Which costs two?", True),
        ("Ann has 2 cats.", "Ann has a couple of cats.", True),
        ("He came second of 9.", "He came 2nd of 9.", True),
        ("A colony has 10⁶ cells.", "There are 10^6 cells in a colony.", True),
        ("A colony has 10⁶ cells.", "There are 106 cells in a colony.", False),
        ("It is 10⁻² m long.", "It is 10-2 m long.", False),
        ("It blinks every 2 seconds.", "It blinks every second.", False),
        ("It moves 2 litres per minute.", "Per second, it moves so many litres.", False),
        ("It lasts half an hour.", "It lasts 30 minutes.", False),
        ("Ann has 3 and Bob 3.", "Ann and Bob have 3 each.", False),
        ("Ann has 3.", "Ann has 3. So 3 and 3 are 6.", False),
    ],
)
def test_what_is_kept_by_hand(question: str, rewording: str, is_kept: bool) -> None:
    asked, said = numbers_in(question), numbers_in(rewording)
    assert (not asked.missing_in(said) and not asked.added_by(said)) == is_kept


@given(st.text(max_size=200))
def test_any_text_at_all_has_numbers_that_it_keeps_itself(text: str) -> None:
    found = numbers_in(text)
    assert not found.missing_in(found) and not found.added_by(found)
