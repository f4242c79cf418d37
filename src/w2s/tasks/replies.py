"""What a reply says, before anything is parsed from it: without the model's thinking, in plain characters."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["after_thinking", "before_another", "plain"]

# What a question or a text to be labelled is headed by.
_ITEM = (
    r"[^\w\n]*(?:question|problem|exercise|story|q|title|review|text|passage|article|ticket|tweet|message|input|example"
    r"|premise|context|sentence|comment|post|document|e-?mail|headline)\b[^\n:]{0,10}:"
)
_BEGINS_AS_ITEM = re.compile(rf"\s*{_ITEM}", re.IGNORECASE)
_NEXT_ITEM = re.compile(rf"\n{_ITEM}", re.IGNORECASE)

_THOUGHT = r"(?:think(?:ing)?|thoughts?|reasoning|scratchpad)"
_WHOLE_THOUGHT = re.compile(rf"<(?P<tag>{_THOUGHT})>.*?</(?P=tag)>|◁think▷.*?◁/think▷", re.IGNORECASE | re.DOTALL)
_THINKS = re.compile(rf"\s*(?:<{_THOUGHT}>|◁think▷|<\|channel\|>analysis)", re.IGNORECASE)
_HAS_THOUGHT = re.compile(rf"</{_THOUGHT}>|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)

# Hyphens of several kinds and the apostrophe in one writing, and nothing that is not to be seen.
_PLAIN = {0xAD: None, 0x200B: None, 0x2060: None, 0xFEFF: None, 0x2010: "-", 0x2011: "-", 0x2018: "'", 0x2019: "'"}
_DASH_IN_WORD = re.compile(r"(?<=[^\W\d_])[‒–−](?=[^\W\d_])")


def after_thinking(text: str) -> str:
    """What follows the thinking that a reasoning model writes into its reply; nothing, where it never ends.

    Known are tags such as `<think>`, also where the first of them stands in the prompt, and the channels of harmony.
    """
    text = _WHOLE_THOUGHT.sub("", text)
    ends = [match.end() for match in _HAS_THOUGHT.finditer(text)]
    if ends:
        return text[ends[-1] :]
    return "" if _THINKS.match(text) else text


def before_another(text: str) -> str:
    """What stands before the next question or text that a model goes on to invent; all, where it begins with one."""
    return text if _BEGINS_AS_ITEM.match(text) else _NEXT_ITEM.split(text, maxsplit=1)[0]


def plain(text: str) -> str:
    """A text or an option with one hyphen, one apostrophe and one composition of its letters."""
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return _DASH_IN_WORD.sub("-", text)
