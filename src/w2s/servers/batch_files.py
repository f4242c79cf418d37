"""Requests in a file, as batch services and `vllm run-batch` read them, and what comes back.

A line of requests: `{"custom_id", "method", "url", "body"}`; of responses: `{"custom_id", "response", "error"}`.
The custom id is the request's key, so a response finds its request whatever the order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s.errors import InputError
from w2s.files import written_beside
from w2s.servers.replies import Reply, UnreadableReplyError, message_of, refused_by_filter, reply_from
from w2s.servers.requests import PATHS, Request

__all__ = ["Responses", "read_responses", "write_requests"]

_MOST_REQUESTS, _MOST_BYTES = 50_000, 200_000_000  # of one file, as the services take it


def write_requests(requests: Iterator[Request], path: Path) -> dict[Path, int]:
    """Write requests into a file, and into more (`NAME-2.jsonl`, …) where one would be too large.

    Args:
        requests: Of one model.
        path: Of the first file.

    Returns:
        How many requests each file has.

    Raises:
        InputError: The file is there and holds something else, or files of an earlier time stand beside it.
    """
    _check_own(path)
    if (old := path.with_name(f"{path.stem}-2{path.suffix}")).exists():
        raise InputError(f"{old} is there from another time: move it and those after it away, or choose another name")
    lines = map(_line, requests)
    written: dict[Path, int] = {}
    line = next(lines, None)
    while line is not None:
        number = len(written) + 1
        part = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        with written_beside(part) as file:
            count = size = 0
            while line is not None and count < _MOST_REQUESTS and size + len(line) <= _MOST_BYTES:
                file.write(line)
                count, size, line = count + 1, size + len(line), next(lines, None)
            if not count:
                raise InputError(f"a request of {len(line or b'')} bytes: batch services take files of {_MOST_BYTES}")
        written[part] = count
    return written


def _check_own(path: Path) -> None:
    """Make sure that what would be written over are requests."""
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        first = file.readline(_MOST_BYTES)
    try:
        own = {"custom_id", "method", "url", "body"} <= set(json.loads(first))
    except (ValueError, TypeError):
        own = False
    if not own:
        raise InputError(f"{path} is there, and its first line is no request: expected a name for a new file")


def _line(request: Request) -> bytes:
    url = f"/v1{PATHS[request.api]}"
    line = {"custom_id": request.key, "method": "POST", "url": url, "body": dict(request.body)}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode()


@dataclass
class Responses:
    """What a file of responses holds.

    Attributes:
        replies: By the key of their request.
        problems: What is wrong with the other lines, and with how many.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)


def read_responses(path: Path) -> Responses:
    """Read what a batch service gave back, its file of errors included.

    Raises:
        InputError: There is no such file, or a line is no response.
    """
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    found = Responses()
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                line = json.loads(raw)
                key = line["custom_id"]
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{path}, line {number}: expected a response of a batch service, {{custom_id, response}}"
                ) from None
            reply = _reply(line)
            if isinstance(reply, str):
                found.problems[reply] += 1
                continue
            found.problems["are refused or empty"] += not reply.is_answer
            if not reply.has_known_finish:
                found.problems[f"ended by {reply.finish!r}: taken as whole"] += 1
            before = found.replies.setdefault(str(key), reply)
            if before is not reply:
                found.problems["are there twice: the first answer counts"] += 1
                found.replies[str(key)] = before if before.is_answer else reply
    return found


def _reply(line: dict[str, Any]) -> Reply | str:
    """The reply in a line, or what is wrong with it."""
    response = line.get("response")
    if not isinstance(response, dict):
        return "failed"
    status, body = response.get("status_code", 200), response.get("body")
    if status not in (200, "200") or line.get("error"):
        said = json.dumps([body, line.get("error")], ensure_ascii=False)
        if refused_by_filter(status, said):
            return Reply(text=message_of(body) or said, finish="refusal")
        return f"failed with status {status}"
    try:
        is_chat = isinstance(body, dict) and "message" in body["choices"][0]
        return reply_from("chat" if is_chat else "completion", body)
    except (UnreadableReplyError, KeyError, IndexError, TypeError):
        return "cannot be read"
