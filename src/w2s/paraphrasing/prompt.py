"""What a model is asked for a rewording, and the rewording in what it writes. A change of either raises `VERSION`."""

from __future__ import annotations

import re

from w2s.tasks.replies import after_thinking

__all__ = ["VERSION", "prompt_for", "wording_of"]

VERSION = 4
"""Of the prompt, of how a reply is read, and of the checks: they decide together which rewordings come out."""

_PROMPT = """\
Say the {kind} in other words, so that it means the same. {manner} Keep every number and every name. Do not answer it. \
Write one line, and nothing else.

{label}: {example}
In other words: {reworded}

{label}: {text}
In other words:"""

# One after the other, so that the samples of one text differ by more than chance.
_MANNERS = (
    "Choose other words.",
    "Put it as you would when talking to a friend.",
    "Put it formally.",
    "Change the order in which things are said.",
)
_QUESTION = (
    "A baker sells 12 rolls in the morning and 7 rolls after noon. How many rolls does she sell in the whole day?",
    "In the morning 12 rolls leave a baker's shop, and 7 more once noon has passed. What is the day's total of rolls?",
)
_TEXT = (
    "I waited 2 hours for my parcel, and nobody rang the bell.",
    "For 2 hours I was expecting a parcel, but no one came to the door.",
)

# No other noun: what "New York: which river ..." begins with is a name.
_NOUN = "(?:version|(?:re-?)?wording|(?:re)?phrasing|paraphrase|formulation|question|text|story|sentence)"
_LABEL = re.compile(
    rf"(?:here(?:['’]s| is)?\s+)?(?:in other words|(?:the |a )?(?:(?:re-?worded|rephrased)(?: {_NOUN})?"
    rf"|(?:new|other) {_NOUN})|(?:the )?{_NOUN}|(?<=here )it is)(?: in other words)?\s*:\s*",
    re.IGNORECASE,
)
_BOLD_LABEL = re.compile(r"\*\*(?P<label>[^*]{1,40}?)(?::\s*\*\*|\*\*\s*:)")
_EAGER = re.compile(r"(?:sure|certainly|of course|okay|absolutely)(?:[!.:]|,(?=\s*here\b))\s*", re.IGNORECASE)
_QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("**", "**"))


def prompt_for(text: str, kind: str, sample: int) -> str:
    """What a model is asked.

    Args:
        text: To be reworded.
        kind: What it is: "question", or another noun.
        sample: Counts the rewordings of the text, from 0: each asks a little differently from the one before.
    """
    example, reworded = _QUESTION if kind == "question" else _TEXT
    return _PROMPT.format(
        kind=kind,
        label=kind.capitalize(),
        manner=_MANNERS[sample % len(_MANNERS)],
        example=example,
        reworded=reworded,
        text=" ".join(text.split()),
    )


def wording_of(reply: str, original: str) -> str | None:
    """The rewording in a reply, without quotation marks or a label; None where it has several lines.

    Args:
        reply: What a model wrote.
        original: The text that it was asked to reword; where this begins with a label, the reply keeps its own.
    """
    lines = [line.strip() for line in after_thinking(reply).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):  # "Here it is in other words:"
        del lines[0]
    if len(lines) > 1:
        return None
    text = " ".join("".join(lines).split())
    if (eager := _EAGER.match(text)) and not _EAGER.match(original.lstrip()):
        text = text[eager.end() :]
    if bold := _BOLD_LABEL.match(text):
        text = f"{bold['label']}:{text[bold.end() :]}"
    if (label := _LABEL.match(text)) and not _LABEL.match(original.lstrip()):
        text = text[label.end() :]
    for left, right in _QUOTES:
        inside = text[len(left) : -len(right)]
        if len(text) > 2 and text.startswith(left) and text.endswith(right) and left not in inside:
            text = inside
    return text.strip()
