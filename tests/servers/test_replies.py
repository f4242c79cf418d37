"""What is read from a reply, and which letter it chose."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.servers.replies import Reply, UnreadableReplyError, letter_logprobs, likeliest_letter, reply_from

LETTERS = ["A", "B", "C", "D"]


def reply(*places: tuple[str, dict[str, float]]) -> Reply:
    return Reply(text="", finish="stop", places=[(token, list(tops.items())) for token, tops in places])


def test_tokens_that_are_the_same_letter_are_summed_and_absent_letters_get_the_least() -> None:
    tops = {" A": math.log(0.5), "A": math.log(0.1), "(B": math.log(0.2), "The": math.log(0.05)}
    found = letter_logprobs(reply((" A", tops)), LETTERS, named="A")
    assert found == pytest.approx([math.log(p) for p in (0.6, 0.2, 0.05, 0.05)])


def test_the_letter_may_come_after_a_few_words() -> None:
    said = reply(("The", {"The": -0.1, "A": -3.0}), (" answer:", {" answer:": -0.1}), ("▁C", {"▁C": -0.2, "▁D": -2.0}))
    assert letter_logprobs(said, LETTERS, named="C") == pytest.approx([-2.0, -2.0, -0.2, -2.0])


def test_a_word_that_is_a_letter_is_not_the_answer() -> None:
    said = reply(("A", {"A": -0.1, "B": -3.0}), (" closer", {" closer": -0.1}), (" C", {" C": -0.2, " A": -2.0}))
    assert letter_logprobs(said, LETTERS, named="C") == pytest.approx([-2.0, -2.0, -0.2, -2.0])


@pytest.mark.parametrize(
    "tokens",
    [
        ["A", ".", " A", " dog"],
        ["A.", " A", " dog"],
        ["**", "A", "**", "\n", "A", " is", " right"],
        ["The", " answer", " is", " A", ")", " Vitamin", " A", "."],
    ],
)
def test_a_letter_in_the_options_own_words_is_not_the_answer(tokens: list[str]) -> None:
    """Where it is copied the model is certain, however unsure it was of the letter."""
    answer = next(place for place, token in enumerate(tokens) if token.strip(" .") == "A")
    unsure, certain = {"A": -1.2, "B": -1.3, "C": -1.4}, {"A": -0.001, "B": -9.0}
    said = reply(*((token, unsure if place == answer else certain) for place, token in enumerate(tokens)))
    assert letter_logprobs(said, LETTERS, named="A") == pytest.approx([-1.2, -1.3, -1.4, -1.4])


def test_a_content_in_parts_is_its_text_without_what_is_none() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "A?"}]}, {"type": "text", "text": "B"}]
    assert reply_from("chat", {"choices": [{"message": {"content": parts}}]}).text == "B"


def test_half_a_character_can_be_kept() -> None:
    """Proxies cut texts of two halves a character; no file could hold the rest."""
    content = [{"token": "\ud83d", "top_logprobs": [{"token": "\ud83d", "logprob": -1.0}]}]
    choice = {"message": {"content": "ok \ud83d"}, "logprobs": {"content": content}}
    found = reply_from("chat", {"choices": [choice]})
    assert found.text == "ok ?" and found.places[0][0] == "?"
    found.text.encode()


SILENT = [reply(), reply(("Well", {"Well": -0.1, "A": -2.0})), reply(("A", {})), reply(("B", {"B": -0.1}))]


@pytest.mark.parametrize("said", SILENT)
def test_where_no_letter_is_named_nothing_is_known(said: Reply) -> None:
    assert letter_logprobs(said, LETTERS, named="A") is None


@pytest.mark.parametrize("tops", [{" B": -0.1}, {" B": -0.1, " A": math.nan}, {" B": -0.1, "x": -math.inf}])
def test_one_token_alone_is_the_answer_and_has_no_probabilities(tops: dict[str, float]) -> None:
    said = reply((" B", tops))
    assert likeliest_letter(said, LETTERS) == "B"
    assert letter_logprobs(said, LETTERS) is None and letter_logprobs(said, LETTERS, named="B") is None


def test_a_letter_that_is_not_listed_is_never_the_likeliest() -> None:
    assert likeliest_letter(reply(("The", {"The": -0.1, " C": -3.0})), LETTERS) == "C"
    assert likeliest_letter(reply((" B", {" B": -1.0, "B": -1.1, " A": -0.9, "x": -5.0})), LETTERS) == "B"
    assert likeliest_letter(reply(("The", {"The": -0.1, "x": -3.0})), LETTERS) is None
    assert likeliest_letter(reply(), LETTERS) is None


@given(st.dictionaries(st.text(max_size=3), st.floats(-50, 0), min_size=2, max_size=20), st.sampled_from(LETTERS))
def test_no_letter_is_impossible_or_more_than_certain(tops: dict[str, float], chosen: str) -> None:
    total = math.log(sum(math.exp(value) for value in tops.values()))
    tops = {token: value - max(total, 0.0) for token, value in tops.items()}
    found = letter_logprobs(reply((chosen, tops)), LETTERS, named=chosen)
    assert found is not None and len(found) == 4
    assert all(math.isfinite(value) and value < 1e-6 for value in found)


def test_both_forms_of_both_apis_are_read_alike() -> None:
    content = {"content": [{"token": "A", "top_logprobs": [{"token": "A", "logprob": -0.1}]}]}
    lists = {"tokens": ["A"], "top_logprobs": [{"A": -0.1}]}
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    chat = {"choices": [{"message": {"content": "A"}, "finish_reason": "stop", "logprobs": content}], "usage": usage}
    old = {"choices": [{"text": "A", "finish_reason": "stop", "logprobs": lists}], "usage": usage}
    new = {"choices": [{"text": "A", "finish_reason": "stop", "logprobs": content}], "usage": usage}
    assert reply_from("chat", chat) == reply_from("completion", old) == reply_from("completion", new)


@pytest.mark.parametrize(
    "data",
    [None, [], "x", {}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": [{"message": None}]},
     {"choices": [{"message": {"content": 3}}]}, {"choices": [{"message": {"content": "a"}}], "usage": []},
     {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"tok": 1}]}}]}],
)  # fmt: skip
def test_what_is_no_reply_is_refused_or_read_as_far_as_it_goes(data: Any) -> None:
    try:
        assert reply_from("chat", data).text == "a"
    except UnreadableReplyError as error:
        assert "\n" not in str(error)


def test_a_prompt_that_is_continued_is_answered_by_its_first_token() -> None:
    said = reply(("", {"": -0.1, " B": -2.0, " A": -4.0, "\n": -5.0}), (" A", {" A": -0.1}))
    assert letter_logprobs(said, LETTERS) == pytest.approx([-4.0, -2.0, -5.0, -5.0])
    assert letter_logprobs(reply(("x", {"x": -0.1}), (" A", {" A": -0.1})), LETTERS) is None


@pytest.mark.parametrize("api", ["chat", "completion"])
def test_a_token_of_no_known_probability_is_left_out(api: Any) -> None:
    tops: Any = {"A": -0.5, "B": None, "C": math.nan, "D": "-1"}
    if api == "chat":
        place = {"token": "A", "top_logprobs": [{"token": name, "logprob": value} for name, value in tops.items()]}
        choice: dict[str, Any] = {"message": {"content": "A"}, "logprobs": {"content": [place]}}
    else:
        choice = {"text": "A", "logprobs": {"tokens": ["A"], "top_logprobs": [tops]}}
    assert reply_from(api, {"choices": [choice]}).places == [("A", [("A", -0.5)])]


@pytest.mark.parametrize(
    ("told", "finish", "is_known"),
    [
        ("model_length", "length", True),
        ("MAX_TOKENS", "length", True),
        ("model_context_window_exceeded", "length", True),
        ("end_turn", "end_turn", False),
        ("tool_calls", "tool_calls", False),
        ({"type": "x"}, "{'type': 'x'}", False),
        ("stop", "stop", True),
    ],
)
def test_an_end_that_is_unknown_is_cut_off_or_whole_by_its_word(told: Any, finish: str, is_known: bool) -> None:
    found = reply_from("completion", {"choices": [{"text": "A", "finish_reason": told}]})
    assert (found.text, found.finish, found.has_known_finish) == ("A", finish, is_known)


@pytest.mark.parametrize("told", ["error", "abort"])
def test_an_answer_in_which_the_server_failed_is_none(told: str) -> None:
    with pytest.raises(UnreadableReplyError, match=f"it ended by '{told}'"):
        reply_from("completion", {"choices": [{"text": "A", "finish_reason": told}]})


@pytest.mark.parametrize(("tokens", "finish"), [(9, "stop"), (10, "length"), (None, "stop")])
def test_an_end_that_is_not_told_is_a_cut_where_the_answer_is_as_long_as_it_may_be(
    tokens: int | None, finish: str
) -> None:
    data = {"choices": [{"text": "half a", "finish_reason": None}], "usage": {"completion_tokens": tokens}}
    assert reply_from("completion", data, max_tokens=10).finish == finish


def test_of_several_choices_the_one_of_index_0_counts() -> None:
    choices = [{"text": "second", "index": 1}, {"text": "first", "index": 0}]
    assert reply_from("completion", {"choices": choices}).text == "first"
    assert reply_from("completion", {"choices": choices[:1]}).text == "second"


def test_tokens_that_are_no_number_make_no_reply_unreadable() -> None:
    found = reply_from(
        "completion", {"choices": [{"text": "A"}], "usage": {"prompt_tokens": "7", "completion_tokens": -1}}
    )
    assert (found.text, found.tokens_in, found.tokens_out) == ("A", 0, 0)
