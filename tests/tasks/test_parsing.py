from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.tasks.parsing import first_line, parse_letter, parse_option

COUNTRIES = ["Niger", "Nigeria", "Guinea", "Equatorial Guinea"]
ENDINGS = ["A man walks away.", "continues the song", "I stop", "sits down."]


@pytest.mark.parametrize(
    "text",
    [
        "B", " B", "b", "(B)", "B.", "B)", "B:", "**B**", "B.\n\nQuestion: A", "B\nBecause A", "B) Nigeria",
        "B. Nigeria",
        "Answer: B", "answer: (b)", "The answer is B", "The answer is B.", "The correct option is B because it is",
        "Option B", "B because it is", "B - Nigeria", "Nigeria", "nigeria, of course", "I think it is Nigeria.",
    ],
)  # fmt: skip
def test_a_letter_is_read_in_every_usual_form(text: str) -> None:
    assert parse_letter(text, COUNTRIES) == 1


@pytest.mark.parametrize(
    "text", ["", "  ", "E", "Peru", "B or C", "B, C", "A or B", "B. Niger", "Niger or Nigeria", "?"]
)
def test_an_unclear_letter_is_not_read(text: str) -> None:
    assert parse_letter(text, COUNTRIES) is None


def test_answers_that_name_different_letters_are_not_read() -> None:
    assert parse_letter("Perhaps the answer is B. No, the answer is C.", COUNTRIES) is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B is wrong. The correct answer is D.", "D"),
        ("It is not C but A.", "A"),
        ("I would eliminate B and D. A.", "A"),
        ("It cannot be B; answer: C", "C"),
        ("Neither C nor D, so the answer is A", "A"),
        ("D is incorrect and B is correct", "B"),
        ("C is correct because D is impossible.", "C"),
        ("Between B and D, I pick D.", "D"),
        ("B is a large river. The answer is D.", "D"),
        ("B, C and D can be ruled out, leaving A.", "A"),
        ("A: incorrect. B: correct", "B"),
        ("(A) No. (B) No. (C) No. (D).", "D"),
        ("D, because neither A nor B is a state.", "D"),
        ("Answer: C. A and B are false.", "C"),
        ("The answer is C, A is wrong", "C"),
        ("Not sure, but D.", "D"),
        ("Niger isn't right. The answer is B.", "B"),
        ("Niger and Guinea are wrong. It is Nigeria.", "B"),
        ("I don't think it's B or C. D!", "D"),
        ("Option A is tempting, option C is correct.", "C"),
        ("B\n\nQuestion: which?\nAnswer: C", "B"),
        ("Nigeria\nAnswer: C", "B"),
        ("A. Niger\nB. Nigeria\nThe answer is B.", "B"),
        ("B. Nigeria\nQuestion: which?", "B"),
        ("A - no\nB - yes", "B"),
        ("answer: A. Wait, no, B.", "B"),
        ("The answer is B. Oh, sorry, no: C", "C"),
        ("A? No, B.", "B"),
        ("Niger? No. Nigeria.", "B"),
        ("A. No doubt.", "A"),
        ("B. Actually, no other option fits.", "B"),
        ("Nigeria? No doubt about it.", "B"),
        ("A. Oh, no problem.", "A"),
        ("(C): no further explanation.", "C"),
        ("C is it. Surely no, B is smaller.", "C"),
        ("I first thought A, but no, B.", "B"),
        ("It looks like A, no, B.", "B"),
        ("A was my guess; well no, B.", "B"),
        ("A. Actually, that was easy.", "A"),
        ("B - the largest", "B"),
        ("The incorrect option: B. The answer is C.", "C"),
        ("B is anything but right. So C.", "C"),
        ("Hardly B; the answer is C.", "C"),
        ("The answer is nothing but B.", "B"),
        ("I don't doubt it is B", "B"),
        ("C is actually larger than D, so C is correct.", "C"),
    ],
)
def test_a_letter_is_chosen_and_not_merely_mentioned(text: str, letter: str) -> None:
    assert parse_letter(text, COUNTRIES) == "ABCD".index(letter)


@pytest.mark.parametrize(
    "text",
    [
        "Not C.", "The answer isn't B.", "B is wrong.", "Not B, D.", "B is tempting, but D.", "The answer is B or D.",
        "D. No wait, the answer is B.", "C is wrong. The answer is C.", "I know nothing about B.", "Hm: A, B, C and D.",
        "It could be B, but it could be C.", "Neither A nor B", "Niger is incorrect.",
        "A. Niger\nB. Nigeria\nC. Guinea", "A) Niger\nB) Nigeria",
        "The answer is anything but B", "I doubt it is B", "I refuse to choose B", "The wrong answer is B",
        "The incorrect answer is B", "The least likely is Niger", "It is unlikely to be B", "All but B are wrong",
        "The answer is C. Actually, it's D.", "C. Hold on, it is D.", "So the answer is C. Wait, actually D.",
        "B. No wait, C", "B. No, C", "I first thought Niger, but it is Guinea.",
        "While Niger is tempting, Guinea is correct.",
    ],
)  # fmt: skip
def test_a_letter_that_is_only_mentioned_is_not_read(text: str) -> None:
    assert parse_letter(text, COUNTRIES) is None


RULING_OUT = [
    "{} is incorrect. ",
    "It isn't {}. ",
    "I would rule out {}. ",
    "Not {}; ",
    "{} cannot be right. ",
    "({}) No. ",
]
CHOOSING = ["The answer is {}.", "answer: ({})", "So {}.", "I choose option {}", "{} is correct."]


@given(
    st.permutations("ABCD"),
    st.lists(st.sampled_from(RULING_OUT), max_size=3),
    st.sampled_from(CHOOSING),
    st.sampled_from([COUNTRIES, ["1", "2", "3", "4"]]),
)
def test_what_is_ruled_out_before_changes_nothing(
    letters: list[str], ruled_out: list[str], choosing: str, options: list[str]
) -> None:
    chosen, *others = letters
    before = "".join(writing.format(letter) for writing, letter in zip(ruled_out, others, strict=False))
    assert parse_letter(before + choosing.format(chosen), options) == "ABCD".index(chosen)
    assert parse_letter(before, options) not in {"ABCD".index(letter) for letter in others[: len(ruled_out)]}


def test_an_option_that_is_taken_back_is_not_chosen() -> None:
    cities = ["Paris", "Lyon", "Rome"]
    assert parse_option("Paris? No. Lyon.", cities) == 1
    assert parse_option("Paris. Wait, no, Rome.", cities) == 2
    assert parse_option("Paris, no doubt.", cities) == 0
    assert parse_option("Lyon. Hmm, no.", cities) is None
    assert parse_option("Yes? No.", ["Yes", "No"]) == 0  # "No" is an option here, and no word of ours


def test_words_of_an_option_rule_nothing_out() -> None:
    options = ["It is wrong", "It is not wrong"]
    assert parse_letter("It is not wrong.", options) == parse_option("It is not wrong", options) == 1
    assert parse_letter("A: It is wrong", options) == 0
    assert parse_letter("B. No", ["Yes", "No"]) == 1


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("A man walks away.", 0),
        ("a man walks away", 0),
        ("A man sits", None),
        ("A dog barks at the door", None),
        ("The answer is a long story", None),
        ("I stop", 2),
        ("A", 0),
        ("A.", 0),
        ("A. continues", 0),
        ("B continues the song", 1),
        ("D sits down.", 3),
    ],
)
def test_the_article_a_is_not_the_letter_a(text: str, position: int | None) -> None:
    assert parse_letter(text, ENDINGS) == position


def test_the_article_is_told_from_the_letter_by_what_follows() -> None:
    options = ["continues the song", "A man walks away.", "sits", "runs"]
    assert parse_letter("A continues the song", options) == 0
    assert parse_letter("A man walks away.", options) == 1


def test_an_option_that_is_a_letter_is_chosen_by_its_place() -> None:
    blood_groups = ["O", "AB", "A", "B"]
    assert parse_letter(" A", blood_groups) == 0
    assert parse_letter("AB", blood_groups) == 1
    assert parse_letter("D. B", blood_groups) == 3


def test_an_option_of_one_character_that_is_no_letter_is_read_by_its_words() -> None:
    assert parse_letter("3", ["1", "2", "3", "E"]) == 2
    assert parse_letter("It is E.", ["1", "2", "3", "E"]) == 3


def test_a_letter_beyond_the_options_is_not_read() -> None:
    assert parse_letter("C", ["yes", "no"]) is None


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("Niger", 0),
        (" Nigeria", 1),
        ("NIGERIA!", 1),
        ("Equatorial  guinea.", 3),
        ("Guinea. Unlike Nigeria, it", 2),
        ("It must be Equatorial Guinea, not Guinea", 3),
        ("It is not Niger, it is Nigeria", 1),
        ("Niger is wrong, it is Nigeria", 1),
        ("Niger and Nigeria can be ruled out, so Guinea", 2),
        ("Guinea. Well, Guinea is wrong", None),
        ("Guinea-Bissau", None),
        ("Nigerien", None),
        ("Niger, Nigeria", None),
        ("either Niger or Nigeria", None),
        ("Peru", None),
        ("", None),
    ],
)
def test_an_option_is_read_by_its_words(text: str, option: int | None) -> None:
    assert parse_option(text, COUNTRIES) == option


@pytest.mark.parametrize(
    ("text", "option"),
    [("1", 0), ("1.5", 1), ("-1", 2), ("10", 3), ("11", None), ("-10", None), ("1.", 0), ("1,000", None)],
)
def test_a_number_is_not_read_out_of_another(text: str, option: int | None) -> None:
    assert parse_option(text, ["1", "1.5", "-1", "10"]) == option


@pytest.mark.parametrize("text", ["1/2", "2/1", "1 / 2", "1:2"])
def test_a_fraction_is_neither_of_its_numbers(text: str) -> None:
    assert parse_option(text, ["1", "2"]) is None


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("The review is not very positive.", "positive|negative"),
        ("It is not at all positive.", "positive|negative"),
        ("not quite negative", "positive|negative"),
        ("far from positive", "positive|negative"),
        ("It is hardly positive.", "positive|negative"),
        ("anything but positive", "positive|negative"),
        ("less than positive", "positive|negative"),
        ("I would not call it positive", "positive|negative"),
        ("no contradiction", "entailment|contradiction"),
        ("no spam", "spam|not spam"),
        ("The capital is not the city of London", "London|Paris"),
        ("The least likely is Paris", "London|Paris"),
        ("I first thought Paris, but it is London.", "London|Paris"),
        ("While Paris is tempting, London is correct.", "London|Paris"),
        ("Unlike Paris, London has a king.", "London|Paris"),
        ("Paris. Actually, London.", "London|Paris"),
    ],
)
def test_an_option_that_is_denied_or_given_up_is_not_read(text: str, options: str) -> None:
    assert parse_option(text, options.split("|")) is None


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("Positive without doubt", "positive"),
        ("There is no doubt it is positive", "positive"),
        ("Not very positive but negative", "negative"),
        ("Negative, not very positive", "negative"),
        ("It is positive, although negative in places.", "positive"),
    ],
)
def test_a_denial_reaches_no_further_than_its_option(text: str, option: str) -> None:
    assert parse_option(text, ["positive", "negative"]) == ["positive", "negative"].index(option)


def test_options_that_differ_in_case_only_are_told_apart_by_it() -> None:
    assert parse_option("Pp", ["PP", "Pp", "pp"]) == 1
    assert parse_option("It is pp, I think", ["PP", "Pp", "pp"]) == 2
    assert parse_option("pP", ["PP", "Pp", "pp"]) is None


OPTIONS = st.lists(st.text(min_size=1).map(str.strip).filter(bool), min_size=2, max_size=5, unique=True)


@given(OPTIONS)
def test_every_option_is_read_from_its_own_text(options: list[str]) -> None:
    assert [parse_option(f" {option}", options) for option in options] == list(range(len(options)))


@given(OPTIONS)
def test_every_place_is_read_from_its_own_letter(options: list[str]) -> None:
    assert [parse_letter(f" {letter}", options) for letter in "ABCDE"[: len(options)]] == list(range(len(options)))


@given(st.text(), OPTIONS)
def test_reading_never_fails(text: str, options: list[str]) -> None:
    assert parse_letter(text, options) in {None, *range(len(options))}
    assert parse_option(text, options) in {None, *range(len(options))}


def test_the_first_line_is_the_first_with_something_on_it() -> None:
    assert first_line("\n \n  one \ntwo") == "one"
    assert first_line(" \n") == ""
