"""Requests answered within the limits of what they may cost, which is said before the first is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from w2s.errors import InputError
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered
from w2s.servers.client import Client, Limits, secret_of
from w2s.servers.requests import Request

__all__ = ["have_answered"]

logger = logging.getLogger(__name__)


def have_answered(
    requests: Callable[[], Iterator[Request]],
    execution: Mapping[str, Any],
    answered: Answered,
    progress: Progress = no_progress,
) -> None:
    """Have a server answer requests; what that is and about costs is said before.

    Args:
        requests: Those of one model that are not answered, anew each time that it is called.
        execution: `url`, `key_env`, and `limits`: the fields of `Limits`.
        answered: Where each reply is kept.
        progress: Is told the replies that came and the replies in all.

    Raises:
        InputError: They are too many or cost too much, or the server does not answer; see `Client.ask`.
    """
    limits = Limits(**execution["limits"])
    count = tokens_in = tokens_out = 0
    model = ""
    for request in requests():
        model = str(request.body["model"])
        count, tokens_in, tokens_out = count + 1, tokens_in + request.tokens_in, tokens_out + request.tokens_out
    if not count:
        return
    asks = f"{count} requests to {model!r} at {execution['url']}"
    about = f"about {tokens_in} tokens in and {tokens_out} out at most"
    cost = limits.cost(tokens_in, tokens_out)
    if limits.max_requests and count > limits.max_requests:
        raise InputError(f"{asks}, max_requests is {limits.max_requests}: nothing was asked")
    if limits.max_cost and not cost:
        raise InputError("max_cost says nothing without price_in and price_out, of a million tokens each")
    if limits.max_cost and cost > limits.max_cost:
        raise InputError(f"{asks}, {about}: about {cost:.2f}, max_cost is {limits.max_cost:g}: nothing was asked")
    logger.info("%s, %s%s", asks, about, f": {cost:.2f} at most" if cost else "")
    client = Client(execution["url"], secret_of(execution["key_env"]), limits, answered)
    bill = client.ask(requests(), total=count, progress=progress)
    spent = limits.cost(bill.tokens_in, bill.tokens_out)
    counted = f": {spent:.2f}" if spent else ""
    logger.info("%d replies, %d tokens in and %d out%s", bill.replies, bill.tokens_in, bill.tokens_out, counted)
