"""What a server does not know of the protocol: it is asked otherwise from then on, and that is said."""

from __future__ import annotations

import logging
import re
from typing import Any

from w2s.servers.requests import Request

__all__ = ["Dialect"]

logger = logging.getLogger(__name__)

# What servers say of a field that they do not know, or of its value; a question may name fields as well.
_REFUSES = re.compile(
    r"unsupported|not support|unexpected|unknown|unrecogni|not permitted|not allowed|not available"
    r"|not implemented|not enabled|disabled|invalid|extra|must be|at most|less than|greater than|maximum|max allowed"
    r"|exceed|instead",
    re.IGNORECASE,
)
_FEWER_LOGPROBS = 5  # what the least generous servers give


class Dialect:
    """The changes to requests that a server has asked for by refusing them.

    Attributes:
        without: The fields that are not sent.
    """

    def __init__(self) -> None:
        self.without: list[str] = []
        self._fewer = False
        self._completion_tokens = False

    def apply(self, request: Request) -> dict[str, Any]:
        """A request's body as this server takes it."""
        body = {name: value for name, value in request.body.items() if name not in self.without}
        count = "top_logprobs" if request.api == "chat" else "logprobs"
        if self._fewer and count in body:
            body[count] = _FEWER_LOGPROBS
        if self._completion_tokens and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    def learn(self, body: dict[str, Any], said: str) -> bool:
        """Change what a server refused.

        Args:
            body: As it was sent.
            said: What the server said of it.

        Returns:
            Whether there is something to change, or has been changed since the body was sent.
        """
        if not _REFUSES.search(said):
            return False
        count = body.get("top_logprobs") or body.get("logprobs")
        if count and re.search("logprob|top_n_tokens", said, re.IGNORECASE):
            if set(self.without) & {"logprobs", "top_logprobs"}:
                return True
            if isinstance(count, int) and count > _FEWER_LOGPROBS:
                if not self._fewer:
                    logger.info("the server refuses %d log-probabilities a token: asked for %d", count, _FEWER_LOGPROBS)
                self._fewer = True
            else:
                self._leave_out("logprobs", "top_logprobs")
            return True
        if "max_tokens" in said and "max_tokens" in body:
            self._completion_tokens = True
            return True
        if "temperature" in said and "temperature" in body and not body["temperature"]:
            self._leave_out("temperature")
            return True
        return False

    def _leave_out(self, *names: str) -> None:
        new = [name for name in names if name not in self.without]
        if new:
            logger.warning("the server refuses %s: asked without", " and ".join(new))
        self.without += new
