"""A server with every fault: all answers in the end, nothing asked twice that was answered."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from support.asked import KEY, ask, requests, status
from support.faulty import Fault, FaultyServer, Handler, serving
from w2s.errors import InputError
from w2s.servers import client
from w2s.servers.answered import Answered
from w2s.servers.client import Bill
from w2s.servers.requests import RequestTemplate

pytestmark = pytest.mark.usefixtures("soon")


def hang(handler: Handler, body: dict[str, Any]) -> bool:
    time.sleep(1.0)
    return True


def cut(handler: Handler, body: dict[str, Any]) -> bool:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True
    return True


def trickle(handler: Handler, body: dict[str, Any]) -> bool:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)
    return True


PASSING = {
    "429": [status(429)] * 6,
    "429 that says when": [status(429, retry_after="0.2")] * 3,
    "429 with a date": [status(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")] * 3,
    "500 in a burst": [status(500)] * 12,
    "503": [status(503, b"<html>busy</html>")] * 4,
    "hangs": [hang] * 2,
    "cut connections": [cut] * 4,
    "trickles": [trickle] * 2,
    "broken JSON": [status(200, b'{"choices": [{"mess')] * 4,
    "another form": [status(200, ["no"])] * 2,
    "no choice": [status(200, {"choices": []})] * 4,
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("api", ["chat", "completion"])
def test_all_is_answered_once_whatever_goes_wrong_between(faults: list[Fault], api: str, answered: Answered) -> None:
    wanted = requests(30, api=api)
    with serving(FaultyServer(faults=faults)) as server:
        bill = ask(server, answered, wanted)
        assert bill.replies == 30 and not bill.no_answers
        assert set(server.asked.values()) == {1} and len(server.asked) == 30
        assert all(request.key in answered for request in wanted)
        assert ask(server, answered, wanted).replies == 0 and server.requests <= 30 + len(faults) + 8


def test_after_a_429_everybody_waits(answered: Answered) -> None:
    times: list[float] = []

    def note(handler: Handler, body: dict[str, Any]) -> bool:
        times.append(time.monotonic())
        return False

    faults = [status(429, retry_after="0.6"), *[note] * 40]
    with serving(FaultyServer(faults=faults)) as server:
        ask(server, answered, requests(20), concurrency=4)
    assert times[3] - times[2] > 0.5  # three were under way when the first was told


def test_no_more_are_under_way_than_allowed_and_fewer_after_an_overload(answered: Answered) -> None:
    with serving(FaultyServer(seconds=0.02)) as server:
        ask(server, answered, requests(60), concurrency=5)
        assert server.most == 5


def test_a_rate_is_kept(answered: Answered) -> None:
    with serving(FaultyServer()) as server:
        began = time.monotonic()
        ask(server, answered, requests(11), requests_per_minute=600)
        assert time.monotonic() - began >= 0.95


FATAL = {
    "wrong key": (
        status(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}),
        "answers 401: Incorrect API",
    ),
    "wrong model": (status(404, {"error": {"message": "no model m"}}), r"answers 404: no model m; .* serve 'm'\?"),
    "too long": (
        status(400, {"error": {"message": "context length exceeded"}}),
        "answers 400: context length exceeded",
    ),
    "elsewhere": (status(301, location="http://127.0.0.1/"), "answers 301"),
    "no money": (status(429, {"error": {"message": "pay", "code": "insufficient_quota"}}), "answers 429: pay"),
}


@pytest.mark.parametrize(("fault", "said"), FATAL.values(), ids=FATAL.keys())
def test_what_would_be_refused_again_is_one_line_at_once(fault: Fault, said: str, answered: Answered) -> None:
    with serving(FaultyServer(faults=[None] * 5 + [fault] * 100)) as server:
        with pytest.raises(InputError, match=said) as raised:
            ask(server, answered, requests(50), concurrency=2, key=KEY)
        assert "\n" not in str(raised.value) and KEY not in str(raised.value)
        assert server.requests <= 5 + 2
    kept = sum(request.key in answered for request in requests(50))
    assert 3 <= kept <= 5


def test_a_server_that_is_gone_is_given_up_and_goes_on_later(
    answered: Answered, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "_FIRST_PATIENCE", 0.3)
    with serving(FaultyServer()) as server:
        ask(server, answered, requests(10))
    with (
        caplog.at_level(logging.INFO, "w2s"),
        pytest.raises(InputError, match=r"has answered nothing for .* run it again"),
    ):
        ask(server, answered, requests(30))
    assert caplog.text.count("it is tried again, for ") == 1
    with serving(FaultyServer()) as server:
        assert ask(server, answered, requests(30)).replies == 20


def test_one_request_that_always_fails_leaves_the_others_answered(answered: Answered) -> None:
    def poison(handler: Handler, body: dict[str, Any]) -> bool:
        if "Question 7?" not in str(body):
            return False
        handler.reply(500, {"error": {"message": "poison"}})
        return True

    with serving(FaultyServer(faults=[poison] * 1000, seconds=0.05)) as server:
        with pytest.raises(
            InputError, match="did not answer 1 of 40 requests: it answers 500: poison; the others are kept"
        ):
            ask(server, answered, requests(40), concurrency=2, patience=0.4)
        assert len(server.asked) == 39 and set(server.asked.values()) == {1}


@pytest.mark.parametrize("content", [None, "", "  "])
def test_an_empty_answer_is_counted_and_asked_again(content: str | None, answered: Answered) -> None:
    reply = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    with serving(FaultyServer(faults=[status(200, reply)])) as server:
        bill = ask(server, answered, requests(3), concurrency=1)
        assert bill.no_answers == 1 and bill.replies == 3
        assert requests(3)[0].key not in answered and requests(3)[1].key in answered
        assert ask(server, answered, requests(3)).replies == 1, "it is asked again"


REFUSALS = [
    status(200, {"choices": [{"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}]}),
    status(200, {"choices": [{"message": {"content": "I"}, "finish_reason": "content_filter"}]}),
    status(400, {"error": {"message": "no", "code": "content_filter"}}),
    status(400, {"error": {"message": "Invalid prompt: flagged as against our policy", "code": "invalid_prompt"}}),
    status(403, {"error": {"message": "Your chosen model requires moderation and your input was flagged"}}),
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_kept_as_none(refusal: Fault, answered: Answered) -> None:
    with serving(FaultyServer(faults=[refusal])) as server:
        assert ask(server, answered, requests(2), concurrency=1).no_answers == 1
        reply = answered.get(requests(2)[0].key)
        assert reply is not None and reply.finish == "refusal" and reply.text
        assert requests(2)[0].key not in answered


@pytest.mark.parametrize(("gives", "without"), [("few", []), ("never", ["logprobs", "top_logprobs"])])
@pytest.mark.parametrize("api", ["chat", "completion"])
def test_a_server_that_refuses_logprobs_is_asked_otherwise(
    gives: str, without: list[str], api: str, answered: Answered
) -> None:
    with serving(FaultyServer(logprobs=gives)) as server:
        ask(server, answered, requests(12, api=api), concurrency=4)
        assert len(server.asked) == 12 and server.requests <= 12 + 4 * 2
        last = answered.get(requests(12, api=api)[-1].key)
        assert last is not None and list(last.without) == without and bool(last.places) == (gives == "few")


@pytest.mark.parametrize(
    ("code", "said", "without"),
    [
        (400, "Requested sample logprobs of 20, which is greater than max allowed: 5", []),
        (422, "`top_n_tokens` must be >= 0 and <= 5. Given: 20", []),
        (403, "You are not allowed to request logprobs from this model", ["logprobs", "top_logprobs"]),
        (400, "Logprobs is not enabled for models/some", ["logprobs", "top_logprobs"]),
    ],
)
def test_refusals_of_logprobs_in_other_services_words_are_understood(
    code: int, said: str, without: list[str], answered: Answered
) -> None:
    def refuses(handler: Handler, body: dict[str, Any]) -> bool:
        if body.get("top_logprobs", 0) <= 5 if not without else "logprobs" not in body:
            return False
        handler.reply(code, {"error": {"message": said}})
        return True

    with serving(FaultyServer(faults=[refuses] * 20)) as server:
        ask(server, answered, requests(2), concurrency=1)
        last = answered.get(requests(2)[-1].key)
        assert last is not None and list(last.without) == without


def test_a_server_that_hung_up_is_there_and_is_waited_for(answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is loaded behind a proxy lets the first requests fall."""
    monkeypatch.setattr("w2s.servers.client._FIRST_PATIENCE", 0.2)

    def hangs_up(handler: Handler, body: dict[str, Any]) -> bool:
        time.sleep(0.3)
        handler.close_connection = True
        return True

    with serving(FaultyServer(faults=[hangs_up] * 2)) as server:
        assert ask(server, answered, requests(3), concurrency=1, patience=20).replies == 3


def test_an_error_that_repeats_the_request_changes_no_other(answered: Answered) -> None:
    def echo(handler: Handler, body: dict[str, Any]) -> bool:
        handler.reply(400, {"error": {"message": "no such thing"}, "request": body, "note": "logprobs unsupported"})
        return True

    with serving(FaultyServer(faults=[None, echo])) as server:
        with pytest.raises(InputError, match="answers 400: no such thing"):
            ask(server, answered, requests(5), concurrency=1)
        ask(server, answered, requests(5))
        assert all("logprobs" in body and "temperature" in body for body in server.bodies)


ERRORS = [
    {"error": {"message": "busy", "code": 429}},
    {"choices": [{"message": {"content": "A"}, "finish_reason": "error"}]},
    {"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}], "error": {"message": "halfway"}},
]


@pytest.mark.parametrize("content", ERRORS)
def test_an_error_with_the_status_of_a_success_is_none(content: Any, answered: Answered) -> None:
    with serving(FaultyServer(faults=[status(200, content)] * 2)) as server:
        assert ask(server, answered, requests(4)).replies == 4 and set(server.asked.values()) == {1}


def test_what_came_is_kept_when_another_request_ends_the_run(
    answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = answered.put

    def slow(replies: Any) -> None:
        time.sleep(0.05)
        put(replies)

    monkeypatch.setattr(answered, "put", slow)
    faults: list[Fault | None] = [*[None] * 25, status(401)]
    with serving(FaultyServer(faults=faults, seconds=0.005)) as server:
        with pytest.raises(InputError, match="answers 401"):
            ask(server, answered, requests(60), concurrency=8)
        kept = sum(request.key in answered for request in requests(60))
        assert kept >= 25 - 8 and kept >= len(server.asked) - 8


@pytest.mark.parametrize("told", ["inf", "nan", "soon", "-3"])
def test_a_retry_after_that_is_no_time_is_none(told: str, answered: Answered) -> None:
    with serving(FaultyServer(faults=[status(429, retry_after=told)])) as server:
        assert ask(server, answered, requests(4)).replies == 4


def test_a_pause_beyond_all_patience_is_said(answered: Answered) -> None:
    said = "asks to come back in 86400 s, beyond the patience"
    later = status(429, retry_after="86400")
    with serving(FaultyServer(faults=[later])) as server, pytest.raises(InputError, match=said):
        ask(server, answered, requests(4))


def test_a_model_that_takes_max_completion_tokens_gets_them(answered: Answered) -> None:
    def newer(handler: Handler, body: dict[str, Any]) -> bool:
        if "max_tokens" in body or body.get("temperature") == 0:
            field = "max_tokens" if "max_tokens" in body else "temperature"
            handler.reply(400, {"error": {"message": f"Unsupported parameter: '{field}'"}})
            return True
        return False

    asking = RequestTemplate(
        service="s", model="m", api="chat", letters=True, temperature=0.0, max_new_tokens=5,
        extra={"max_completion_tokens": 2000},
    )  # fmt: skip
    request = asking.request("Which?")
    assert "max_tokens" not in request.body and request.tokens_out == 2000  # what max_cost counts
    with serving(FaultyServer(faults=[newer] * 20)) as server:
        ask(server, answered, requests(2), concurrency=1)
        assert {"max_tokens", "temperature"} & server.bodies[0].keys() == set()
        assert server.bodies[0]["max_completion_tokens"] == 10


@pytest.mark.parametrize("url", ["http://nobody.invalid/v1", "http://127.0.0.1:1/v1", "http://[bad/v1"])
def test_an_address_that_nobody_answers_is_one_line(
    url: str, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_FIRST_PATIENCE", 0.1)
    with pytest.raises(InputError) as raised:
        ask(FaultyServer(url=url), answered, requests(3))
    assert "\n" not in str(raised.value) and url in str(raised.value)


def test_it_asks_in_a_loop_that_is_running(answered: Answered) -> None:
    import asyncio

    async def in_a_notebook(server: FaultyServer) -> Bill:
        return ask(server, answered, requests(3))

    with serving(FaultyServer()) as server:
        assert asyncio.run(in_a_notebook(server)).replies == 3
