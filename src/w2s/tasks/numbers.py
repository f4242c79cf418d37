r"""How a number is parsed from a text: as the number that was written, or not at all.

Read are thousands commas (also LaTeX's `9{,}500`, and thin spaces), decimals, every usual minus, currency before
the number, exponents, fractions and mixed numbers; what follows as a unit does not count, and neither does "%".
A decimal point is a point, as in English. What begins like a number and goes on as something else ("3,5", "10:30",
"1.2.3", "2 million", "10^6", "5-7", "5 + 3", "20% of 50", "5 times 3", "3 or 4", "5 hours 30 minutes") is no number:
its beginning would be another one than was meant. Nor is what a text denies or takes a part of ("not 5", "half of
20"), what it takes back ("5. Wait, 6"), or the number of a step ("1. First, 5 + 3 = 8").
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from itertools import count

from w2s.tasks.mentions import HESITATION

__all__ = ["as_number", "first_number", "said_number", "said_numbers"]

_MINUS = r"\-‐‑‒–−﹣－"
_SYMBOL = r"$£¥¢฿\u20a0-\u20cf"
# Before a number: nothing that makes it part of a name ("COVID-19", "Rs.5"), a root, an exponent or a negative.
_START = (
    rf"(?<![\w.^√±/\\—{_MINUS}{_SYMBOL}])(?<![{_MINUS}{_SYMBOL}]\s)(?<![Mm]inus\s)(?<![Nn]egative\s)"
    r"(?<!√\()(?<!sqrt\()(?<!sqrt\{)(?<!frac\{)(?<!\^\{)"
)
_CURRENCY = rf"(?:(?:[A-Z]{{0,2}}(?:\\?[{_SYMBOL}]){{1,2}}|USD|EUR|GBP|INR|CAD|AUD)\s?)?"
# Possessive throughout: a shorter reading of the same digits is another number.
_THOUSANDS = r"\d{1,3}(?:(?P<comma>,|\{,\}|,\\!|\\,|[\u00a0\u2009\u202f])\d{3}(?!\d)(?:(?P=comma)\d{3}(?!\d))*+)"
_DECIMAL = rf"(?>(?P<integer>{_THOUSANDS}|\d++)?(?P<places>\.\d++)?)(?<=\d)"
_EXPONENT = rf"(?:[eE]|\s?(?:[×x*·]|\\times|\\cdot)\s?10(?:\^|\*\*)\{{?)(?P<power>[{_MINUS}+]?\d{{1,2}})(?!\d)\}}?"
_OVER = r"\s?[/⁄]\s?"
_PART = r"(?i:half|halve|third|quarter|fourth|fifth|sixth|eighth|tenth)"
_AMOUNT = (
    rf"(?:(?P<whole>\d++)\s(?:and\s)?(?P<upper>\d++){_OVER}(?P<lower>\d++)"
    rf"|{_DECIMAL}(?:{_EXPONENT})?+(?:{_OVER}(?P<under>\d{{1,3}}(?:,\d{{3}}(?!\d))++|\d++))?+)"
)
_LARGE_UNIT = (
    r"(?:hours?|hrs?|h|minutes?|mins?|days?|weeks?|months?|years?|feet|foot|ft|pounds?|lbs?|dollars?|euros?|k[gm]|m|l)"
)
_SMALL_UNIT = (
    r"(?:hours?|minutes?|mins?|m|seconds?|secs?|s|days?|weeks?|months?|inch(?:es)?|ounces?|oz|pence|cents?|g|[cm]m"
    r"|ml)"
)
_SCALE = (
    r"(?i:hundred|thousand|million|billion|trillion|lakh|crore|dozen|millione[nr]?|milliarden?|billionen?|tausend"
    r"|mill[oó]n(?:es)?|milh(?:ão|ões)|milioni?|miliard[iy]?|milliards?|mille|mio|mrd|tsd|mln|mlrd"
    r"|тыс\w*|млн|млрд|миллион\w*|миллиард\w*)"
)
_SUM = r"(?:times|plus|minus|over|(?:multipli|divid|add|subtract)ed|more\s+than|less\s+than|fewer\s+than)"
# After a number: nothing that makes it the beginning of another.
_GOES_ON = "|".join(
    [
        rf"[^\s\w+*=×÷<>()\[\]|;&~—{_MINUS}{_SYMBOL}]\d|_\d",  # any separator that was not understood
        rf"[^\S\n]?(?:[+*×÷·{_MINUS}]|\\times|\\cdot|\\div|[xX](?=\s))[^\S\n]?{_CURRENCY}[.\d]",  # sum, range, date
        r"[^\W\d_]+\d",  # "0x1F", "1e400"
        r"(?:\{,\}|,\\!|\\,|\s)\d{3}(?!\d)",  # "1 234", which may be one number or two
        rf"[\s{_MINUS}](?:and\s)?\d+{_OVER}\d",  # "2-1/2"
        rf"(?:\s[A-Za-z]+)?\sand\s(?:an?|one|two|three)[\s-]{_PART}",  # "2 and a half", "2 hours and a half"
        r"(?:\s?%|\sper\s?cent)[^\S\n]+of\b[^.;\n]*\d",  # "20% of 50"
        rf"(?:\s?%|\sper\s?cent)[^\S\n]+(?:off|(?:more|less|fewer|higher|lower)\s+than)\s+{_CURRENCY}\d",
        r"[^\S\n]?(?:feet|foot|ft),?[^\S\n]+\d+[\s-]?in\b",
        r"(?:(?<=/\d)|(?<=/\d\d))[^\S\n]+of\b[^.;\n]*\d",  # "1/2 of 20"
        rf"[^\S\n]+{_SUM}\b[^.;\n]*\d",  # "5 times 3"
        rf"[^\S\n]+(?:or|to|and|through)[^\S\n]+{_CURRENCY}[.\d]",  # "3 or 4"
        rf"[^\S\n]?{_LARGE_UNIT},?[^\S\n]+(?:and[^\S\n]+)?\d+[\s-]?{_SMALL_UNIT}\b",  # "5 hours 30 minutes"
        r"\s?(?:\^|π|√|\\(?:pi|sqrt|[dt]?frac))|\s?\*\*\s?\d|[^\S\n]+(?:squared|cubed)\b|\(\d",
        rf"[\s-]?{_SCALE}(?:s|ths?)?\b|\s?(?:千(?![克米瓦])|조(?!각)|[十百万萬億亿兆천만억])",
        rf"(?<!\d\d)[\s-]{_PART}s\b|(?<=\b1)[\s-]{_PART}\b",  # "3 quarters"
        r"\s?(?:[kKMBT]|[bm]n)(?![\w-])|[mbt](?![\w-])",  # thousands, millions; "5m" may also be metres
    ]
)
_NUMBER = re.compile(rf"{_START}{_CURRENCY}(?P<minus>[{_MINUS}])?{_CURRENCY}{_AMOUNT}(?!{_GOES_ON})")
# Directly before a number: it is denied, counted off, or another is computed from it.
_NOT_IT = re.compile(
    r"(?:\bnot|\bcannot\s+be|n['’]t|\bnever|\b(?:half|thirds?|fourths?|fifths?|quarters?|percent|roots?)\s+of"
    r"|\b(?:twice|thrice|double|triple|half|step|part)|\b(?:more|less|fewer|other|rather)\s+than|\binstead\s+of)"
    r"(?:\s+(?:be|an?|the|this|that|these|those|his|her|their|its|about|exactly|just|only))*[\s*$(]*\Z",
    re.IGNORECASE,
)
# After a number that begins a line: it is that of a step.
_STEP = re.compile(r"(?<!\d1)(?<=1)\.[^\S\n][^\n]*\d|\)[^\S\n]*\w")
_TAKEN_BACK = re.compile(
    r"[^\n]{0,200}?[.!?;:,…–—-]\s*(?:(?:no|but|well|so)\b[\s,.!…]*)*"
    rf"(?:{HESITATION}|on\s+second\s+thought|scratch\s+that|i\s+mean\b|no[,:])[^\n]{{0,200}}?\d",
    re.IGNORECASE,
)
_SAID = [  # the first of them that a text has
    # Not a heading: a number follows, or it is the last line.
    re.compile(r"(?<!#)####(?=\s*[^\w\n#]*(?:[A-Z]{2,3}[^\w\n]*)?\d|[^\n]*\s*\Z)"),
    re.compile(r"\\(?:boxed|fbox)\s*(?=\{)"),
    re.compile(
        r"(?<![/\w])answer\b[*_]*(?:\s+to\s+(?:the|this|your)\s+\w+)?"
        r"\s*(?:(?:is|was|(?:would|must|should|has\s+to)\s+be)\b\s*[:=]?|[:=])",
        re.IGNORECASE,
    ),
]
_ANOTHER = re.compile(r"\b(?:wrong|incorrect|false|first|initial)\s+\Z", re.IGNORECASE)  # before "answer"
# Between "the answer is" and the number.
_LEADING = re.compile(
    r"\s*(?:[^\w\n]|\b(?:therefore|thus|then|hence|so|simply|just|exactly|approximately|about|boxed|[A-Za-z](?=\s*=))\b)*"
)

_BEGINNING = re.compile(r"[A-Z]{0,3}[^\w\n]{0,3}\d")  # of a number

_FRACTION = re.compile(
    r"(?:(?P<whole>\d)\s?)?(?:\\[dt]?frac\s*\{(?P<upper>\d+)\}\s*\{(?P<lower>\d+)\}|(?P<sign>[¼-¾⅐-⅞]))"
)
_RAISED = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹]+")
_MOST_DIGITS = 1000


def first_number(text: str) -> str | None:
    """The first number of a text, in one spelling: "$1,234.00" gives "1234", "2/3" gives "2/3".

    Returns:
        The number; None where there is none, or where it is not clear which the first one is.
    """
    return _first(_inline(text), 0)


def as_number(text: str) -> str | None:
    """The number that a text is, in one spelling, or None where it is not just a number."""
    match = _NUMBER.fullmatch(_inline(text.strip()))
    return None if match is None else _spelled(match)


def said_number(text: str) -> str | None:
    """The number of `said_numbers`; None where there is none, or more than one."""
    said = said_numbers(text)
    return said.pop() if len(said) == 1 else None


def said_numbers(text: str) -> set[str | None]:
    """The numbers that are said to be the answer: after "####", or else in a box, or else after "the answer is".

    Returns:
        The numbers, and None for what is said to be the answer but is not clearly a number, or a wrong one.
    """
    text = _inline(text)
    for said in _SAID:
        if cues := list(said.finditer(text)):
            return {_said_after(text, cue) for cue in cues}
    return set()


def _said_after(text: str, cue: re.Match[str]) -> str | None:
    """The number that follows a cue, at once or after words that do not count."""
    if _ANOTHER.search(text[max(0, cue.start() - 20) : cue.start()]):
        return None
    leading = _LEADING.match(text, start := cue.end())
    assert leading is not None, "it matches the empty text as well"
    if not _BEGINNING.match(text, leading.end()):
        return None
    end = text.find("\n", leading.end())
    line = text[: end if end >= 0 else None]
    match = _NUMBER.search(line, start)
    return _first(line, start) if match is not None and match.start() <= leading.end() else None


def _first(text: str, start: int) -> str | None:
    match = _NUMBER.search(text, start)
    if match is None or re.search(r"\d", text[start : match.start()]):
        return None  # digits that are no number come first
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    step = not before.strip(" \t*(#") and _STEP.match(text, match.end())
    if step or _NOT_IT.search(before[-100:]):
        return None
    return None if _TAKEN_BACK.match(text, match.end()) else _spelled(match)


def _inline(text: str) -> str:
    r"""Write `\frac{1}{2}` and "½" as 1/2, and raised digits as ^2."""
    text = _FRACTION.sub(_slashed, text)
    return _RAISED.sub(lambda match: "^" + unicodedata.normalize("NFKC", match[0]), text)


def _slashed(match: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", match["sign"] or f"{match['upper']}/{match['lower']}")
    return f"{match['whole']} {fraction}" if match["whole"] else fraction


def _spelled(match: re.Match[str]) -> str | None:
    if len(match[0]) > _MOST_DIGITS:
        return None
    if match["whole"]:
        over = int(match["lower"])
        value = Fraction(int(match["whole"]) * over + int(match["upper"]))
    else:
        over = int((match["under"] or "1").replace(",", ""))
        value = Fraction("".join(filter(str.isdecimal, match["integer"] or "")) + (match["places"] or "") or "0")
        value *= Fraction(10) ** int(re.sub(f"[{_MINUS}]", "-", match["power"] or "0"))
    if over == 0:
        return None
    return _in_one_spelling((-value if match["minus"] else value) / over)


def _in_one_spelling(value: Fraction) -> str:
    """A decimal number where there is an exact one, otherwise a fraction in lowest terms."""
    rest = value.denominator
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    if rest > 1 or value.denominator == 1:
        return str(value)
    places = next(places for places in count(1) if 10**places % value.denominator == 0)
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
