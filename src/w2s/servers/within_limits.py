"""Requests answered within the limits of what they may cost, which is said before the first is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from w2s.errors import InputError
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered, Spent
from w2s.servers.client import Client, Limits, in_money
from w2s.servers.requests import Request
from w2s.servers.secrets import secret_of

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
        execution: `url`, `key_env`, `limits`: the fields of `Limits`, and `account`: the name of what is charged, whose
            limits they are.
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
    secret = secret_of(execution["key_env"])
    spent = answered.charge(execution["account"], count, cost)  # now, so that others who ask for it know
    before = Spent(spent.requests - count, spent.cost - cost)
    left = replace(
        limits,
        max_requests=limits.max_requests and limits.max_requests - before.requests,
        max_cost=limits.max_cost and limits.max_cost - before.cost,
    )
    client = Client(execution["url"], secret, left, answered)
    try:
        _check(limits, Spent(count, cost), before, asks, about)
        logger.info("%s, %s%s", asks, about, f": {in_money(cost)} at most" if cost else "")
        client.ask(requests(), total=count, progress=progress)
    finally:
        bill = client.bill
        counted = limits.cost(bill.tokens_in, bill.tokens_out)
        answered.charge(execution["account"], bill.replies + bill.wasted - count, counted - cost)
        if bill.replies or bill.wasted:
            told = f": {in_money(counted)}" if counted else ""
            told += f"; {bill.wasted} more came that cannot be read" if bill.wasted else ""
            logger.info("%d replies, %d tokens in and %d out%s", bill.replies, bill.tokens_in, bill.tokens_out, told)


def _check(limits: Limits, wanted: Spent, before: Spent, asks: str, about: str) -> None:
    """Refuse what goes beyond the limits, with what the account has spent before."""
    if limits.max_requests and before.requests + wanted.requests > limits.max_requests:
        asks += f" after {before.requests}" if before.requests else ""
        raise InputError(f"{asks}, max_requests is {limits.max_requests}: nothing was asked")
    if limits.max_cost and not wanted.cost:
        raise InputError("max_cost says nothing without price_in and price_out, of a million tokens each")
    if limits.max_cost and before.cost + wanted.cost > limits.max_cost:
        asks += f" after others for {in_money(before.cost)}" if before.cost else ""
        raise InputError(
            f"{asks}, {about}: about {in_money(wanted.cost)}, max_cost is {limits.max_cost:g}: nothing was asked"
        )
