"""Replies on disk: there after a kill, once each, and said to be damaged where they are."""

from __future__ import annotations

import json
import multiprocessing
import random
import sqlite3
import time
from pathlib import Path

import pytest

from support.faulty import FaultyServer, serving
from w2s.errors import InputError
from w2s.servers.answered import Answered
from w2s.servers.client import Client, Limits
from w2s.servers.replies import Reply
from w2s.servers.requests import RequestTemplate


def asks(url: str, folder: Path, count: int, concurrency: int) -> None:
    """Have what is not answered yet answered, in a process that may be killed."""
    asking = RequestTemplate(service="s", model="m", api="chat", letters=True, temperature=0.0, max_new_tokens=1)
    answered = Answered(folder)
    requests = [asking.request(f"Question {number}?") for number in range(count)]
    left = [request for request in requests if request.key not in answered]
    Client(url, None, Limits(concurrency=concurrency), answered).ask(iter(left), total=len(left))


def test_a_kill_costs_the_requests_that_were_under_way_at_most(tmp_path: Path) -> None:
    kills, count, concurrency, dice = 20, 800, 4, random.Random(0)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["pytest", "httpx2", "w2s.servers.client"])
    with serving(FaultyServer(seconds=0.01)) as server:
        for killed in range(kills + 1):
            process = processes.Process(target=asks, args=(server.url, tmp_path, count, concurrency))
            before = server.requests
            process.start()
            while process.is_alive() and server.requests == before:
                time.sleep(0.005)
            process.join(dice.uniform(0.0, 0.1) if killed < kills else 60)
            if killed < kills:
                assert process.is_alive(), "there is something left to ask"
                process.kill()
                process.join()
        assert process.exitcode == 0
        assert count <= server.requests <= count + kills * concurrency


def test_the_first_reply_stays_and_other_processes_see_it(tmp_path: Path) -> None:
    one, other = Answered(tmp_path), Answered(tmp_path)
    one.put({"k": Reply(text="A", finish="stop", places=[("A", [("A", -0.5)])])})
    other.put({"k": Reply(text="B", finish="stop")})
    found = other.get("k")
    assert found is not None and found.text == "A" and "k" in one and "l" not in other and other.get("l") is None
    assert [(token, [tuple(top) for top in tops]) for token, tops in found.places] == [("A", [("A", -0.5)])]


def test_a_refusal_is_there_to_be_read_and_makes_room_for_an_answer(tmp_path: Path) -> None:
    answered = Answered(tmp_path)
    answered.put({"k": Reply(text="no", finish="refusal")})
    found = answered.get("k")
    assert found is not None and found.text == "no" and "k" not in answered
    answered.put({"k": Reply(text="A", finish="stop")})
    answered.put({"k": Reply(text="no", finish="refusal")})
    found = answered.get("k")
    assert found is not None and found.text == "A" and "k" in answered


def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "answered.sqlite"
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"answered\.sqlite is damaged .* move it away"):
        Answered(tmp_path)
    assert file.read_bytes() == b"no database at all" * 100


DAMAGE = [
    "replace(reply, 'Lima', 'Lina')",
    """replace(reply, '"text"', '"tixt"')""",
    """replace(reply, '"text"', '"text')""",
    "(SELECT reply FROM replies WHERE key = 'other')",
    "CAST(x'ff' AS TEXT)",
    "x'00'",
    "7",
    "''",
]


@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_reply_is_said_and_asked_again_and_the_others_stay(
    tmp_path: Path, damage: str, asked_before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    answered = Answered(tmp_path)
    answered.put({"k": Reply(text="Lima", finish="stop"), "other": Reply(text="Quito", finish="stop")})
    answered.close()
    with sqlite3.connect(tmp_path / "answered.sqlite") as database:
        database.execute(f"UPDATE replies SET reply = {damage} WHERE key = 'k'")
    again = Answered(tmp_path)
    if not asked_before:
        again.put({"k": Reply(text="Lima", finish="stop")})
    assert ("k" in again) is not asked_before
    assert "answered.sqlite: a reply in it was damaged and is removed; request k has none" in caplog.text
    again.put({"k": Reply(text="Lima", finish="stop")})
    found, other = again.get("k"), again.get("other")
    assert found is not None and found.text == "Lima" and other is not None and other.text == "Quito"


def test_replies_of_a_version_without_hashes_are_parsed(tmp_path: Path) -> None:
    Answered(tmp_path).close()
    with sqlite3.connect(tmp_path / "answered.sqlite") as database:
        reply = json.dumps({"text": "Lima", "finish": "stop"})
        database.execute("INSERT INTO replies VALUES ('k', ?, 1), ('broken', '{', 1)", (reply,))
    found = Answered(tmp_path).get("k")
    assert found is not None and found.text == "Lima"
    assert Answered(tmp_path).get("broken") is None


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        Answered(tmp_path / "file" / "cache")
