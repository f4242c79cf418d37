from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.tasks.numbers import as_number, first_number, said_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        (" 42.", "42"),
        ("$1,234", "1234"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("−3 degrees", "-3"),
        ("18.00", "18"),
        ("18.50 dollars", "18.5"),
        ("007", "7"),
        ("-0", "0"),
        (".5", "0.5"),
        ("12,345,678 people", "12345678"),
        ("10 - that is 5 less", "10"),
        ("10\n- 5 less", "10"),
        ("5 apples and 3 pears", "5"),
        ("100%", "100"),
        ("none", None),
        ("", None),
        (r"**\$7{,}250**", "7250"),
        (r"\boxed{8\,100}", "8100"),
        ("4\u202f600 km", "4600"),
        ("–8 (below zero)", "-8"),
        ("-US$6.20", "-6.2"),
        ("EUR 70", "70"),
        ("2.5e2", "250"),
        ("4E−2", "0.04"),
        (r"1.2 \times 10^{3}", "1200"),
        ("6×10⁴", "60000"),
        ("7/8", "0.875"),
        ("2 / 3 of them", "2/3"),
        ("10/4 = 2.5", "2.5"),
        ("3 1/2 hours", "3.5"),
        ("2½", "2.5"),
        (r"-\frac{1}{8}", "-0.125"),
        ("36oz of it", "36"),
        ("a 5-year-old", "5"),
        ("x=5", "5"),
        ("9 T-shirts", "9"),
        ("160 quarters", "160"),
        ("$10 and a drink", "10"),
        ("6,000/1,200 months", "5"),
        ("18. The total is 18.", "18"),
        ("3 times a day", "3"),
        ("20% of it", "20"),
        ("5 hours", "5"),
    ],
)
def test_the_first_number_has_one_spelling(text: str, number: str | None) -> None:
    assert first_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "1,2", "2,75", "1.234,56", "1.234.567", "1 234", "1'234", "1_234", "1,00,000", "7:45", "2.0.1", "3/4/2024",
        "2 million", "4 Billion", "$10k", "3M", "4 hundredths", "2 and a half", "2 and one-third", "2-1/2",
        "3 quarters", "1 half", "5 dozen",
        "10-5 = 5", "5-7", "8 – 10 days", "2024-05-01", "6 + 3 = 9", "$6 - $2", "4×5", "4 x 5", r"3 \times 4",
        "10²", "10^6", "2**5", "0x1F", "1e400", "1e2.5", "2π", "√16", r"\sqrt{16}", r"\frac{3x}{4}", "3/0", "٣٫١",
        "20% of 50 = 10", "20 percent of the 50 pens", "5 times 3 = 15", "70 minus 20 is 50", "5 more than 3 is 8",
        "3 or 4", "3 to 4", "Step 1: 5 + 3 = 8", "5 hours 30 minutes",
        "5 feet, 3 inches", "2 hours and a half", "half of 20 is 10", "twice 5 is 10", "not 5 but 6", "isn't 5",
        "5. Wait, 6", "5. No, it is 6.",
        "minus 7", "Negative 7", "- 7", "—7", "±7", "COVID-19", "H2O", "Rs.500", "9" * 1001,
    ],
)  # fmt: skip
def test_what_is_not_clearly_a_number_is_not_read_as_a_part_of_it(text: str) -> None:
    assert first_number(text) is None
    assert first_number(f"It is {text}, and 12.") is None


@pytest.mark.parametrize("text", ["1. First, 5 + 3 = 8", "1) First, add", "**1. First**, 5 + 3 = 8", "(1) First"])
def test_the_number_of_a_step_is_no_answer(text: str) -> None:
    assert first_number(text) is None
    assert first_number(f"So:\n{text}") is None


WRITINGS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: f"{text}.",
    lambda text: f" {text}\n",
    lambda text: f"${text}",
    lambda text: f"-${text[1:]}" if text[0] == "-" else f"£{text}",
    lambda text: f"{text} €",
    lambda text: f"{text}%",
    lambda text: f"{text} apples, not 3",
    lambda text: f"**{text}**",
    lambda text: rf"\({text}\)",
    lambda text: f"x = {text}",
    lambda text: text.replace("-", "−"),
    lambda text: text.replace("-", "–"),
    lambda text: text.replace("-", "minus "),
    lambda text: text.replace(",", "{,}"),
    lambda text: text.replace(",", r"\,"),
    lambda text: text.replace(",", "\u2009"),
    lambda text: text.replace(",", " "),
    lambda text: text.replace(",", "'"),
]


def same(parsed: str | None, number: Fraction) -> bool:
    return parsed is None or Fraction(parsed) == number


@given(number=st.integers() | st.decimals(-(10**9), 10**9, places=2), writing=st.sampled_from(WRITINGS))
def test_a_number_is_read_as_itself_or_not_at_all_however_it_is_written(number: object, writing: object) -> None:
    for plain in (f"{number}", f"{number:,}"):
        text = writing(plain)  # type: ignore[operator]
        assert same(first_number(text), Fraction(str(number))), text
        assert same(as_number(text), Fraction(str(number))), text
        assert same(said_number(f"The answer is {text}"), Fraction(str(number))), text


@given(number=st.integers() | st.decimals(-(10**6), 10**6, places=2))
def test_a_european_number_is_never_taken_for_a_part_of_it(number: object) -> None:
    text = f"{number:,}".replace(",", " ").replace(".", ",")
    assert same(first_number(text), Fraction(str(number)))
    assert same(first_number(f"{number}".replace(".", ",")), Fraction(str(number)))


@given(number=st.decimals(-(10**9), 10**9, places=3), style=st.sampled_from(["e", ".12e", ".15E"]))
def test_an_exponent_counts(number: object, style: str) -> None:
    text = f"{number:{style}}"
    assert same(first_number(text), Fraction(text))
    assert first_number(text) is not None


@given(st.fractions(), st.sampled_from(["{}/{}", "{} / {}", r"\frac{{{}}}{{{}}}", r"\dfrac{{{}}}{{{}}} of it"]))
def test_a_fraction_is_read_whole(number: Fraction, writing: str) -> None:
    sign = "-" if number < 0 else ""
    parsed = first_number(sign + writing.format(abs(number.numerator), number.denominator))
    assert parsed is not None and Fraction(parsed) == number


@given(st.integers())
def test_an_integer_is_read_however_it_is_written(number: int) -> None:
    assert first_number(f"{number}") == first_number(f"{number:,}") == first_number(f"{number}.00") == str(number)
    assert as_number(f"{number:,}") == str(number)


@given(st.integers() | st.decimals(-(10**9), 10**9) | st.fractions())
def test_what_was_read_is_read_again_as_the_same(number: object) -> None:
    parsed = first_number(str(number))
    assert parsed is None or first_number(parsed) == as_number(parsed) == parsed


@given(st.text() | st.text(alphabet="0123456789.,-/e^ $½{}\\x×"))
def test_reading_a_number_never_fails(text: str) -> None:
    first_number(text)
    as_number(text)
    said_number(f"answer: {text}")


def test_only_a_whole_number_is_a_number() -> None:
    assert as_number(" $1,000.0 ") == "1000"
    assert as_number("3 apples") is None
    assert as_number("1 2") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7 + 7 = 14\n#### 1,014", "1014"),
        ("First 3. Then 4. The answer is $7.50.", "7.5"),
        ("It has 3 legs.", None),
        (r"So the answer is \frac{9}{4}.", "2.25"),
        ("Answer: **–12**", "-12"),
        ("Answer-12", None),
        ("The answer is 9:30, that is 570 minutes", None),
        ("#### unknown\n5", None),
        ("####\n5\n6", "5"),
        ("#### Step 1\n3 pens\n#### 5", "5"),
        (r"The answer is \boxed{18}.", "18"),
        ("3 pens. **Answer:** 18", "18"),
        ("The answer is therefore x = 5", "5"),
        ("The answer to the question is 5, not 3", "5"),
        ("The answer is 5. Wait, the answer is 6.", None),
        ("The answer is 5. Wait, it is 6.", None),
        ("The answer is not 5 but 6", None),
        ("The wrong answer is 5", None),
        ("12 hours to answer 3 questions", None),
        ("24 answers * 2 points/answer = 48 points\n#### 66", "66"),
    ],
)
def test_the_said_number_follows_its_cue(text: str, number: str | None) -> None:
    assert said_number(text) == number
