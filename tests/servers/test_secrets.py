"""A server's key: sent, said nowhere, and kept nowhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from support.asked import KEY, ask, requests, status
from support.faulty import FaultyServer, serving
from w2s.errors import InputError
from w2s.servers.answered import Answered
from w2s.servers.client import Client, Limits
from w2s.servers.secrets import secret_of

pytestmark = pytest.mark.usefixtures("soon")

SLASHED = "sk-secret/0123+456=789"
REPEATS = {
    "an answer": (200, {"choices": [{"message": {"content": f"A, {SLASHED}"}, "finish_reason": "stop"}]}),
    "a refusal": (200, {"choices": [{"message": {"refusal": f"No, {SLASHED}"}, "finish_reason": "stop"}]}),
    "a model": (200, {"model": SLASHED, "choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]}),
    "an end": (200, {"choices": [{"message": {"content": "A"}, "finish_reason": SLASHED}]}),
    "escaped as JSON": (401, SLASHED.replace("/", "\\/").encode()),
    "escaped by number": (401, SLASHED.replace("+", "\\u002B").encode()),
    "quoted as in an address": (401, quote(SLASHED, safe="").encode()),
}


@pytest.mark.parametrize("key", ["two\nlines", "a key", "schlüssel", "‘quoted’"])
def test_what_cannot_be_a_key_is_refused_without_a_word_of_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAD_KEY", key)
    with pytest.raises(InputError, match="what BAD_KEY holds is no key") as raised:
        secret_of("BAD_KEY")
    assert key not in str(raised.value) and repr(key)[1:-1] not in str(raised.value)


def test_a_key_is_sent_and_written_nowhere(
    answered: Answered, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", f" {KEY}\n")
    echoes = status(500, {"error": {"message": f"what is {KEY}?"}})
    with caplog.at_level(logging.DEBUG), serving(FaultyServer(faults=[echoes] * 3, key=KEY)) as server:
        ask(server, answered, requests(10), key=secret_of("THE_KEY"))
        assert len(server.asked) == 10
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "***" in caplog.text and KEY not in caplog.text
    assert KEY not in repr(Client(server.url, KEY, Limits(), answered))


@pytest.mark.parametrize("repeats", REPEATS.values(), ids=REPEATS.keys())
def test_a_key_that_a_server_repeats_is_neither_kept_nor_said(
    repeats: tuple[int, Any], answered: Answered, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = ""
    with caplog.at_level(logging.DEBUG), serving(FaultyServer(faults=[status(*repeats)])) as server:
        try:
            ask(server, answered, requests(1), key=SLASHED)
        except InputError as error:
            said = str(error)
    reply = answered.get(requests(1)[0].key)
    assert "***" in said + caplog.text + (f"{reply.text} {reply.model}" if reply else "")
    assert "0123" not in said + caplog.text
    assert not any(b"0123" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_short_key_that_a_server_repeats_is_not_kept(answered: Answered, tmp_path: Path) -> None:
    with serving(FaultyServer(answer=lambda prompt: "A, s3cret")) as server:
        ask(server, answered, requests(1), key="s3cret")
    reply = answered.get(requests(1)[0].key)
    assert reply is not None and reply.text == "A, ***"
    assert not any(b"s3cret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_what_is_too_short_for_a_secret_is_left_in_answers(answered: Answered) -> None:
    with serving(FaultyServer(answer=lambda prompt: "EMPTY")) as server:
        ask(server, answered, requests(1), key="EMPTY")
    reply = answered.get(requests(1)[0].key)
    assert reply is not None and reply.text == "EMPTY"


def test_a_key_that_is_not_set_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(InputError, match="NO_KEY, which is not set"):
        secret_of("NO_KEY")
    assert secret_of(None) is None


@pytest.mark.parametrize("key", [KEY, "hf_abcdefghijklmnop", "0123456789abcdef"])
def test_a_key_in_place_of_its_variables_name_is_not_repeated(key: str) -> None:
    with pytest.raises(InputError, match="expected a name such as MY_KEY") as raised:
        secret_of(key)
    assert key not in str(raised.value)
