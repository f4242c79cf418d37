"""A server on loopback that speaks the OpenAI protocol and has the faults that servers have."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Fault", "FaultyServer", "serving"]

LETTERS = "ABCD"

Fault = Callable[["Handler", dict[str, Any]], bool]
"""Does something to a request; whether that was all."""


@dataclass
class FaultyServer:
    """What it does, and what it saw.

    Attributes:
        faults: One is taken for each request, until there are no more: None answers well.
        answer: The text of an answer to a prompt.
        logprobs: Whether it gives log-probabilities: "yes", "few" (five at most), "no", or "never" (refuses them).
        finish: Why an answer ends.
        seconds: How long an answer takes.
        key: That it expects.
        url: Of the API.
        asked: How often each prompt was answered.
        most: Requests that were under way at once.
        bodies: Of the requests that were answered.
    """

    faults: Sequence[Fault | None] = ()
    answer: Callable[[str], str] = lambda prompt: LETTERS[hashlib.sha256(prompt.encode()).digest()[0] % 4]
    logprobs: str = "yes"
    finish: str = "stop"
    seconds: float = 0.0
    key: str | None = None
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    most: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0


def prompt_of(body: Mapping[str, Any]) -> str:
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: FaultyServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        state = self.state
        with state.lock:
            number, state.requests = state.requests, state.requests + 1
            state.under_way += 1
            state.most = max(state.most, state.under_way)
        try:
            if state.key is not None and self.headers.get("authorization") != f"Bearer {state.key}":
                return self.reply(401, {"error": {"message": f"wrong key {self.headers.get('authorization')}"}})
            fault = state.faults[number] if number < len(state.faults) else None
            if fault is not None and fault(self, body):
                return None
            return self.answer(body)
        finally:
            with state.lock:
                state.under_way -= 1

    def answer(self, body: dict[str, Any]) -> None:
        state, prompt = self.state, prompt_of(body)
        wanted = int(body.get("top_logprobs") or body.get("logprobs") or 0)
        if wanted and (state.logprobs == "never" or (state.logprobs == "few" and wanted > 5)):
            return self.reply(400, {"error": {"message": "top_logprobs: not supported, or too many"}})
        time.sleep(state.seconds)
        text = state.answer(prompt)
        choice: dict[str, Any] = {"index": 0, "finish_reason": state.finish}
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        if wanted and state.logprobs in ("yes", "few"):
            tops = [
                {"token": text, "logprob": -0.1},
                {"token": f" {text}", "logprob": -3.0},
                {"token": "x", "logprob": -9.0},
            ]
            choice["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": tops}]}
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": 1}
        self.reply(200, {"model": body["model"], "choices": [choice], "usage": usage})
        with state.lock:
            state.asked[prompt] += 1
            state.bodies.append(body)

    def reply(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that was killed


@contextmanager
def serving(state: FaultyServer) -> Iterator[FaultyServer]:
    """Serve until the block ends."""
    server = _Server(("127.0.0.1", 0), type("OwnHandler", (Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
