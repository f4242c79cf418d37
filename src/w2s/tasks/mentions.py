"""Where a text mentions options, by their words or their letters, and which of them it rules out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["HESITATION", "OUTER", "Mention", "letters_in", "listed", "longest", "ruled_out", "turns_from", "words_in"]

OUTER = " \t\n.,;:!?\"'“”‘’"
"""What may stand around an option and does not count."""

_VERBS = (
    r"(?:is|are|was|were|be|been|being|can|could|would|will|should|must|may|might|does|do|did|has|have|had"
    r"|seems?|looks?|sounds?|makes?)"
)
_NOT = (
    r"(?:\bnot\b|\bcannot\b|\bnever\b|n['’]t\b|\bnon(?=\s)"
    r"|\b(?:nicht|kein(?:e[nmrs]?)?|n['’]est\s+pas|no\s+es|niet|geen|não\s+é|non\s+è|не)\b)"
)
_WRONG = r"\b(?:incorrect|wrong|false|inaccurate|untrue|invalid|impossible|implausible|unlikely)\b"
_DISMISSED = r"(?:rul(?:e|es|ed|ing)\s+out|(?:exclud|eliminat|reject|discard|dismiss)(?:e|es|s|ed|ing)?)"
HESITATION = r"(?:wait|hold\s+on|hm+|oh|oops|sorry|actually|correction)\b"
# "no doubt", "no other option fits": denies no option.
_NO = r"no(?:pe)?\b(?!\s+(?:doubt|other|one|need|problem|idea|question|explanation|reason|more|further|matter)\b)"
_FILL = (
    r"(?:an?|the|it|it['’]s|that|this|to|both|either|any(?:thing)?|all|of|in|as|for|also|then|so|just|simply|too|therefore"
    r"|answers?|options?|choices?|letters?|think|believe|say|choose|pick|select|go|with|very|quite|too|even|much|at\s+all"
    r"|call|consider|describe|find|label|rate|classify|judge|deem|regard|(?:the|an?)\s+(?:\w+\s+){1,2}of|\w+ly"
    rf"|{_VERBS})"
)
_NAMED = (
    r"(?:(?:answer|option|choice|one|letter|guess)s?\s*(?:is|are|was|were|would\s+be|[:=])|(?:is|are|was|would\s+be)\b)"
)
_HARDLY = (
    r"(?:hardly|barely|scarcely|far\s+from|less\s+than|by\s+no\s+means|in\s+no\s+way|(?:any|every)(?:thing|one|body)\s+but"
    r"|all\s+but)"
)
_DOUBTED = (
    r"(?:(?<!no\s)(?<!not\s)(?<!n['’]t\s)(?<!without\s)(?<!\sa\s)doubt(?:s|ed|ful)?(?:\s+(?:that|if|whether))?"
    r"|(?:refus|hesitat|declin|fail)\w*\s+to|nothing|without|(?:lacks?|lacking|absence|opposite)(?:\s+of)?|free\s+(?:of|from))"
)
_LEAST = (
    r"(?:least\s+(?:likely|probable|plausible|correct|appropriate|suitable|accurate|fitting|convincing|credible)|worst)"
)
# "not", "it can't be", "I would rule out", "rather than", "anything but", "no": what follows is ruled out.
_BEFORE = re.compile(
    rf"(?:{_NOT}|\b(?:neither|nor|{_DISMISSED}|rather\s+than|instead\s+of|other\s+than|except(?:\s+for)?)\b"
    rf"|\b(?:{_HARDLY}|{_DOUBTED}|{_NO}(?=[^\S\n]))(?!\w)"
    rf"|(?:{_WRONG}|\b{_LEAST})\s+(?:{_NAMED}|(?:to|that)\b))"
    rf"(?:\s+{_FILL})*[\s(\[\"'“*]*$",
    re.IGNORECASE,
)
# "is incorrect", "can't be right", "are both ruled out": what precedes is ruled out.
_AFTER = re.compile(
    rf"[)\]\"'”*]*(?:\s+{_FILL})*?"
    rf"(?:\s+{_VERBS}{_NOT}|\s+(?:won|can)['’]t\b|\s+{_NOT}|\s+{_WRONG}|\s+(?:{_DISMISSED}|{_HARDLY}|doubtful|out(?!\s+of\b)|fails?)\b)"
    rf"|[)\]\"'”*\s]*[)\]:(–—-]\s*(?:{_WRONG}|{_NO})|\.\s*{_WRONG}|[^\w\n]*[❌✗✘]"
    # "A. Wait, no, B.", "Paris? No. Lyon.": taken back.
    rf"|[)\]\"'”*]*(?:\s*\?|(?:[\s.,;:!…–—-]+{HESITATION})+)[\s.,;:!…–—-]*{_NO}",
    re.IGNORECASE,
)
# Without any of these words nothing is ruled out.
_DENYING = re.compile(
    rf"{_NOT}|{_WRONG}|[❌✗✘]|\b(?:neither|nor|{_DISMISSED}|{_HARDLY}|{_DOUBTED}|{_LEAST}|than|of|except|out|fails?|no|nope)\b",
    re.IGNORECASE,
)
_SINGULAR = re.compile(r"\W*(?:is|was|does|has|seems|looks|sounds|makes|isn|wasn|doesn|hasn)\b", re.IGNORECASE)
_JOINED = re.compile(r"[\s,/&()\[\]\"'“”*]*(?:\b(?:or|and|nor)\b)?\s*(?:\b(?:option|choice)\b)?[\s(\[\"'“*]*", re.I)
_AND = re.compile(r"\b(?:or|and|nor)\b|[&/]", re.IGNORECASE)
# Between two options: the second is an afterthought.
_AFTERTHOUGHT = re.compile(
    r"(?:^|[.!?;:,…–—\n-])\s*(?:(?:no|but|well|and|so|then|or)\b[\s,.!…–—-]*)*"
    rf"(?:{HESITATION}|(?:on|but|at)\s+second\s+thought|(?:scratch|strike)\s+that|my\s+mistake|i\s+mean\b"
    r"|let\s+me\s+(?:re)?-?(?:think|check|consider)|no(?:pe)?[,:])",
    re.IGNORECASE,
)
_AT_FIRST = r"(?:first|initial(?:ly)?|originally|tempt(?:ed|ing)|thought|assumed|guess(?:ed)?)"
# Before an option, and after it: it is no more than what seems right, if the sentence goes on to another.
_SEEMING = re.compile(
    rf"\b(?:while|although|though|even\s+if|whereas|unlike|despite|contrary\s+to|{_AT_FIRST})\b[^.,;!?\n]*$",
    re.IGNORECASE,
)
_SEEMED = re.compile(
    rf"[^.,;!?\n]{{0,40}}?\b(?:{_AT_FIRST}|(?:seem|look|sound|appear)(?:s|ed)?|close|plausible|popular)\b",
    re.IGNORECASE,
)


_NO_PHRASE = (
    r"(?:doubt|idea|(?:clear|direct|explicit|specific|real|obvious|strong)?\s*(?:evidence|signs?|indications?|proof|mention)|way"
    r"|one|problem|longer|such|matter|need|question|reason|information|further|other|more|harm|issue|means)\b"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One option, named from `start` to `end` of a text."""

    start: int
    end: int
    option: int


def words_in(text: str, options: Sequence[str]) -> list[Mention]:
    """Where a text names options by their words, in its order; none inside a longer one.

    Case, spacing and outer punctuation do not count. An option without words is named nowhere.
    """
    return longest(
        Mention(match.start(), match.end(), index)
        for index, option in enumerate(options)
        if option.strip()
        for match in _pattern(option).finditer(text)
    )


def letters_in(text: str, letters: str) -> list[Mention]:
    """Where a text names options by capital letters, or by letters in brackets; the article "A" is none."""
    words = "".join(letter for letter in letters if letter in "AI")
    others = "".join(letter for letter in letters if letter not in "AI") or "\0"
    either_case = letters + letters.lower()
    verb = rf"\s+(?:and|or|nor|but|so|because|since|{_VERBS}(?:n['’]t)?|can['’]t|cannot|won['’]t|rather|instead)\b"
    bare = rf"[{others}]" + (rf"|[{words}](?=\s*$|\s*[^\w\s'’-]|\s+[-–—]\s|{verb})" if words else "")
    pattern = re.compile(rf"(?<![\w'’.-])(?:{bare}|(?<=\()[{either_case}](?=\)))(?![\w'’-]|\.\w)")
    return [Mention(match.start(), match.end(), letters.index(match[0].upper())) for match in pattern.finditer(text)]


def longest(mentions: Iterable[Mention]) -> list[Mention]:
    """Those that are not part of a longer one, in the order of the text."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda mention: (mention.start, -mention.end, mention.option)):
        within = kept and mention.end <= kept[-1].end
        if not within or (mention.start, mention.end) == (kept[-1].start, kept[-1].end):
            kept.append(mention)
    return kept


def listed(text: str, mentions: Sequence[Mention]) -> list[list[Mention]]:
    """The mentions, those together that are joined as a list: "A, B or C"."""
    lists: list[list[Mention]] = []
    for mention in mentions:
        last = lists[-1][-1] if lists else None
        if last is not None and (mention.start < last.end or _JOINED.fullmatch(text, last.end, mention.start)):
            lists[-1].append(mention)
        else:
            lists.append([mention])
    return lists


def ruled_out(text: str, mentions: Sequence[Mention]) -> set[Mention]:
    """The mentions that the text rules out: "not B", "A and C are incorrect", "I would eliminate D".

    Words of an option rule nothing out: "B is wrong" does not where "wrong" is an option itself.
    """
    if not _DENYING.search(text):
        return set()
    bare = _without(text, mentions)
    out: set[Mention] = set()
    for one in listed(text, mentions):
        if _BEFORE.search(bare[max(0, one[0].start - 100) : one[0].start]):
            out.update(one)
        elif after := _AFTER.match(bare, one[-1].end):
            last = [mention for mention in one if mention.end == one[-1].end]
            rest = [mention for mention in one if mention.end < one[-1].start]
            joined = bool(rest) and _AND.search(text, rest[-1].end, one[-1].start)
            out.update(one if joined and not _SINGULAR.match(after[0]) else last)
    return out


def turns_from(text: str, option: int, mentions: Sequence[Mention]) -> bool:
    """Whether a text names an option and then thinks better of it: "C. Actually, D.", "While C is tempting, D fits".

    Args:
        text: The text.
        option: The index of the option.
        mentions: All mentions that the text does not rule out.
    """
    own = next((mention for mention in mentions if mention.option == option), None)
    start, end = (0, 0) if own is None else (own.start, own.end)
    bare = _without(text, mentions)
    sentence = re.split(r"[.!?\n]", bare[max(0, start - 100) : start])[-1]
    seeming = own is not None and (_SEEMING.search(sentence) or _SEEMED.match(bare, end))
    for mention in mentions:
        if mention.option == option or mention.start < end:
            continue
        between = bare[end : min(mention.start, end + 1000)]
        if re.search(r"\n\s*\n", between):
            return False
        if _AFTERTHOUGHT.search(between) or (seeming and re.search(r"^[^.!?\n]*(?:,|\bbut\b)[^.!?\n]*$", between)):
            return True
    return False


def _without(text: str, mentions: Iterable[Mention]) -> str:
    """A text with "…" for each letter of the mentions."""
    plain = list(text)
    for mention in mentions:
        plain[mention.start : mention.end] = "…" * (mention.end - mention.start)
    return "".join(plain)


def _pattern(option: str) -> re.Pattern[str]:
    core = option.strip(OUTER) or option.strip()
    left = right = ""
    if core[0].isalnum():
        left = r"(?<!\w)(?<!\w-)" + (r"(?<![-−])(?<!\d[.,:/])" if core[0].isdigit() else "")
    if core[-1].isalnum():
        right = r"(?!\w)(?!-\w)" + (r"(?![.,:/]\d)" if core[-1].isdigit() else "")
    if core.casefold() == "no":  # "no idea", "there is no way": part of a sentence
        right += rf"(?![^\S\n]+(?:\w+ly\s+)?{_NO_PHRASE})"
    if core.casefold() == "other":
        right += r"(?!\s+(?:words?|hand)\b)"
    words = r"\s+".join(map(re.escape, core.split()))
    hyphens = re.sub(r"(?<=[^\W\d_])\\-(?=[^\W\d_])", r"[-\\s]", words)
    return re.compile(left + hyphens + right, re.IGNORECASE)
