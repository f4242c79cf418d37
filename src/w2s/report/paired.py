"""Two tables of predictions compared, in a few lines."""

from __future__ import annotations

from w2s.report import words
from w2s.results.paired import Paired

__all__ = ["paired_text"]


def paired_text(found: Paired) -> str:
    """Both accuracies, the difference with its interval, and what decides it."""
    width = max(map(len, found.names))
    lines = [
        f"{name:<{width}}  {words.share(found.accuracy[number])} "
        f"{words.interval(found.accuracy_low[number], found.accuracy_high[number])}"
        for number, name in enumerate(found.names)
    ]
    sign = "+" if found.difference >= 0 else ""
    ends = words.interval(found.difference_low, found.difference_high, sign=True)
    p_value = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    lines += [
        f"{'difference':<{width}}  {sign}{words.share(found.difference)} {ends}, {p_value} (exact)",
        f"{found.questions:,} questions; the first alone is right on {found.only_first:,}, "
        f"the second alone on {found.only_second:,}",
    ]
    for name, count in zip(found.names, found.unshared, strict=True):
        if count:
            lines.append(f"left out: {count:,} questions that only {name} has")
    return "\n".join(lines)
