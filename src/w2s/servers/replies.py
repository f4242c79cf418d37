"""What a server replied, in one form for both APIs, and the letter that a reply chose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from w2s.reading.cells import without_parts
from w2s.servers.requests import Api

__all__ = [
    "Reply",
    "UnreadableReplyError",
    "Usage",
    "letter_logprobs",
    "likeliest_letter",
    "message_of",
    "refused_by_filter",
    "reply_from",
    "usage_of",
]

_FINISHED = ("stop", "length", "refusal", "eos", "eos_token", "stop_sequence")
_FAILED = ("error", "abort", "insufficient_system_resource")  # by the server's fault: asked again
_LIMITS = ("length", "tokens", "limit", "exceeded")  # in other servers' words for an answer that was cut off
_PLACES = 12  # tokens whose alternatives are kept: the letter is among the first
_CLOSES = ".):*"  # what stands behind a letter that is the answer, and not a word
_AROUND = " \t\n\r▁Ġ()[]{}.,:;*\"'`"  # what models put around a letter; two of these are tokenizers' spaces


class UnreadableReplyError(ValueError):
    """What came back is no reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        text: As the model wrote it; of a refusal, what the server says of it.
        finish: Why it ends: "stop", "length" where it was cut off, "refusal" where the model or the server refused;
            else the server's own word.
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
    def has_known_finish(self) -> bool:
        """Whether it is known why it ends; one that ends by another word is taken as whole."""
        return self.finish in _FINISHED

    @property
    def is_answer(self) -> bool:
        """Whether it need not be asked again; one that is refused or empty is, by another step."""
        return self.finish != "refusal" and bool(self.text.strip() or self.places)


class Usage(NamedTuple):
    """Tokens of a prompt and of its answer, as a server counts them; None where it does not say."""

    tokens_in: int | None
    tokens_out: int | None

    @property
    def is_counted(self) -> bool:
        """Whether both are told; no prompt has 0 tokens."""
        return bool(self.tokens_in) and self.tokens_out is not None


def usage_of(data: Any) -> Usage:
    """The tokens that a server's JSON counts."""
    usage = data.get("usage") if isinstance(data, dict) else None
    if not isinstance(usage, dict):
        return Usage(None, None)
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(int(count) if _is_finite(count) and count >= 0 else None for count in counts))


def message_of(data: Any) -> str:
    """What a server's JSON says is wrong; empty where it says nothing."""
    if not isinstance(data, dict):
        return ""
    error = data.get("error") or (None if "choices" in data else data.get("detail") or data.get("message"))
    if isinstance(error, dict):
        error = error.get("message") or error
    return str(error) if error else ""


# Of a prompt or an answer that breaks a service's rules, in the services' words.
_FILTERS = (
    "content_filter",
    "content_policy",
    "content management policy",
    "invalid_prompt",
    "requires moderation",
    "was flagged",
)


def refused_by_filter(status: Any, text: str) -> bool:
    """Whether an error is about what this prompt says, and would come again: it is a refusal, of this prompt alone."""
    return str(status) in ("400", "403", "422") and any(word in text for word in _FILTERS)


def reply_from(api: Api, data: Any, without: Sequence[str] = (), *, max_tokens: float = math.inf) -> Reply:
    """The reply in a server's JSON.

    Args:
        api: Which the request went to.
        data: What came back.
        without: Fields of the request that the server refused.
        max_tokens: Of the answer: one as long, of which the server does not say why it ends, was cut off.

    Raises:
        UnreadableReplyError: It is none: another form, no choice in it, or the server failed.
    """
    try:
        choice = next((one for one in data["choices"] if one.get("index") == 0), data["choices"][0])
        usage = usage_of(data)
        if api == "chat":
            message = choice["message"]
            text, refusal = without_parts(message.get("content")), message.get("refusal")
        else:
            text, refusal = choice["text"], None
        finish = str(choice.get("finish_reason") or ("length" if (usage.tokens_out or 0) >= max_tokens else "stop"))
        if refusal or finish == "content_filter":
            text, finish = refusal or text or "", "refusal"
        if text is not None and not isinstance(text, str):
            raise UnreadableReplyError("its text is none")
        if finish in _FAILED:
            raise UnreadableReplyError(f"it ended by {finish!r}")
        if finish not in _FINISHED:
            finish = "length" if any(word in finish.lower() for word in _LIMITS) else finish[:40]
        said_nothing = api == "chat" and not (text or "").strip()
        return Reply(
            text=_whole(text or ""),
            finish=finish,
            places=[] if said_nothing else _places(choice.get("logprobs")),
            tokens_in=usage.tokens_in or 0,
            tokens_out=usage.tokens_out or 0,
            model=str(data.get("model") or ""),
            without=tuple(without),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        missing = error if isinstance(error, KeyError) else "choice"
        raise UnreadableReplyError(f"it has no {missing}") from None


def _whole(text: str) -> str:
    """A text without halves of characters, which no file can hold: some servers cut a reply in the middle of one."""
    return text.encode(errors="replace").decode()


def _places(logprobs: Any) -> list[tuple[str, list[tuple[str, float]]]]:
    """The alternatives at each place, from either form: a list of tokens, or lists side by side."""
    if not isinstance(logprobs, dict):
        return []
    if isinstance(logprobs.get("content"), list):
        return [
            (
                _whole(str(place["token"])),
                _known((_whole(str(top["token"])), top["logprob"]) for top in place.get("top_logprobs") or ()),
            )
            for place in logprobs["content"][:_PLACES]
        ]
    tokens, tops = logprobs.get("tokens") or [], logprobs.get("top_logprobs") or []
    return [
        (_whole(str(token)), _known((_whole(str(name)), value) for name, value in (top or {}).items()))
        for token, top in zip(tokens[:_PLACES], tops, strict=False)
    ]


def _known(tops: Iterable[tuple[str, Any]]) -> list[tuple[str, float]]:
    """The tokens of which the server says how likely they are."""
    return [(name, float(value)) for name, value in tops if _is_finite(value)]


def _is_finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def likeliest_letter(reply: Reply, letters: Sequence[str]) -> str | None:
    """The letter that is likeliest as the first token; None where none is among the likeliest tokens."""
    found = _by_letter(reply.places[0][1]) if reply.places else {}
    listed = [letter for letter in letters if letter in found]
    return max(listed, key=lambda letter: _log_sum(found[letter]), default=None)


def letter_logprobs(reply: Reply, letters: Sequence[str], *, named: str | None = None) -> list[float] | None:
    """How likely each letter was where the reply names one; None where it does not, or the server does not say.

    Tokens that are the same letter ("A", " A", "(A") are summed. A letter that is not among the likeliest tokens is
    as likely as the least of these, at most: that is what it gets. One token alone says nothing of the other letters.

    Args:
        reply: To a request for a letter.
        letters: Those that the prompt names.
        named: The letter that the reply chose. The first token counts that is this letter and is closed, as in "A." or
            "(A)"; else the last that is this letter, since "A" may be a word before it. Without one the first
            token counts, if a letter is among the likeliest there: so it is where a prompt is continued with a letter.

    Returns:
        (letters,) in nats.
    """
    place = 0 if named is None else _place_of(named, [token for token, _ in reply.places])
    if place is None or not reply.places:
        return None
    found = _by_letter(reply.places[place][1])
    logprobs = [logprob for same in found.values() for logprob in same]
    if len(logprobs) < 2 or (named is None and not found.keys() & set(letters)):
        return None
    least = min(logprobs)
    return [_log_sum(found.get(letter, [least])) for letter in letters]


def _place_of(letter: str, tokens: Sequence[str]) -> int | None:
    """Which of a reply's first tokens is the letter that it chose; None where none is."""
    found = [place for place, token in enumerate(tokens) if token.strip(_AROUND) == letter]
    for place in found:
        token, following = tokens[place].rstrip(), "".join(tokens[place + 1 : place + 2])
        if token[-1:] in _CLOSES or following.lstrip(" ")[:1] in (*_CLOSES, "\n"):
            return place
    return found[-1] if found else None


def _by_letter(tops: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    """The log-probabilities of the tokens that are the same but for what is around them."""
    found: dict[str, list[float]] = {}
    for name, logprob in tops:
        if math.isfinite(logprob):  # replies that are kept from an earlier version may have others
            found.setdefault(name.strip(_AROUND), []).append(logprob)
    return found


def _log_sum(logprobs: Sequence[float]) -> float:
    highest = max(logprobs)
    return highest + math.log(sum(math.exp(logprob - highest) for logprob in logprobs))
