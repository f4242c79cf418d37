"""What replies cost: counted whether they can be read or not, and held within limits."""

from __future__ import annotations

from typing import Any

import pytest

from support.asked import ask, ended_by, requests, status
from support.faulty import FaultyServer, Handler, serving
from w2s.errors import InputError
from w2s.servers.answered import Answered

pytestmark = pytest.mark.usefixtures("soon")


def test_costs_are_counted_and_an_end_is_an_end(answered: Answered) -> None:
    with serving(FaultyServer()) as server:
        bill = ask(server, answered, requests(10))
        assert (bill.tokens_in, bill.tokens_out) == (20, 10)
        with pytest.raises(InputError, match=r"answers cost .*, max_cost is 2e-05: they are kept"):
            ask(server, answered, requests(500), max_cost=2e-5, price_in=1.0, concurrency=1)
        assert server.requests < 30


@pytest.mark.parametrize(("finish", "kept"), [("end_turn", "end_turn"), ("model_length", "length")])
def test_an_answer_that_ends_by_an_unknown_word_is_not_asked_again(
    finish: str, kept: str, answered: Answered, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(FaultyServer(finish=finish)) as server:
        bill = ask(server, answered, requests(10), max_requests=10)
        assert (bill.replies, bill.wasted, bill.tokens_in, server.requests) == (10, 0, 20, 10)
    reply = answered.get(requests(1)[0].key)
    assert reply is not None and (reply.text[0] in "ABCD", reply.finish) == (True, kept)
    assert caplog.text.count(f"its replies end by '{finish}': they are taken as whole") == (kept == finish)


def test_what_was_paid_for_and_cannot_be_read_is_billed(answered: Answered) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    with serving(FaultyServer(faults=[ended_by("error", usage=usage)] * 2)) as server:
        bill = ask(server, answered, requests(10))
    assert (bill.replies, bill.wasted, bill.tokens_in, bill.tokens_out) == (10, 2, 20 + 200, 10 + 14)


def test_what_was_paid_for_and_cannot_be_read_counts_against_the_limits(answered: Answered) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    with serving(FaultyServer(faults=[ended_by("error", usage=usage)] * 100)) as server:
        with pytest.raises(InputError, match=r"did not answer 8 of 8 .* by 'error'; max_requests is 10; the others"):
            ask(server, answered, requests(8), max_requests=10)
        assert server.requests == 10
    with serving(FaultyServer(faults=[ended_by("error", usage=usage)] * 100)) as server:
        with pytest.raises(
            InputError, match=r"0 answers and 3 replies that cannot be read cost .*, max_cost is 0\.00025"
        ):
            ask(server, answered, requests(8), max_cost=2.5e-4, price_in=1.0, concurrency=1)
        assert server.requests == 3


@pytest.mark.parametrize(("choices", "wasted"), [({"choices": [{"message": {"content": "A"}}]}, 2), ({}, 0)])
def test_an_error_that_comes_with_an_answer_is_billed(choices: Any, wasted: int, answered: Answered) -> None:
    halfway = status(200, {**choices, "error": {"message": "halfway"}, "usage": {"prompt_tokens": 100}})
    with serving(FaultyServer(faults=[halfway] * 2)) as server:
        bill = ask(server, answered, requests(3), concurrency=1)
    assert (bill.replies, bill.wasted, bill.tokens_in) == (3, wasted, 6 + 100 * wasted)
    if wasted:
        with serving(FaultyServer(faults=[halfway] * 9)) as server:
            with pytest.raises(InputError, match="3 replies that cannot be read cost"):
                ask(server, answered, requests(5), concurrency=1, max_cost=2.5e-4, price_in=1.0)
            assert server.requests == 3


def test_one_request_that_is_paid_for_in_vain_is_given_up(answered: Answered) -> None:
    def poison(handler: Handler, body: dict[str, Any]) -> bool:
        return "Question 0?" in str(body) and ended_by("error")(handler, body)

    with serving(FaultyServer(faults=[poison] * 1000, seconds=0.05)) as server:
        with pytest.raises(InputError, match="did not answer 1 of 40 requests: its reply cannot be read"):
            ask(server, answered, requests(40), concurrency=2)
        assert server.requests < 39 + 15 and len(server.asked) == 39


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_what_a_server_does_not_count_is_estimated(
    usage: Any, answered: Answered, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = requests(4)
    with serving(FaultyServer(faults=[ended_by("stop", usage=usage)] * 4)) as server:
        bill = ask(server, answered, wanted)
    assert bill.tokens_in == sum(request.tokens_in for request in wanted)
    assert bill.tokens_out == sum(request.tokens_out for request in wanted) == 40
    assert caplog.text.count("does not count the tokens of its replies") == 1


def test_half_an_answer_whose_end_is_not_told_is_cut_off(answered: Answered) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 10}
    with serving(
        FaultyServer(faults=[status(200, {"choices": [{"message": {"content": "A"}}], "usage": usage})])
    ) as server:
        ask(server, answered, requests(1))
    reply = answered.get(requests(1)[0].key)
    assert reply is not None and reply.finish == "length"
