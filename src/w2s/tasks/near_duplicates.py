"""Questions that nearly repeat another: their runs of three words are the same but for a tenth."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from w2s.tasks.questions import Question

__all__ = ["THRESHOLD", "repeats", "shingles_of"]

THRESHOLD = 0.9
"""Jaccard similarity of two sets of shingles from which one question nearly repeats the other."""

_RUN = 3
# Words, the characters of scripts that put no spaces between words, and signs such as "+"; not the punctuation.
_TOKEN = re.compile(r"[\u2e80-\u9fff]|[^\W\u2e80-\u9fff]+|[^\w\s.,;:!?'\"()\[\]“”‘’]")


def shingles_of(question: Question) -> frozenset[tuple[str, ...]]:
    """The runs of three words of the question's text, and of each of its choices."""
    return frozenset(run for text in (question.text, *question.choices) for run in _runs(text))


def repeats(
    items: Sequence[frozenset[tuple[str, ...]]],
    groups: Sequence[Hashable] | None = None,
    threshold: float = THRESHOLD,
) -> list[int | None]:
    """For each item, an earlier one that it nearly repeats.

    Exact, and in about linear time for a high threshold: of two sets that share nine tenths, the rarest tenths
    of both must have something in common, so only these are looked up (prefix filtering: Bayardo et al.,
    "Scaling up all pairs similarity search", 2007).

    Args:
        items: Sets of shingles, those to be kept first.
        groups: The group of each item, where only repetitions between groups count.
        threshold: The least Jaccard similarity of a near-duplicate, above 0.

    Returns:
        (items,) the index of an earlier item that repeats none itself; None where there is none.
    """
    frequency = Counter(shingle for item in items for shingle in item)
    kept: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    found: list[int | None] = []
    for index, item in enumerate(items):
        rarest = sorted(item, key=lambda shingle: (frequency[shingle], shingle))
        rarest = rarest[: len(item) - math.ceil(threshold * len(item) - 1e-9) + 1]
        candidates = dict.fromkeys(other for shingle in rarest for other in kept[shingle])
        match = next(
            (
                other
                for other in candidates
                if (groups is None or groups[other] != groups[index]) and _similar(items[other], item, threshold)
            ),
            None,
        )
        found.append(match)
        if match is None:
            for shingle in rarest:
                kept[shingle].append(index)
    return found


def _similar(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]], threshold: float) -> bool:
    if min(len(one), len(other)) < threshold * max(len(one), len(other)) - 1e-9:
        return False
    shared = len(one & other)
    return shared >= threshold * (len(one) + len(other) - shared) - 1e-9


def _runs(text: str) -> set[tuple[str, ...]]:
    tokens = _TOKEN.findall(unicodedata.normalize("NFC", text).casefold())
    return {tuple(tokens[start : start + _RUN]) for start in range(max(1, len(tokens) - _RUN + 1))} - {()}
