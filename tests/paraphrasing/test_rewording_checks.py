"""What a rewording must be, and where it stands in a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.paraphrasing.checks import Original, normalized
from w2s.paraphrasing.prompt import prompt_for, wording_of

SUM = Original(text="Ann has 12 pens and buys two more. How many pens has she?")
RIVER = Original(text="Which of these is a river in Peru?", options=("Amazon", "Rhine", "river"))


@pytest.mark.parametrize(
    ("original", "wording", "fault"),
    [
        (SUM, "With her 12 pens Ann buys 2 more: how many has she now?", None),
        (SUM, "With her dozen pens Ann buys two more: how many has she now?", None),
        (SUM, " ?! ", "empty"),
        (SUM, "ann has 12 pens; and buys two more -- how many pens has she", "the question again"),
        (SUM, "So 12 pens and 2: how many?", "too short"),
        (SUM, "Ann owns 12 pens, " + "really owns them, " * 9 + "and buys 2. How many?", "too long"),
        (SUM, "Ann has some pens and buys two more. How many are there?", "a number missing"),
        (SUM, "Ann has 12 pens and buys 2 more, 14 in all. How many?", "a number added"),
        (SUM, "Ann has 12 pens, buys two. What is your answer: how many?", "an answer"),
        (SUM, "Sorry, I can't help with 12 pens and 2 more of them.", "refused"),
        (SUM, "As an AI, I cannot count 12 pens and two more.", "refused"),
        (SUM, "Ann has 12 pens and buys two: how many? (I kept all numbers.)", "a remark besides"),
        (RIVER, "Where in Peru is a river of these? Which one?", None),
        (RIVER, "Is the Amazon, of these, a river in Peru?", "an option named"),
        (Original(text="The capital of Peru is"), "Peru's own capital is", None),
        (Original(text="The capital of Peru is"), "What is Peru's capital?", "another end"),
        (Original(text="The capital of Peru is"), "The capital that Peru has", "another end"),
        (Original(text="What is the capital of Peru"), "Peru: name its capital", None),
        (Original(text="The ____ flows through Peru."), "Through Peru flows the ____.", None),
        (Original(text="The ____ flows through Peru."), "Through Peru flows the river.", "a blank missing or added"),
    ],
)  # fmt: skip
def test_each_fault_has_its_reason(original: Original, wording: str, fault: str | None) -> None:
    assert original.fault(wording) == fault


def test_a_rewording_that_was_there_before_is_none() -> None:
    wording = "With her 12 pens Ann buys 2 more: how many has she now?"
    assert SUM.fault(wording.upper(), {normalized(wording)}) == "another rewording again"


def test_the_bounds_of_the_length_are_allowed_themselves() -> None:
    original = Original(text="abcd efgh.", shortest=0.5, longest=1.5)
    faults = {length: original.fault("x" * (length - 1) + ".") for length in (4, 5, 15, 16)}
    assert faults == {4: "too short", 5: None, 15: None, 16: "too long"}


@given(st.text(min_size=1, max_size=80))
def test_a_text_never_passes_as_its_own_rewording(text: str) -> None:
    assert Original(text=text).fault(text) in ("the question again", "empty")


@pytest.mark.parametrize(
    ("reply", "wording"),
    [
        (" How many pens? ", "How many pens?"),
        ('"How many pens?"', "How many pens?"),
        ("In other words: How many  pens?", "How many pens?"),
        ("Reworded question: “How many pens?”", "How many pens?"),
        ("Here it is in other words:\n\nHow many pens?", "How many pens?"),
        ("Here's the question in other words: How many pens?", "How many pens?"),
        ("**In other words:** How many pens?", "How many pens?"),
        ("**Reworded question**: How many pens?", "How many pens?"),
        ("Sure! How many pens?", "How many pens?"),
        ("Sure, here it is: How many pens?", "How many pens?"),
        ("<think>Pens?</think>How many pens?", "How many pens?"),
        ('"Pens" are what "Ann" has', '"Pens" are what "Ann" has'),
        ("How many pens?\nThe answer is 14.", None),
        ("", ""),
    ],
)
def test_the_rewording_in_a_reply(reply: str, wording: str | None) -> None:
    assert wording_of(reply, "Ann has 12 pens. How many?") == wording


@pytest.mark.parametrize(
    ("reply", "original", "wording"),
    [
        ("New York: which river is there?", "Which river is in New York?", "New York: which river is there?"),
        ("Other lands: which?", "Which other lands?", "Other lands: which?"),
        ("New version: Which river?", "What river?", "Which river?"),
        ("The other wording: Which river?", "What river?", "Which river?"),
        ("Rephrased: Which river?", "What river?", "Which river?"),
        ("Text: Which river?", "Text: what river?", "Text: Which river?"),
        ("Text: Which river?", "What river?", "Which river?"),
    ],
)
def test_only_a_label_is_taken_off_and_none_that_the_text_has_itself(reply: str, original: str, wording: str) -> None:
    assert wording_of(reply, original) == wording


@given(st.text(max_size=60), st.integers(0, 20))
def test_a_prompt_holds_the_text_and_each_sample_asks_otherwise(text: str, sample: int) -> None:
    prompt = prompt_for(text, "question", sample)
    assert f"Question: {' '.join(text.split())}\nIn other words:" in prompt
    assert prompt != prompt_for(text, "question", sample + 1)


def test_a_story_is_called_a_story() -> None:
    assert "Say the story in other words" in prompt_for("I left.", "story", 0) and "\nStory: I left.\n" in prompt_for(
        "I left.", "story", 0
    )
