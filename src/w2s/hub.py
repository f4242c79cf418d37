"""Whether the hub may be asked: a plan is made without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["may_ask_hub", "without_hub"]

_may_ask: ContextVar[bool] = ContextVar("may_ask_hub", default=True)


def may_ask_hub() -> bool:
    """False within `without_hub`."""
    return _may_ask.get()


@contextmanager
def without_hub() -> Iterator[None]:
    """Nothing is asked of the hub within: models and data that its local cache has not stay unknown.

    The hub's libraries read the environment when they are first imported; one that was imported within the block asks
    nothing later either.
    """
    before = os.environ.get("HF_HUB_OFFLINE")
    token = _may_ask.set(False)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        _may_ask.reset(token)
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before
