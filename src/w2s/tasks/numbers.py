r"""How a number is parsed from a text: as the number that was written, or not at all.

Read are thousands commas (also LaTeX's `9{,}500`, and thin spaces), decimals, every usual minus, currency before
the number, exponents, fractions and mixed numbers; what follows as a unit does not count, and neither does "%".
A decimal point is a point, as in English. What begins like a number and goes on as something else ("3,5", "10:30",
"1.2.3", "2 million", "10^6", "5-7", "5 + 3") is no number: its beginning would be another one than was meant.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from itertools import count

__all__ = ["as_number", "first_number", "said_number"]

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
# After a number: nothing that makes it the beginning of another.
_GOES_ON = "|".join(
    [
        rf"[^\s\w+*=×÷<>()\[\]|;&~—{_MINUS}{_SYMBOL}]\d|_\d",  # any separator that was not understood
        rf"[^\S\n]?(?:[+*×÷·{_MINUS}]|\\times|\\cdot|\\div|[xX](?=\s))[^\S\n]?{_CURRENCY}[.\d]",  # sum, range, date
        r"[^\W\d_]+\d",  # "0x1F", "1e400"
        r"(?:\{,\}|,\\!|\\,|\s)\d{3}(?!\d)",  # "1 234", which may be one number or two
        rf"[\s{_MINUS}](?:and\s)?\d+{_OVER}\d",  # "2-1/2"
        rf"\sand\s(?:an?|one|two|three)[\s-]{_PART}",  # "2 and a half"
        r"\s?(?:\^|π|√|\\(?:pi|sqrt|[dt]?frac))|\*\*\s?\d",
        r"[\s-]?(?i:hundred|thousand|million|billion|trillion|lakh|crore|dozen)(?:s|ths?)?\b",
        rf"(?<!\d\d)[\s-]{_PART}s\b|(?<=\b1)[\s-]{_PART}\b",  # "3 quarters"
        r"\s?(?:[kKMBT]|[bm]n)(?![\w-])|[mbt](?![\w-])",  # thousands, millions; "5m" may also be metres
    ]
)
_NUMBER = re.compile(rf"{_START}{_CURRENCY}(?P<minus>[{_MINUS}])?{_CURRENCY}{_AMOUNT}(?!{_GOES_ON})")
_SAID = [  # the first of them that a text has
    re.compile(r"####\s*(?=.)"),
    re.compile(r"\banswer(?:\s+is)?\s*[:=]?\s*(?=[^\w\n]*\d)", re.IGNORECASE),
]

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
    """The number that follows "####", or else "the answer is"."""
    text = _inline(text)
    match = next((match for said in _SAID if (match := said.search(text))), None)
    if match is None:
        return None
    end = text.find("\n", match.end())
    return _first(text if end < 0 else text[:end], match.end())


def _first(text: str, start: int) -> str | None:
    match = _NUMBER.search(text, start)
    if match is None or re.search(r"\d", text[start : match.start()]):
        return None  # digits that are no number come first
    return _spelled(match)


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
