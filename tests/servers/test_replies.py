"""What is read from a reply, and which letter it chose."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.servers.replies import Reply, UnreadableReplyError, letter_logprobs, reply_from

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


SILENT = [reply(), reply(("Well", {"Well": -0.1, "A": -2.0})), reply(("A", {})), reply(("B", {"B": -0.1}))]


@pytest.mark.parametrize("said", SILENT)
def test_where_no_letter_is_named_nothing_is_known(said: Reply) -> None:
    assert letter_logprobs(said, LETTERS, named="A") is None


@given(st.dictionaries(st.text(max_size=3), st.floats(-50, 0), min_size=1, max_size=20), st.sampled_from(LETTERS))
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
    tops: Any = {"A": -0.5, "B": None}
    if api == "chat":
        place = {"token": "A", "top_logprobs": [{"token": name, "logprob": value} for name, value in tops.items()]}
        choice: dict[str, Any] = {"message": {"content": "A"}, "logprobs": {"content": [place]}}
    else:
        choice = {"text": "A", "logprobs": {"tokens": ["A"], "top_logprobs": [tops]}}
    assert reply_from(api, {"choices": [choice]}).places == [("A", [("A", -0.5)])]
