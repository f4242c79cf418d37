"""Requests to a faulty server, what its faults are made of, and experiments that ask one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.faulty import Fault, FaultyServer, Handler
from w2s.config import Experiment, TaskSpec, WeakSpec
from w2s.pipeline.graph import Graph
from w2s.servers.answered import Answered
from w2s.servers.client import Bill, Client, Limits
from w2s.servers.requests import Request, RequestTemplate

KEY = "sk-secret-0123456789"


def requests(count: int, *, letters: bool = True, api: Any = "chat", **given: Any) -> list[Request]:
    asking = RequestTemplate(
        service="s", model="m", api=api, letters=letters, temperature=0.0, max_new_tokens=9, **given
    )
    return [asking.request(f"Question {number}?") for number in range(count)]


def ask(server: FaultyServer, answered: Answered, wanted: Sequence[Request], **limits: Any) -> Bill:
    key = limits.pop("key", None)
    limits = {"concurrency": 8, "timeout": 0.5, "patience": 20.0, **limits}
    left = [request for request in wanted if request.key not in answered]
    return Client(server.url, key, Limits(**limits), answered).ask(iter(left), total=len(left))


def status(code: int, content: Any = None, **headers: str) -> Fault:
    def fault(handler: Handler, body: dict[str, Any]) -> bool:
        handler.reply(
            code, content or {"error": {"message": "too bad"}}, {k.replace("_", "-"): v for k, v in headers.items()}
        )
        return True

    return fault


def ended_by(finish: str, **more: Any) -> Fault:
    return status(200, {"choices": [{"message": {"content": "A"}, "finish_reason": finish}], **more})


def task(data: str, **fields: Any) -> TaskSpec:
    sizes = {"weak_train": 8, "transfer": 16, "test": 12}
    return TaskSpec(**{"name": "file", "data": data, "num_variations": 3, **sizes, **fields})


def weak(server: FaultyServer, **fields: Any) -> WeakSpec:
    return WeakSpec(**{"source": "server", "url": server.url, "name": "big", **fields})


def laid(experiment: Experiment) -> Any:
    return Graph(experiment).seed_runs[0].supervision
