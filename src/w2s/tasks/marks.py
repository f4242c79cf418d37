"""Replies that mark or rate their options one by one, or answer on a scale."""

from __future__ import annotations

import re
from collections.abc import Sequence

from w2s.tasks.mentions import Mention

__all__ = ["marked", "without_scale"]

_TO = r"\d+\s*(?:to|[-–—])\s*\d+"
_SCALE = re.compile(
    rf"\b(?:scale|range)\s+(?:(?:of|from)\s+)?\(?{_TO}\)?|\bfrom\s+\d+\s+to\s+\d+|\bbetween\s+\d+\s+and\s+\d+"
    r"|\b\d+\s*[-–—]\s*\d+(?=\s*[):])",
    re.IGNORECASE,
)
# "0.6", "60%", at the end of its cell: no other number, and none that something is counted by.
_SCORE = re.compile(
    r"[\"'*_)\].]*\s*[:=(–-]\s*\(?(?P<score>\d+(?:\.\d+)?|\.\d+)\s*(?P<percent>%)?\s*(?:[),;}|\n]|\.?\s*\Z|\.\s)"
)
_MARK = re.compile(r"[✅✔☑❌✗✘]|\[[ xX]\]")
_TICKED = re.compile(r"[^\w\n]*?[✅✔☑]")
_TICKED_BEFORE = re.compile(r"(?:[✅✔☑]|\[[xX]\])[^\w\n]*(?:\(?[A-Za-z][.):]\s*)?\Z")


def without_scale(text: str, options: Sequence[str]) -> str:
    """A text with "…" for the scale that it answers on, "from 1 to 5"; as it is, where an option is a range itself."""
    if any(re.search(_TO, option) or _SCALE.search(option) for option in options):
        return text
    return _SCALE.sub(lambda match: "…" * len(match[0]), text)


def marked(text: str, mentions: Sequence[Mention], options: Sequence[str]) -> set[int] | None:
    """The options that a table of them ticks, or gives its highest score; None where the text is no such table.

    A table of scores rates every option, with shares up to 1 or with percentages. Where options are numbers there is
    none: a number behind a letter may be its option.

    Args:
        text: What came back.
        mentions: Of the options, in it.
        options: What the prompt shows.
    """
    if mentions and (mark := _MARK.search(text)) is not None:
        if mark.start() < mentions[0].start:  # marks stand before what they are of, or else behind it
            ticked = {one.option for one in mentions if _TICKED_BEFORE.search(text[max(0, one.start - 20) : one.start])}
        else:
            ticked = {one.option for one in mentions if _TICKED.match(text, one.end)}
        if ticked:
            return ticked
    if len(options) < 2 or any(re.search(r"\d", option) for option in options):
        return None
    scores: dict[int, float] = {}
    for mention in mentions:
        if match := _SCORE.match(text, mention.end):
            scores.setdefault(mention.option, float(match["score"]) / (100 if match["percent"] else 1))
    if set(scores) != set(range(len(options))) or max(scores.values()) > 1:
        return None
    return {option for option, score in scores.items() if score == max(scores.values())}
