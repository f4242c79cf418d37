"""What a server is asked: one request an answer, known by all that decides what comes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["OWN_FIELDS", "PATHS", "Api", "Request", "RequestTemplate"]

Api = Literal["chat", "completion"]
PATHS: Mapping[str, str] = {"chat": "/chat/completions", "completion": "/completions"}

OWN_FIELDS = ("model", "messages", "prompt", "max_tokens", "temperature", "logprobs", "top_logprobs", "n", "stream")
"""Fields of a body that are set here, or that would change what a reply is."""

_LONGEST = "max_completion_tokens"  # thinking included, so that reasoning models are given more in `extra`
_TOP_LOGPROBS = 20
# Of a letter: some models put a space, a bracket or a few words before it.
_LETTER_TOKENS: Mapping[str, int] = {"chat": 10, "completion": 3}
_BYTES_PER_TOKEN = 4  # roughly, of English text


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        key: The hash of all that decides the answer.
        api: Which of `PATHS` it goes to.
        body: As it is sent.
    """

    key: str
    api: Api
    body: Mapping[str, Any]

    @property
    def tokens_in(self) -> int:
        """About how many tokens it has."""
        texts = [str(self.body.get("prompt", "")), *(str(turn["content"]) for turn in self.body.get("messages", ()))]
        return sum(len(text.encode()) for text in texts) // _BYTES_PER_TOKEN + 8 * len(texts)

    @property
    def tokens_out(self) -> int:
        """How many tokens the answer has at most."""
        return int(self.body[_LONGEST if _LONGEST in self.body else "max_tokens"])


@dataclass(frozen=True, kw_only=True)
class RequestTemplate:
    """How a server is asked: makes requests of prompts.

    Attributes:
        service: Who answers: the server's address, or a name that it keeps where its address changes.
        model: What the server calls the model.
        api: Prompts go into a user's turn ("chat"), or are continued as they are ("completion").
        letters: The answer is a letter, and the log-probabilities of the likeliest tokens are asked for.
        temperature: 0 is greedy.
        max_new_tokens: Of an answer that is not a letter.
        instructions: A system's turn before the user's, where there is one; chat alone.
        extra: More fields of the request's body, as this server knows them.
    """

    service: str
    model: str
    api: Api
    letters: bool
    temperature: float
    max_new_tokens: int
    instructions: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def request(self, prompt: str, sample: int = 0, seed: int = 0) -> Request:
        """The request of one answer to a prompt. Another sample or seed is another answer to the same words."""
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": _LETTER_TOKENS[self.api] if self.letters else self.max_new_tokens,
            "temperature": self.temperature,
        }
        if self.api == "chat":
            turns = [{"role": "user", "content": prompt}]
            body["messages"] = [{"role": "system", "content": self.instructions}] * bool(self.instructions) + turns
        else:
            body["prompt"] = prompt
        if self.letters and self.api == "chat":
            body |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        elif self.letters:
            body["logprobs"] = _TOP_LOGPROBS
        body |= self.extra
        if _LONGEST in body:  # the same under the newer name: no server takes both
            del body["max_tokens"]
        decides = json.dumps([self.service, self.api, body, sample, seed], sort_keys=True)
        return Request(hashlib.sha256(decides.encode()).hexdigest()[:40], self.api, body)
