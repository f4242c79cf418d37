"""How an answer is parsed from a text: as an option's words, as its letter, or as a number."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from w2s.tasks.marks import marked, without_scale
from w2s.tasks.mentions import (
    HESITATION,
    OUTER,
    Mention,
    letters_in,
    listed,
    longest,
    ruled_out,
    turns_from,
    words_in,
)
from w2s.tasks.numbers import as_number, first_number, said_number, said_numbers
from w2s.tasks.replies import after_thinking, before_another, plain

__all__ = [
    "LETTERS",
    "VERSION",
    "as_number",
    "first_line",
    "first_number",
    "parse_letter",
    "parse_option",
    "said_number",
    "said_numbers",
]

VERSION = 5
"""Raised when another answer is parsed from a text. 5: a model's thinking is not read, "Answer: Paris" and "4 out of 5"
are, and so are tables of scores; hyphens of every kind are one."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def first_line(text: str) -> str:
    """The first line with something on it, without surrounding space."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


# Options

_JOINED = re.compile(r"[\s,/&]*(?:\b(?:or|and)\b)?\s*", re.IGNORECASE)


def parse_option(text: str, options: Sequence[str]) -> int | None:
    """Which option a text names first.

    Case, spacing and outer punctuation do not count; an option inside a longer one, one that is ruled out
    ("not France", "France is wrong") and one that is only part of a list ("France or Spain") do not count as
    named.

    Args:
        text: What came back.
        options: What the prompt shows.

    Returns:
        The option's index, or None where the text names none, or not one more than another.
    """
    text, options = before_another(plain(after_thinking(text))), [plain(option) for option in options]
    for whole in (text.strip(), first_line(text)):
        equal = [index for index, option in enumerate(options) if option and option.strip() == whole]
        if len(equal) == 1:
            return equal[0]
    text = without_scale(text, options)
    mentions = words_in(text, options)
    if (found := marked(text, mentions, options)) is not None and not _told_in_words(text, mentions):
        return found.pop() if len(found) == 1 else None
    out = ruled_out(text, mentions)
    left = [mention for mention in mentions if mention not in out]
    return _unless_left(_one_of(left, out, text, options), text, left)


def _unless_left(option: int | None, text: str, mentions: Sequence[Mention]) -> int | None:
    """An option, unless the text tells or prefers another."""
    told = _told_in_words(text, mentions)
    if len(told) > 1:
        return None
    if told and option not in told:
        if option is not None and _is_an_answer(mentions[0], text):
            return None
        (option,) = told
    if option is None or turns_from(text, option, mentions):
        return None
    end = next((mention.end for mention in mentions if mention.option == option), 0)
    others = [mention for mention in mentions if mention.option != option and mention.start >= end]
    return None if any(_CONFIRMED.match(text, other.end) for other in others) else option


def _is_an_answer(mention: Mention, text: str) -> bool:
    """Whether a mention is all that the text begins with, rather than the subject of a sentence."""
    return not re.search(r"\w", text[: mention.start]) and not re.match(r"[^\S\n]*[^\W\d_]", text[mention.end :])


def _told_in_words(text: str, mentions: Sequence[Mention]) -> set[int]:
    """The options that are said to be the answer by their words: "Answer: Paris"."""
    told = [one for one in listed(text, mentions) if _TOLD.search(text[max(0, one[0].start - 40) : one[0].start])]
    return {mention.option for one in told for mention in one}


def _one_of(mentions: Sequence[Mention], out: Set[Mention], text: str, options: Sequence[str]) -> int | None:
    """The option that is mentioned first, unless another is at once, or it is ruled out elsewhere."""
    if not mentions:
        return None
    first = mentions[0]
    tied = [mention.option for mention in mentions if (mention.start, mention.end) == (first.start, first.end)]
    if len(tied) > 1:  # options that differ in case only, as genotypes do
        tied = [option for option in tied if options[option].strip(OUTER) == text[first.start : first.end]]
    if len(tied) != 1 or tied[0] in {mention.option for mention in out}:
        return None
    for mention in mentions:
        if mention.start >= first.end and mention.option != tied[0]:
            return None if _JOINED.fullmatch(text, first.end, mention.start) else tied[0]
    return tied[0]


# Letters

_OPENING = r"[\s(\[\"'“]*(?:\*\*)?\s*\(?"
# After a letter that is an answer: the end, or punctuation that does not go on as it does in "D.C." or "I'm".
_CLOSED = r"(?=\s*(?:\n|$)|[)\],;:!]|\*\*|[.\"'”](?!\w)|\s+[-–—]\s|\s+(?:because|since|is)\b)"
_BE = r"(?:is|would be|should be|must be|has to be)"
# What makes the letter after it the answer.
_CUE = (
    rf"(?:\banswer\b(?:\s+{_BE})?\s*[:=]?|\b(?:option|choice)\b\s*(?:{_BE}|[:=])"
    r"|\b(?:choos(?:e|ing)|chose|pick(?:ing)?|select(?:ing)?|go(?:ing)? with|went with|say)\b)"
    r"\s*(?:\b(?:option|choice|answer)\b)?"
)
# What makes the letter before it the answer.
_CONFIRMED = re.compile(
    r"[)\]\"'”*]*\s+(?:is|must be|has to be|would be)\s+(?:\w+ly\s+)?(?:the\s+)?(?:(?:most|only|best)\s+)?"
    r"(?:correct|right|true|best|answer)\b",
    re.IGNORECASE,
)
# Before what is the answer.
_TOLD = re.compile(
    r"(?<!second )(?<!second best )(?<!next )(?<!next best )(?<!other )"
    rf"\b(?:answer|label|category|verdict|classification)\b[\"'*_]*\s*(?:{_BE}\b\s*:?|[:=])"
    r"\s*(?:(?:the|an?)\s+)?[\s(\[\"'“*_]*$",
    re.IGNORECASE,
)
# What is not more than the beginning of a sentence or clause, or of a conclusion.
_CONCLUDING = re.compile(
    rf"(?:^|[.!?;:\n…]|(?:(?:^|[.!?;:,\n…])\s*|\b(?:but|or|well)\s+)(?:{HESITATION}[\s.,!…–—-]*)*no(?:pe)?[,:]"
    r"|\b(?:so|but|rather|therefore|thus|hence|instead|then|leaves|leaving|is|it['’]s|must be)\b,?)"
    r"[\s(\[\"'“*]*(?:(?:option|choice)\s+\(?)?$",
    re.IGNORECASE,
)


def parse_letter(text: str, options: Sequence[str]) -> int | None:
    """Which of the lettered options a text chooses, by its letter or by its words.

    Reads "B", "(B)", "b.", "B) Paris", "Answer: B", "the answer is B" and "Paris, because". What is mentioned
    only to be ruled out is not chosen: "A is incorrect. The answer is C." Never takes the article of "A man
    walks" for a letter.

    Args:
        text: What came back.
        options: What the prompt shows at A, B, C and so on.

    Returns:
        The option's position, or None where the text chooses none, or not one more than another.
    """
    text, options = before_another(plain(after_thinking(text))), [plain(option) for option in options]
    letters = LETTERS[: len(options)]
    sole = text.strip().strip("()[]*.:\"'").strip()
    if len(sole) == 1 and sole.upper() in letters:
        return letters.index(sole.upper())
    # An option that is itself one of the letters, as blood groups are, is chosen by the letter of its position only.
    worded = ["" if option.strip(OUTER + "()").upper() in (*letters, "") else option for option in options]
    text = without_scale(_after_listing(text, letters, worded), worded)
    mentions = longest([*words_in(text, worded), *letters_in(text, letters)])
    labels = [mention for mention in mentions if text[mention.start : mention.end].upper() in letters]
    found = marked(text, mentions, worded) or marked(text, labels, worded)
    if found is not None and not _told(text, letters, worded):
        return found.pop() if len(found) == 1 else None
    out = ruled_out(text, mentions)
    if _is_table(text, [label for label in labels if label not in out], letters):
        told = _told(text, letters, worded)
        return told.pop() if len(told) == 1 else None
    left = list(text)
    for mention in out:
        left[mention.start : mention.end] = "…" * (mention.end - mention.start)
    chosen = _chosen("".join(left), letters, worded)
    if chosen is None or chosen in {mention.option for mention in out}:
        return None
    return None if turns_from(text, chosen, [mention for mention in mentions if mention not in out]) else chosen


def _is_table(text: str, labels: Sequence[Mention], letters: str) -> bool:
    """Whether a text begins by saying something of each option in turn, which chooses none by its place."""
    table = text.lstrip().split("\n\n", 1)[0]
    start = len(text) - len(text.lstrip())
    headed = [one for one in labels if one.end <= start + len(table) and re.match(r"\s*[:)=]", text[one.end :])]
    begins = bool(headed) and not re.search(r"\w", text[: headed[0].start])
    return begins and len(letters) > 2 and [one.option for one in headed] == list(range(len(letters)))


def _after_listing(text: str, letters: str, options: Sequence[str]) -> str:
    """What follows the options where a text begins by listing them again, which chooses none."""
    lines = text.strip().splitlines()
    listed_again = 0
    for line in lines:
        label = re.match(rf"\W*([{letters}])[.):]\W*", line)
        words = words_in(line[label.end() :], [options[letters.index(label[1])]]) if label else []
        if not words or words[0].start > 0:
            break
        listed_again += 1
    return "\n".join(lines[listed_again:]) if listed_again > 1 else _after_line_of_all(text, letters, options)


def _after_line_of_all(text: str, letters: str, options: Sequence[str]) -> str:
    """What follows where a text begins with all options and their letters, in their order, on one line."""
    end = 0
    for letter, option in zip(letters, options, strict=True):
        label = re.compile(rf"\W*{letter}[.):]\W*", re.IGNORECASE).match(text, end)
        words = words_in(text[label.end() :], [option]) if label else []
        if label is None or not words or words[0].start > 0:
            return text
        end = label.end() + words[0].end
    return text[end:]


def _chosen(text: str, letters: str, options: Sequence[str]) -> int | None:
    """The position that a text chooses, once it mentions none that is ruled out."""
    mentions = words_in(text, options)
    if mentions and not re.search(r"\w", text[: mentions[0].start]):
        return _unless_told(_one_of(mentions, set(), text, options), text, mentions[0].end, letters, options)
    letter = _letter(letters)
    if (match := letter.match(text)) is not None:
        position = letters.index(match["letter"].upper())
        agreed = _agrees(text[match.end() :], position, letters, options)
        return _unless_told(position if agreed else None, text, match.end(), letters, options)
    if (position_of_words := _article_of(text, letters, options)) is not None:
        return position_of_words
    if told := _told(text, letters, options):
        return told.pop() if len(told) == 1 else None
    if concluded := _concluded(text, letters, options):
        return concluded.pop() if len(concluded) == 1 else None
    return parse_option(text, options)


def _letter(letters: str) -> re.Pattern[str]:
    # "B continues the song" may be an answer and its words, but A and I are words themselves.
    telling = "".join(letter for letter in letters if letter not in "AI")
    either_case = letters + letters.lower()
    loose = rf"|[{telling}](?=\s)" if telling else ""
    return re.compile(rf"{_OPENING}(?P<letter>[{either_case}]{_CLOSED}{loose})")


def _unless_told(position: int | None, text: str, end: int, letters: str, options: Sequence[str]) -> int | None:
    """What a text begins with, unless it goes on to tell that the answer is another.

    "B is a river. The answer is C." begins with the subject of a sentence, which is no answer yet; "B. The
    answer is C." gives two.
    """
    subject = re.match(r"[^\S\n]+(?!because\b|since\b)[^\W\d_]", text[end:]) is not None
    subject = subject and not any(mention.start <= end + 1 for mention in words_in(text[end:], options))
    rest = text[end:]
    scope = text if subject else text[:end] + rest.split("\n", 1)[0]
    told = _told(scope, letters, options)
    if subject and told:
        return told.pop() if len(told) == 1 else None
    others = told | (_concluded(scope, letters, options, end) if subject else set())
    return position if others <= {position} else None


def _told(text: str, letters: str, options: Sequence[str]) -> set[int]:
    """The positions that are said to be the answer; not exactly one: none is."""
    letter = _letter(letters)
    told: set[int] = set()
    for cue in re.finditer(_CUE, text, re.IGNORECASE):
        if (match := letter.match(text, cue.end())) is not None:
            position = letters.index(match["letter"].upper())
            agreed = _agrees(text[match.end() :], position, letters, options)
            told |= {position} if agreed else set(range(len(letters)))
    told |= _told_in_words(text, words_in(text, options))
    return told | {
        mention.option for mention in _letters_apart(text, letters, options) if _CONFIRMED.match(text, mention.end)
    }


def _concluded(text: str, letters: str, options: Sequence[str], start: int = 0) -> set[int]:
    """The positions whose letter is all that a sentence or a clause says."""
    closed = re.compile(_CLOSED)
    return {
        mention.option
        for mention in _letters_apart(text, letters, options)
        if mention.start >= start
        and closed.match(text, mention.end)
        and _CONCLUDING.search(text[max(0, mention.start - 40) : mention.start])
    }


def _letters_apart(text: str, letters: str, options: Sequence[str]) -> list[Mention]:
    """The letters that are neither part of an option's words nor of a list of letters."""
    in_text = set(letters_in(text, letters))
    mentions = longest([*words_in(text, options), *in_text])
    return [one[0] for one in listed(text, mentions) if one[0] in in_text and len({m.option for m in one}) == 1]


def _agrees(rest: str, position: int, letters: str, options: Sequence[str]) -> bool:
    """Whether what follows a letter on its line names no other letter or option at once."""
    line = rest[:1000].split("\n", 1)[0]  # what is further away is not at once
    if not options[position]:  # an option that is itself a letter
        return True
    other = re.match(rf"\W*(?:(?:or|and)\b\W*)?([{letters}]){_CLOSED}", line)
    if other is not None and other[1] != letters[position]:
        return False
    mentions = words_in(line, options)
    return not mentions or bool(re.search(r"\w", line[: mentions[0].start])) or mentions[0].option == position


def _article_of(text: str, letters: str, options: Sequence[str]) -> int | None:
    """The position of "A continues the song", where that is what stands at A."""
    match = re.match(rf"\s*([{letters}])\s+(?=\w)", text)
    if match is None:
        return None
    position, mentions = letters.index(match[1]), words_in(text, options)
    return position if mentions and mentions[0] == Mention(match.end(), mentions[0].end, position) else None
