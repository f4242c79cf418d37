"""The numbers that a text names, in digits or in words: to tell whether a rewording keeps them all.

"1,200", "twelve hundred" and "1.2 thousand" are one number; so are "1/2", "half" and "½", "twice" and "2 times", "3rd"
and "third", "a dozen" and 12. Units are not converted: 30 minutes are not half an hour, and 50 cents are not $0.50.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Numbers", "numbers_in"]

Value = Fraction | str


def _words(text: str) -> list[str]:
    return text.split()


_UNITS = _words("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen")
_UNITS += _words("seventeen eighteen nineteen")
_TENS = dict(zip(_words("twenty thirty forty fifty sixty seventy eighty ninety"), range(20, 100, 10), strict=True))
_SMALL = {**{word: value for value, word in enumerate(_UNITS)}, **_TENS}
_SCALES = {"hundred": 100, "dozen": 12, "dozens": 12, "k": 1000, "thousand": 1000, "million": 10**6, "billion": 10**9}
_ORDINALS = _words("third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth")
_ORDINALS += _words("fifteenth sixteenth seventeenth eighteenth nineteenth")
_NTH = {"first": 1, "second": 2, **{word: value for value, word in enumerate(_ORDINALS, start=3)}}
_NTH |= {word.removesuffix("y") + "ieth": value for word, value in _TENS.items()}
_PARTS = {word: value for word, value in _NTH.items() if value > 2} | {"quarter": 4}
_PARTS |= {f"{word}s": value for word, value in _PARTS.items()} | {"half": 2, "halves": 2}
_TIMES = {
    **dict.fromkeys(("twice", "double", "doubles", "doubled", "doubling"), 2),
    **dict.fromkeys(("thrice", "triple", "triples", "tripled", "tripling"), 3),
    **dict.fromkeys(("quadruple", "quadruples", "quadrupled"), 4),
}
# Words that may mean a number and often do not.
_PERHAPS = {"one": 1, "single": 1, "once": 1, "first": 1, "second": 2, "both": 2, "couple": 2, "pair": 2, "pairs": 2}
# Around a "one" that counts nothing: "which one", "one of them", "the other one is".
_BEFORE_NO_NUMBER = set(_words("which each every this that other another any no some the only last next new"))
_BEFORE_A_UNIT = set(_words("every per each a"))  # of time: "every second"
_AFTER_NO_NUMBER = set(_words("of another who that which is was can could has had will would or and by to"))

_RAISED = re.compile("(?<=\\d)[⁺⁻]?[⁰¹²³⁴-⁹]+")
_FRACTION = re.compile("(\\d)?\\s?([¼-¾⅐-⅞])")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_TOKEN = re.compile(
    rf"(?P<name>[^\W\d_]+\d\w*)"  # B12
    rf"|(?P<minus>(?<![\w)\]])[-−])?(?:(?P<whole>\d+)\s(?=\d+/\d))?(?P<number>{_DIGITS})"
    r"(?:/(?P<under>\d+)(?![/\d]))?(?P<nth>(?:st|nd|rd|th)\b)?"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)"
)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers of a text, each as often as it is named.

    Attributes:
        certain: Those that are numbers whatever the reader thinks.
        likely: "one" before what it seems to count.
        possible: Words that may mean a number: another "one", "first", "a couple".
    """

    certain: Counter[Value] = field(default_factory=Counter)
    likely: Counter[Value] = field(default_factory=Counter)
    possible: Counter[Value] = field(default_factory=Counter)

    def missing_in(self, other: Numbers) -> Counter[Value]:
        """The numbers that another text does not name, or not as often."""
        return (self.certain + self.likely) - (other.certain + other.likely + other.possible)

    def added_by(self, other: Numbers) -> Counter[Value]:
        """The numbers that another text names and this one does not, or not as often."""
        return other.certain - (self.certain + self.likely + self.possible)


class _Token(NamedTuple):
    """A word, or a number in digits; `joined` says that nothing but a space or a hyphen is before it."""

    word: str
    value: Fraction | None = None
    is_nth: bool = False
    joined: bool = False


class _Found(NamedTuple):
    """A number, and how many tokens it takes."""

    value: Value
    tokens: int
    how: str = "certain"


def numbers_in(text: str) -> Numbers:
    """The numbers that a text names."""
    tokens, found, at = list(_tokens(text)), Numbers(), 0
    while at < len(tokens):
        one = _number_at(tokens, at)
        if one is None:
            at += 1
            continue
        negative = _is_negative(tokens, at)
        value = -one.value if negative and isinstance(one.value, Fraction) else one.value
        getattr(found, one.how)[value] += 1
        at += one.tokens
    return found


def _is_negative(tokens: list[_Token], at: int) -> bool:
    """Whether "negative" is before a number, or a "minus" that takes nothing off another number."""
    before = tokens[at - 1] if at and tokens[at].joined else _Token("")
    subtracts = before.joined and _number_at(tokens, at - 2) is not None
    return before.word == "negative" or (before.word == "minus" and not subtracts)


def _tokens(text: str) -> Iterator[_Token]:
    text = _FRACTION.sub(lambda match: f"{match[1] or ''} {unicodedata.normalize('NFKC', match[2])} ", text)
    text = _RAISED.sub(lambda match: f"^{match[0]}", text)  # else 10⁶ were 106
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/").casefold()
    end = 0
    for match in _TOKEN.finditer(text):
        joined = end > 0 and re.fullmatch(r"\s+|\s?[-‐‑]\s?|", text[end : match.start()]) is not None
        end = match.end()
        if match["number"] is None:
            yield _Token(match[0], joined=joined)
            continue
        value = Fraction(match["number"].replace(",", ""))
        if (under := int(match["under"] or 1)) == 0:
            yield _Token(match[0], joined=joined)  # 1/0 is kept as it is written
            continue
        value = value / under + int(match["whole"] or 0)
        yield _Token("", -value if match["minus"] else value, match["nth"] is not None, joined)


def _number_at(tokens: list[_Token], at: int) -> _Found | None:
    """The number that begins at a token, or none."""
    token = tokens[at]
    if token.value is None and any(map(str.isdigit, token.word)):
        return _Found(token.word, 1)
    if token.is_nth:
        return _Found(token.value or Fraction(0), 1)
    cardinal = _digits_at(tokens, at) if token.value is not None else _words_at(tokens, at)
    if cardinal is not None:
        return _with_part(tokens, at, cardinal)
    return _single_at(tokens, at)


def _word(tokens: list[_Token], at: int, *, joined: bool = True) -> str:
    """The word at a place, if it goes on from the one before; empty where there is none."""
    return tokens[at].word if 0 <= at < len(tokens) and (tokens[at].joined or not joined) else ""


def _digits_at(tokens: list[_Token], at: int) -> _Found:
    value, end = tokens[at].value or Fraction(0), at + 1
    while (scale := _SCALES.get(_word(tokens, end))) is not None:
        value, end = value * scale, end + 1
    return _Found(value, end - at)


def _words_at(tokens: list[_Token], at: int) -> _Found | None:
    """A number in words: "two hundred and five", "twenty-five", "a dozen" without its "a"."""
    total, current, end = Fraction(0), None, at
    while end < len(tokens) and (end == at or tokens[end].joined):
        word = tokens[end].word
        if word == "and" and (current or total) and _goes_on(current, _word(tokens, end + 1)):
            end += 1
            word = tokens[end].word
        grown = _grown(current, word)
        if grown is None:
            break
        current, end = grown, end + 1
        if word in _NTH:
            break
        if _SCALES.get(word, 0) >= 1000:
            total, current = total + current, Fraction(0)
    if current is None:
        return None
    alone = end == at + 1 and tokens[at].word == "one"
    return _Found(total + current, end - at, _how_one(tokens, at) if alone else "certain")


def _goes_on(current: Fraction | None, word: str) -> bool:
    """Whether what follows an "and" belongs to a number: to hundreds or thousands, and not to a unit."""
    return current is not None and current % 100 == 0 and word in _SMALL


def _grown(current: Fraction | None, word: str) -> Fraction | None:
    """A number in words with one word more; None where the word does not go on with it."""
    value = Fraction(0) if current is None else current
    rest = value % 100
    after_tens = rest >= 20 and rest % 10 == 0
    if word in _SMALL and (rest == 0 or (after_tens and 0 < _SMALL[word] < 10)):
        return value + _SMALL[word]
    if word in _SCALES and word != "k" and (word != "dozens" or current is not None):
        return _SCALES[word] * (Fraction(1) if current is None else current)
    if after_tens and 0 < _NTH.get(word, 0) < 10:
        return value + _NTH[word]  # twenty-first
    return None


def _how_one(tokens: list[_Token], at: int) -> str:
    after = _word(tokens, at + 1)
    counts = after and after not in _AFTER_NO_NUMBER and _word(tokens, at - 1, joined=False) not in _BEFORE_NO_NUMBER
    return "likely" if counts else "possible"


def _with_part(tokens: list[_Token], at: int, found: _Found) -> _Found:
    """A number with the part that follows it: "two thirds", "one and a half"."""
    end = at + found.tokens
    part, value = _word(tokens, end), found.value
    assert isinstance(value, Fraction)
    if part in _PARTS and (value == 1 or part.endswith("s")):
        return _Found(value / _PARTS[part], found.tokens + 1)
    if part == "and" and _word(tokens, end + 1) in ("a", "one") and (of := _PARTS.get(_word(tokens, end + 2))):
        return _Found(value + Fraction(1, of), found.tokens + 3)
    return found


def _single_at(tokens: list[_Token], at: int) -> _Found | None:
    """What one word says: "half", "a third of", "twice", "tenth", "first"."""
    word = tokens[at].word
    if word in ("half", "halves"):
        skipped = at + 1 + (_word(tokens, at + 1) == "a")
        scale = _SCALES.get(_word(tokens, skipped))
        return _Found(Fraction(1, 2) * (scale or 1), skipped - at + 1 if scale else 1)
    if word in _PARTS and (_word(tokens, at + 1) in ("of", "as") or word.endswith("s")):
        of = word.removesuffix("s") if word.removesuffix("s") in _PARTS else word
        return _Found(Fraction(1, _PARTS[of]), 1, "possible" if word == "quarters" else "certain")
    if word == "quarter":
        return _Found(Fraction(1, 4), 1, "possible")
    if word in _TIMES:
        return _Found(Fraction(_TIMES[word]), 1)
    if word == "second" and _word(tokens, at - 1, joined=False) in _BEFORE_A_UNIT:
        return None
    if word in _PERHAPS:
        return _Found(Fraction(_PERHAPS[word]), 1, "possible")
    return _Found(Fraction(_NTH[word]), 1) if word in _NTH else None
