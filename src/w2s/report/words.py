"""Numbers as people read them, and a run in a sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from w2s.metrics import Pooled
from w2s.results.records import Record, RunRecords

__all__ = [
    "against",
    "duration",
    "effect",
    "headline",
    "interval",
    "missing",
    "not_covered",
    "pgr_of",
    "quoted",
    "share",
    "title",
    "told_of_labels",
    "told_of_test",
    "visible",
    "weights_matter",
]

_MINUS = "−"

# Points: the standard deviation of filtering − naive over eight replicates is .032 to .045 in three tasks; results.md.
ANOTHER_SEED = 4


def share(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def interval(low: float | None, high: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """An interval in brackets, or nothing: one of no width says that there was nothing to measure it by."""
    if low is None or high is None or low == high:
        return ""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"[{low:{form}}, {high:{form}}]".replace("-", _MINUS)


def pgr_of(record: Record) -> str:
    """A PGR in the table: a number, its value by definition, "not defined", or a dash where it was not asked for."""
    if record.pgr_note is not None:
        return "not defined"
    if record.role == "supervisor":
        return "0"
    if record.role == "bound" and record.pgr in (None, 1):
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


def title(result: RunRecords) -> str:
    """What was run, in a line."""
    experiment = result.experiment
    teacher = result.info.get("supervisor", experiment.weak.name)
    return f"{experiment.task.name}: {teacher} teaches {experiment.strong.name}"


def headline(result: RunRecords) -> str:
    """What came out of the comparison that was named before the run; never the best of the table."""
    named = {record.method: record for record in result.pooled}
    if result.compare is None:
        return "No comparison was named before the run: its table shows every method, and claims nothing."
    one, other = (named[label] for label in result.compare)
    words = f"Compared, as named before the run: {one.method} is right on {one.accuracy:.1%} of the test questions"
    if one.pgr is not None:
        words += f" (PGR {one.pgr:.2f})"
    words += f", {other.method} on {other.accuracy:.1%}"
    if one.gain is not None:
        words += f": {_signed(one.gain)} points"
        if one.gain_low is not None and one.gain_high is not None:
            words += f", 95% interval {_signed(one.gain_low)} to {_signed(one.gain_high)}"
    words += "."
    seeds = len(result.experiment.seeds)
    if seeds == 1:
        words += (
            " This is one run: the interval is over its questions alone, and another seed moves such a difference by "
            f"about {ANOTHER_SEED:.0f} points."
        )
    elif seeds == 2:
        words += " These are two seeds: too few for an interval."
    return words


def _signed(share: float) -> str:
    """A difference in points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", _MINUS)


def effect(pooled: Pooled) -> str:
    """A pooled effect in a sentence, in points."""
    text = f"{_signed(pooled.estimate)} points over {pooled.experiments} experiments"
    text += f" (95% interval {_signed(pooled.low)} to {_signed(pooled.high)}, p {_p_value(pooled.p_value)})"
    if pooled.between:
        text += f"; true effects differ by {100 * pooled.between:.1f} points between them (standard deviation)"
    else:
        text += "; estimates differ by no more than their errors explain"
    if pooled.experiments > 2:
        ends = f"{_signed(pooled.low_next)} to {_signed(pooled.high_next)}"
        text += f", and another such experiment's lies in {ends} (95% prediction interval)"
    return text


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def against(result: RunRecords) -> str:
    """The title of the column of gains."""
    return f"against {result.reference.method}" if result.reference else "against –"


def missing(result: RunRecords, *, checked: bool, answered: bool) -> list[str]:
    """What this run cannot tell, a sentence each.

    Args:
        result: The run.
        checked: Whether ground truth of the transfer questions is known.
        answered: Whether the weak answers are there.
    """
    gaps = []
    if not answered:
        gaps.append("The weak answers are not in the run's folder: no figures of them, and nothing to browse.")
    elif not checked:
        gaps.append(
            "The transfer questions have no ground truth. Left out: how many weak labels are right, AUROC, the heat "
            "map, risk and coverage, calibration. All that rests on agreement alone is here."
        )
    if result.ceiling is None:
        gaps.append("No bound was among the methods (ceiling), so there is no PGR.")
    elif not result.of_role("supervisor"):
        gaps.append("The weak source answers no test questions, so there is no PGR.")
    if result.reference is None:
        gaps.append("No reference was among the methods (naive), so nothing is compared with it.")
    if len(result.experiment.seeds) == 1:
        gaps.append("There is one seed: intervals say how sure this run is, not what another seed would give.")
    elif (uncovered := not_covered(result)) is not None:
        gaps.append(uncovered)
    return gaps


def not_covered(result: RunRecords) -> str | None:
    """What intervals over several seeds do not cover, by whose splits and test questions these were."""
    if len(result.experiment.seeds) < 3:
        return None
    if not result.experiment.split_per_seed:
        return (
            "All seeds share one draw of the splits: intervals cover other seeds and other test questions, not another "
            "draw of the questions that are learned from (--split_per_seed true)."
        )
    others = (
        "They do not cover another pool of questions: what seeds learn from overlaps, and may be what another is "
        "tested on."
    )
    tested = {
        "all": "All seeds are tested on the same questions: there are no others.",
        "some": "There are too few questions for test sets of their own: intervals know which ones seeds share.",
        "none": "Each seed has splits of its own, and no two are tested on the same question.",
    }[result.shared_test]
    return f"{tested} {others}"


def told_of_test(result: RunRecords) -> list[str]:
    """Who is no better on the test questions than who does not read them, a line each."""
    lines = [] if result.guessing.chance is None else _against_chance(result.pooled, result.guessing.chance)
    for record in result.pooled:
        if record.same_answer is not None and record.same_answer_share is not None:
            same = f"{quoted(record.same_answer)} to {record.same_answer_share:.0%} of the test questions"
            lines.append(f"One answer to almost all: {record.method} gives {same}")
    return lines


def guessing_rows(results: Sequence[RunRecords]) -> list[tuple[str, list[str]]]:
    """Accuracies that need no knowledge: a name, and a number for each run; what no run defines is left out."""
    found = [result.guessing for result in results]
    constants = {one.constant for one in found if one.constant is not None}
    always = f"(always {quoted(constants.pop())})" if len(constants) == 1 else "(always one answer)"
    rows = [
        ("(chance)", [share(one.chance) for one in found]),
        (always, [share(one.constant_accuracy) for one in found]),
    ]
    return [(name, cells) for name, cells in rows if set(cells) - {"–"}]


def told_of_labels(result: RunRecords) -> list[str]:
    """The verdict of the diagnosis of the weak answers, a line for each seed."""
    lines = []
    for labels in result.labels:
        seed = f" (seed {labels.seed})" if len(result.labels) > 1 else ""
        lines.append(f"The weak supervisor{seed}: {labels.title}. {' '.join([labels.sentence, *labels.notes])}")
    return lines


def _against_chance(records: Sequence[Record], chance: float) -> list[str]:
    """Who is below chance, and whose interval holds it; nothing of who has no interval."""
    ends = {one.method: (one.accuracy_low, one.accuracy_high) for one in records}
    below = [method for method, (_, high) in ends.items() if high is not None and high < chance]
    unclear = [method for method, (low, _) in ends.items() if low is not None and low <= chance and method not in below]
    lines = [f"Below chance: {', '.join(below)}"] if below else []
    return lines + ([f"Not clearly above chance: {', '.join(unclear)}"] if unclear else [])


def with_ends(value: str, ends: str) -> str:
    """A value with the ends of its interval, where it has one."""
    return f"{value} {ends}" if ends else value


def quoted(answer: str) -> str:
    """An answer in quotation marks; the number of an option as it is."""
    return answer if re.fullmatch(r"option \d+", answer) else f"“{answer}”"


def weights_matter(records: Sequence[Record]) -> bool:
    """Whether some training set's share of right labels is another where each counts by its weight."""
    return any(share(one.label_accuracy) != share(one.label_accuracy_weighted) for one in records)


def visible(text: str) -> str:
    """Text with its control characters made visible, but for line breaks and tabs."""
    if text.isprintable():
        return text
    return "".join(_picture(c) if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text)


def _picture(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
