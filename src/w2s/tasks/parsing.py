"""How an answer is read out of a text: as an option's words, as its letter, or as a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from w2s.tasks.numbers import as_number, first_number, said_number

__all__ = [
    "LETTERS",
    "as_number",
    "first_line",
    "first_number",
    "parse_letter",
    "parse_option",
    "said_number",
]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def first_line(text: str) -> str:
    """The first line with something on it, without surrounding space."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


# Options


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    option: int


_NEGATED = re.compile(r"(?:\b(?:not|never|neither|nor)|n['’]t)\s+(?:(?:the|in|an?|be)\s+)*$", re.IGNORECASE)
_JOINED = re.compile(r"[\s,/&]*(?:\b(?:or|and)\b)?\s*", re.IGNORECASE)
_OUTER = " \t\n.,;:!?\"'“”‘’"


def parse_option(text: str, options: Sequence[str]) -> int | None:
    """Which option a text names first.

    Case, spacing and outer punctuation do not count; an option inside a longer one, a negated one ("not
    France") and one that is only part of a list ("France or Spain") do not count as named.

    Args:
        text: What came back.
        options: What the prompt shows.

    Returns:
        The option's index, or None where the text names none, or not one more than another.
    """
    for whole in (text.strip(), first_line(text)):
        equal = [index for index, option in enumerate(options) if option and option.strip() == whole]
        if len(equal) == 1:
            return equal[0]
    mentions = _mentions(text, options)
    return _unambiguous(text, mentions, options) if mentions else None


def _mentions(text: str, options: Sequence[str]) -> list[_Mention]:
    found = [
        _Mention(match.start(), match.end(), index)
        for index, option in enumerate(options)
        if option.strip()
        for match in _pattern(option).finditer(text)
        if not _NEGATED.search(text, 0, match.start())
    ]
    return sorted(found, key=lambda mention: (mention.start, -mention.end, mention.option))


def _pattern(option: str) -> re.Pattern[str]:
    core = option.strip(_OUTER) or option.strip()
    left = right = ""
    if core[0].isalnum():
        left = r"(?<!\w)(?<!\w-)" + (r"(?<![-−])(?<!\d[.,])" if core[0].isdigit() else "")
    if core[-1].isalnum():
        right = r"(?!\w)(?!-\w)" + (r"(?![.,:/]\d)" if core[-1].isdigit() else "")
    return re.compile(left + r"\s+".join(map(re.escape, core.split())) + right, re.IGNORECASE)


def _unambiguous(text: str, mentions: Sequence[_Mention], options: Sequence[str]) -> int | None:
    first = mentions[0]
    tied = [mention.option for mention in mentions if (mention.start, mention.end) == (first.start, first.end)]
    if len(tied) > 1:  # options that differ in case only, as genotypes do
        tied = [option for option in tied if options[option].strip(_OUTER) == text[first.start : first.end]]
    if len(tied) != 1:
        return None
    for mention in mentions:
        if mention.start >= first.end and mention.option != tied[0]:
            return None if _JOINED.fullmatch(text, first.end, mention.start) else tied[0]
    return tied[0]


# Letters

_OPENING = r"[\s(\[\"'“]*(?:\*\*)?\s*\(?"
# After a letter that is an answer: the end, or punctuation that does not go on as it does in "D.C." or "I'm".
_CLOSED = r"(?=\s*(?:\n|$)|[)\],;:]|\*\*|[.\"'”](?!\w)|\s+[-–—]\s|\s+(?:because|since|is)\b)"
_CUE = r"\b(?:answer|option|choice)\b(?:\s+(?:is|would be|should be|must be))?\s*[:=]?\s*(?:\boption\b|\bchoice\b)?"


def parse_letter(text: str, options: Sequence[str]) -> int | None:
    """Which of the lettered options a text chooses, by its letter or by its words.

    Reads "B", "(B)", "b.", "B) Paris", "Answer: B", "the answer is B" and "Paris, because". Never takes the
    article of "A man walks" for a letter.

    Args:
        text: What came back.
        options: What the prompt shows at A, B, C and so on.

    Returns:
        The option's position, or None where the text chooses none, or not one more than another.
    """
    letters = LETTERS[: len(options)]
    sole = text.strip().strip("()[]*.:\"'").strip()
    if len(sole) == 1 and sole.upper() in letters:
        return letters.index(sole.upper())
    # An option that is itself one of the letters, as blood groups are, is chosen by the letter of its position only.
    worded = ["" if option.strip(_OUTER + "()").upper() in (*letters, "") else option for option in options]
    mentions = _mentions(text, worded)
    if mentions and not re.search(r"\w", text[: mentions[0].start]):
        return _unambiguous(text, mentions, worded)
    letter = _letter(letters)
    if (match := letter.match(text)) is not None:
        position = letters.index(match["letter"].upper())
        return position if _agrees(text[match.end() :], position, letters, worded) else None
    if (position_of_words := _article_of(text, letters, worded)) is not None:
        return position_of_words
    cued = {
        match["letter"].upper()
        for cue in re.finditer(_CUE, text, re.IGNORECASE)
        if (match := letter.match(text, cue.end())) is not None
    }
    if cued:
        return letters.index(cued.pop()) if len(cued) == 1 else None
    return parse_option(text, worded)


def _letter(letters: str) -> re.Pattern[str]:
    # "B continues the song" may be an answer and its words, but A and I are words themselves.
    telling = "".join(letter for letter in letters if letter not in "AI")
    either_case = letters + letters.lower()
    loose = rf"|[{telling}](?=\s)" if telling else ""
    return re.compile(rf"{_OPENING}(?P<letter>[{either_case}]{_CLOSED}{loose})")


def _agrees(rest: str, position: int, letters: str, options: Sequence[str]) -> bool:
    """Whether what follows a letter on its line names no other letter or option at once."""
    if not options[position]:  # an option that is itself a letter
        return True
    line = rest.split("\n", 1)[0]
    other = re.match(rf"\W*(?:(?:or|and)\b\W*)?([{letters}]){_CLOSED}", line)
    if other is not None and other[1] != letters[position]:
        return False
    mentions = _mentions(line, options)
    return not mentions or bool(re.search(r"\w", line[: mentions[0].start])) or mentions[0].option == position


def _article_of(text: str, letters: str, options: Sequence[str]) -> int | None:
    """The position of "A continues the song", where that is what stands at A."""
    match = re.match(rf"\s*([{letters}])\s+(?=\w)", text)
    if match is None:
        return None
    position, mentions = letters.index(match[1]), _mentions(text, options)
    return position if mentions and mentions[0] == _Mention(match.end(), mentions[0].end, position) else None
