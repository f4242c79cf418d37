"""What several annotators' answers say of each other, as tables and a verdict in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from w2s.reading.labels import Labels
from w2s.reliability.annotators import Annotator, Annotators
from w2s.report import words
from w2s.report.tables import heading, plain_table

__all__ = ["annotators_tables", "annotators_title", "annotators_verdict", "labels_notes"]

_SHOWN = 5  # of a list: the rest is in the JSON
_MOST_ROWS = 20
_CLEARLY = 0.05  # a difference of accuracies that is worth a word
_MANY = 20  # questions, to say of somebody that all answers are one
_HARDLY = 0.2  # an alpha below which nothing else is worth much


def annotators_tables(found: Annotators) -> Group:
    """Each annotator, the pairs who disagree most, and the most disputed questions."""
    rows = [
        [
            one.name,
            f"{one.questions:,}",
            words.share(one.agreement),
            words.share(one.majority_accuracy),
            words.with_ends(words.share(one.accuracy), words.interval(one.accuracy_low, one.accuracy_high)),
        ]
        for one in _both_ends(found.annotators)
    ]
    columns = ["annotator:", "questions", "agrees", "with majority", "Dawid-Skene [95%]"]
    parts: list[RenderableType] = [heading(annotators_title(found)), plain_table(columns, rows)]
    if len(rows) < len(found.annotators):
        parts.append(Text(f"({len(found.annotators) - len(rows):,} annotators between these: in --json)"))
    if found.form:
        parts.append(Text(f"agrees: with another annotator; with majority: of the others; {_FORMS[found.form]}"))
    if pairs := [pair for pair in found.pairs if pair.disagreement > 0][:_SHOWN]:
        cells = [
            [
                " and ".join(pair.annotators),
                f"{pair.questions:,}",
                words.share(pair.disagreement),
                words.share(pair.kappa),
            ]
            for pair in pairs
        ]
        parts += [Text(""), plain_table(["disagree most:", "questions", "differ", "kappa"], cells)]
    if disputed := found.disputed[:_SHOWN]:
        cells = [
            [
                one.question_id,
                ", ".join(f"{label} {count:g}" for label, count in one.votes.items()),
                one.majority if one.majority is not None else "(a tie)",
                f"{one.label} {words.share(one.probability, 2)}",
            ]
            for one in disputed
        ]
        parts += [Text(""), plain_table(["disputed:", "votes:", "majority:", "Dawid-Skene:"], cells)]
    return Group(*parts)


_FORMS = {
    "full": "Dawid-Skene: how often right, by a confusion matrix each",
    "one-coin": "Dawid-Skene: how often right, all errors alike",
}


def annotators_title(found: Annotators, who: str = "annotator") -> str:
    """How many they are, and how far they agree, in a line."""
    people = len(found.annotators)
    alpha = "" if found.alpha is None else f"; Krippendorff's alpha {words.share(found.alpha, 2)}"
    unanimous = f", {found.unanimous:,} of them unanimous" if found.compared else ""
    return f"{_counted(people, who)}; {_counted(found.compared, 'question')} answered by several{unanimous}{alpha}"


def _both_ends(annotators: Sequence[Annotator]) -> list[Annotator]:
    if len(annotators) <= _MOST_ROWS:
        return list(annotators)
    return [*annotators[: _MOST_ROWS // 2], *annotators[-_MOST_ROWS // 2 :]]


def annotators_verdict(found: Annotators, who: str = "annotator") -> str:
    """Whom to trust, in a line; and where the table cannot say, what would."""
    names = [one.name for one in found.annotators]
    if len(names) == 1:
        return f"one {who}: nothing here says how right the labels are. A second one on the same questions would."
    if not found.compared:
        return f"no question has labels of two {who}s: nothing here says whom to trust. Some in common would."
    if len(names) == 2:
        differ = found.compared - found.unanimous
        rate = words.share(found.annotators[0].agreement)
        return (
            f"{_both(names)} agree on {rate} of what both answered. Where they differ ({_counted(differ, 'question')}) "
            f"nothing says who is right: a third {who} would, or right answers to these."
        )
    lower = _below(found.annotators)
    others = [one for one in found.annotators if one not in lower]
    if lower and others:
        trusted = _both([_named(one) for one in others[:3]]) + (
            f" and {len(others) - 3} more" if len(others) > 3 else ""
        )
        least = _both([_named(one) for one in lower[::-1][:3]]) + (
            f" and {len(lower) - 3} more" if len(lower) > 3 else ""
        )
        text = f"trust {trusted} rather than {least}."
    else:
        text = f"no {who} stands out: estimated accuracies {_ends(found.annotators)}."
    if found.alpha is not None and found.alpha < _HARDLY:
        hardly = (
            f"they hardly agree (alpha {words.share(found.alpha, 2)}), so little can be said; see what they dispute"
        )
        text = f"{hardly}. If at all: {text}"
    return " ".join([text, _against_majority(found), *_doubts(found)])


def _doubts(found: Annotators) -> list[str]:
    """What would make the estimates wrong."""
    doubts = [
        f"{_both(pair.annotators)} never differ on {pair.questions:,} questions: if one copied the other, "
        "the estimates are wrong."
        for pair in found.identical[:1]
    ]
    lazy = [one.name for one in found.annotators if one.answers == 1 and one.questions >= _MANY]
    if found.form == "full" and lazy and len(lazy) < len(found.annotators):
        doubts.append(f"{_both(lazy[:3])} gave one answer to all questions, which tells nothing, however often right.")
    return [*doubts, "An error that most of them share does not show here."]


def _below(annotators: Sequence[Annotator]) -> list[Annotator]:
    """Those who are clearly less accurate than all together."""
    total = sum(one.questions for one in annotators)
    mean = sum((one.accuracy or 0) * one.questions for one in annotators) / total
    return [
        one
        for one in annotators
        if one.accuracy is not None and one.accuracy_high is not None
        if one.accuracy_high < mean and one.accuracy < mean - _CLEARLY
    ]


def _against_majority(found: Annotators) -> str:
    overruled = f"the majority on {_counted(found.overruled, 'question')}" if found.overruled else "no majority"
    settled = f" and settles {_counted(found.ties, 'tie')}" if found.ties else ""
    return f"Dawid-Skene overrules {overruled}{settled}."


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _named(one: Annotator) -> str:
    return f"{one.name} ({words.share(one.accuracy, 2)})"


def _ends(annotators: Sequence[Annotator]) -> str:
    return f"{words.share(annotators[-1].accuracy, 2)} to {words.share(annotators[0].accuracy, 2)}"


def _both(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def labels_notes(labels: Labels) -> list[str]:
    """What was done to the labels before they were counted, a line each."""
    lines = []
    for label, spellings in sorted(labels.merged.items()):
        each = ", ".join(f"{spelling!r} ({rows:,})" for spelling, rows in sorted(spellings.items()))
        lines.append(f"{'made missing' if not label else f'read as {label!r}'}: {each}")
    if labels.missing:
        lines.append(f"{_counted(labels.missing, 'row')} without a label: left out")
    return [*lines, *labels.notes]
