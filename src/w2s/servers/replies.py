"""What a server replied, in one form for both APIs, and the letter that a reply chose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from w2s.servers.requests import Api

__all__ = ["Reply", "UnreadableReplyError", "letter_logprobs", "message_of", "reply_from"]

_FINISHED = ("stop", "length", "refusal", "eos", "eos_token", "stop_sequence")
_PLACES = 12  # tokens whose alternatives are kept: the letter is among the first
_AROUND = " \t\n\r▁Ġ()[]{}.,:;*\"'`"  # what models put around a letter; two of these are tokenizers' spaces


class UnreadableReplyError(ValueError):
    """What came back is no reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        text: As the model wrote it; of a refusal, what the server says of it.
        finish: Why it ends: "stop", "length" where it was cut off, "refusal" where the model or the server refused.
        places: Of each of the first tokens: the token, and the likeliest tokens there with their log-probabilities.
        tokens_in: Of the prompt, counted by the server; 0 where it does not say.
        tokens_out: Of the answer, counted by the server; 0 where it does not say.
        model: What the server says has answered.
        without: Fields of the request that the server refused, and was asked again without.
    """

    text: str
    finish: str
    places: Sequence[tuple[str, Sequence[tuple[str, float]]]] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""
    without: Sequence[str] = ()

    @property
    def is_answer(self) -> bool:
        """Whether it need not be asked again; one that is refused or empty is, by another step."""
        return self.finish != "refusal" and bool(self.text.strip() or self.places)


def message_of(data: Any) -> str:
    """What a server's JSON says is wrong; empty where it says nothing."""
    if not isinstance(data, dict):
        return ""
    error = data.get("error") or (None if "choices" in data else data.get("detail") or data.get("message"))
    if isinstance(error, dict):
        error = error.get("message") or error
    return str(error) if error else ""


def reply_from(api: Api, data: Any, without: Sequence[str] = ()) -> Reply:
    """The reply in a server's JSON.

    Raises:
        UnreadableReplyError: It is none: another form, or no choice in it.
    """
    try:
        choice = data["choices"][0]
        usage = data.get("usage") or {}
        if api == "chat":
            message = choice["message"]
            text, refusal = message.get("content"), message.get("refusal")
        else:
            text, refusal = choice["text"], None
        finish = choice.get("finish_reason") or "stop"
        if refusal or finish == "content_filter":
            text, finish = refusal or text or "", "refusal"
        if text is not None and not isinstance(text, str):
            raise UnreadableReplyError("its text is none")
        if finish not in _FINISHED:
            raise UnreadableReplyError(f"it ended by {str(finish)[:40]!r}")
        said_nothing = api == "chat" and not (text or "").strip()
        return Reply(
            text=text or "",
            finish=str(finish),
            places=[] if said_nothing else _places(choice.get("logprobs")),
            tokens_in=int(usage.get("prompt_tokens") or 0),
            tokens_out=int(usage.get("completion_tokens") or 0),
            model=str(data.get("model") or ""),
            without=tuple(without),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        missing = error if isinstance(error, KeyError) else "choice"
        raise UnreadableReplyError(f"it has no {missing}") from None


def _places(logprobs: Any) -> list[tuple[str, list[tuple[str, float]]]]:
    """The alternatives at each place, from either form: a list of tokens, or lists side by side."""
    if not isinstance(logprobs, dict):
        return []
    if isinstance(logprobs.get("content"), list):
        return [
            (
                str(place["token"]),
                _known((str(top["token"]), top["logprob"]) for top in place.get("top_logprobs") or ()),
            )
            for place in logprobs["content"][:_PLACES]
        ]
    tokens, tops = logprobs.get("tokens") or [], logprobs.get("top_logprobs") or []
    return [
        (str(token), _known((str(name), value) for name, value in (top or {}).items()))
        for token, top in zip(tokens[:_PLACES], tops, strict=False)
    ]


def _known(tops: Iterable[tuple[str, Any]]) -> list[tuple[str, float]]:
    """The tokens of which the server says how likely they are."""
    return [(name, float(value)) for name, value in tops if value is not None]


def letter_logprobs(reply: Reply, letters: Sequence[str], *, named: str | None = None) -> list[float] | None:
    """How likely each letter was where the reply names one; None where it does not, or the server does not say.

    Tokens that are the same letter ("A", " A", "(A") are summed. A letter that is not among the likeliest tokens is
    as likely as the least of these, at most: that is what it gets.

    Args:
        reply: To a request for a letter.
        letters: Those that the prompt names.
        named: The letter that the reply chose: the last token that is this letter counts, since "A" may be a word
            before it. Without one the first token counts, if a letter is among the likeliest there: so it is where a
            prompt is continued with a letter.

    Returns:
        (letters,) in nats.
    """
    for token, tops in reply.places[:1] if named is None else reversed(reply.places):
        found: dict[str, list[float]] = {}
        for name, logprob in tops:
            found.setdefault(name.strip(_AROUND), []).append(logprob)
        if not (found.keys() & set(letters) if named is None else found and token.strip(_AROUND) == named):
            continue
        least = min(logprob for _, logprob in tops)
        return [_log_sum(found.get(letter, [least])) for letter in letters]
    return None


def _log_sum(logprobs: Sequence[float]) -> float:
    highest = max(logprobs)
    if not math.isfinite(highest):
        return highest
    return highest + math.log(sum(math.exp(logprob - highest) for logprob in logprobs))
