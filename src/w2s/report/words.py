"""Numbers as people read them, and a run in a sentence."""

from __future__ import annotations

import unicodedata

from w2s.results import CEILING, WEAK, Record, Result

__all__ = ["duration", "headline", "interval", "missing", "pgr_of", "share", "title", "visible"]

_MINUS = "−"


def share(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def interval(low: float | None, high: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """An interval in brackets, or nothing."""
    if low is None or high is None:
        return ""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"[{low:{form}}, {high:{form}}]".replace("-", _MINUS)


def pgr_of(record: Record) -> str:
    """A PGR in the table: a number, its value by definition, "not defined", or a dash where it was not asked for."""
    if record.pgr_note is not None:
        return "not defined"
    if record.method == WEAK:
        return "0"
    if record.method == CEILING:
        return "1"
    return share(record.pgr, 2)


def duration(seconds: float | None) -> str:
    """A time, to a precision worth reading."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def title(result: Result) -> str:
    """What was run, in a line."""
    experiment = result.experiment
    return f"{experiment.task.name}: {experiment.weak.name} teaches {experiment.strong.name}"


def headline(result: Result) -> str:
    """What came out, in a sentence or two: the method of the highest accuracy among those without ground truth."""
    trained = [record for record in result.pooled if record.rows and record.method != WEAK and not record.uses_gold]
    weak = next((record for record in result.pooled if record.method == WEAK), None)
    if not trained or weak is None:
        return "No student was trained on weak answers."
    best = max(trained, key=lambda record: record.accuracy)
    words = (
        f"The student trained by {best.method} is right on {best.accuracy:.1%} of the test questions, "
        f"its weak supervisor on {weak.accuracy:.1%}"
    )
    if best.pgr is not None:
        words += f"; that recovers {best.pgr:.0%} of the gap to the ceiling"
    words += "."
    if best.gain is not None and best.gain_low is not None and best.gain_high is not None:
        clear = best.gain_low > 0 or best.gain_high < 0
        words += (
            f" Against naive supervision it is {100 * best.gain:+.1f} points "
            f"(95% interval {100 * best.gain_low:+.1f} to {100 * best.gain_high:+.1f})"
            + ("." if clear else ", which may be chance.")
        ).replace("-", _MINUS)
    return words


def missing(result: Result, *, checked: bool, answered: bool) -> list[str]:
    """What this run cannot tell, a sentence each.

    Args:
        result: The run.
        checked: Whether ground truth of the transfer questions is known.
        answered: Whether the weak answers are there.
    """
    gaps = []
    names = {record.method for record in result.pooled}
    if not answered:
        gaps.append("The weak answers are not in the run's folder: there is no diagnosis and nothing to browse.")
    elif not checked:
        gaps.append(
            "The transfer questions have no ground truth. Left out: how many weak labels are right, AUROC, the heat "
            "map, risk and coverage, calibration. All that rests on agreement alone is here."
        )
    if CEILING not in names:
        gaps.append("The ceiling was not among the methods, so there is no PGR.")
    if "naive" not in names:
        gaps.append("Naive supervision was not among the methods, so nothing is compared with it.")
    if len(result.experiment.seeds) == 1:
        gaps.append("There is one seed: intervals say how sure this run is, not what another seed would give.")
    return gaps


def visible(text: str) -> str:
    """Text with its control characters made visible, but for line breaks and tabs."""
    if text.isprintable():
        return text
    return "".join(_picture(c) if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text)


def _picture(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
