"""What a rewording must be. The checks see a text's form, not its meaning: what passes may still ask something else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from w2s.paraphrasing.numerals import Numbers, numbers_in
from w2s.tasks.mentions import words_in

__all__ = ["Original", "normalized"]

_ANSWERS = re.compile(r"\banswer(?:\s+is\b|\s*:)", re.IGNORECASE)
_HELPS = r"(?:help|assist|fulfil+|comply|re-?word|rephrase|paraphrase|provide|answer|do\s+(?:that|this))\b"
_UNABLE = r"(?:can(?:['’]t|not)|won['’]t|(?:am|['’]m)\s+(?:unable|not\s+able)\s+to)"
_REFUSES = re.compile(
    rf"\W*(?:(?:I['’]m\s+|I\s+am\s+)?sorry,?\s*(?:but\s+)?)?I\s*{_UNABLE}\s+{_HELPS}|\W*as\s+an\s+AI\b", re.IGNORECASE
)
_REMARKS = re.compile(
    r"\((?:note\b|I\s+(?:have\s+)?(?:kept|changed|re-?worded|rephrased|used))[^)]*\)\s*$|[.!?]\s*let me know if\b",
    re.IGNORECASE,
)
_BLANK = re.compile(r"_{2,}")
_ASKS = re.compile(r"\W*(?:in |of |at |to |for )?(?:what|which|who|whom|whose|how|when|where|why)\b", re.IGNORECASE)


def normalized(text: str) -> str:
    """What two wordings that are the same have in common: letters and digits, without case."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


@dataclass(frozen=True, kw_only=True)
class Original:
    """A text to be reworded, and what its rewordings must be.

    Attributes:
        text: The text.
        options: What may be answered, where there is something to choose from.
        shortest: A rewording has at least so many times the characters of the text.
        longest: A rewording has at most so many times the characters of the text.
    """

    text: str
    options: Sequence[str] = ()
    shortest: float = 0.5
    longest: float = 2.0

    @cached_property
    def _numbers(self) -> Numbers:
        return numbers_in(self.text)

    @cached_property
    def _named(self) -> set[int]:
        return {mention.option for mention in words_in(self.text, self.options)}

    def fault(self, wording: str, taken: Collection[str] = ()) -> str | None:
        """What is wrong with a rewording; None where nothing is.

        Args:
            wording: The rewording.
            taken: The rewordings that are there already, `normalized`.
        """
        same = normalized(wording)
        if not same:
            return "empty"
        if same == normalized(self.text):
            return "the question again"
        if same in taken:
            return "another rewording again"
        if _REFUSES.match(wording) and not _REFUSES.match(self.text):
            return "refused"
        if _REMARKS.search(wording) and not _REMARKS.search(self.text):
            return "a remark besides"
        if len(wording) < self.shortest * len(self.text):
            return "too short"
        if len(wording) > self.longest * len(self.text):
            return "too long"
        return self._other_numbers(wording) or self._answer(wording) or self._other_end(wording)

    def _other_numbers(self, wording: str) -> str | None:
        numbers = numbers_in(wording)
        if self._numbers.missing_in(numbers):
            return "a number missing"
        return "a number added" if self._numbers.added_by(numbers) else None

    def _answer(self, wording: str) -> str | None:
        if {mention.option for mention in words_in(wording, self.options)} - self._named:
            return "an option named"
        return "an answer" if _ANSWERS.search(wording) and not _ANSWERS.search(self.text) else None

    def _other_end(self, wording: str) -> str | None:
        """A blank must stay; a text that breaks off, for the options to go on from, must break off at the same word."""
        if len(_BLANK.findall(self.text)) != len(_BLANK.findall(wording)):
            return "a blank missing or added"
        if re.search(r"[\w,]\s*$", self.text) and not _ASKS.match(self.text):
            last, own = (re.findall(r"\w+", one.casefold())[-1] for one in (self.text, wording))
            if last != own or not re.search(r"[\w,]\s*$", wording):
                return "another end"
        return None
