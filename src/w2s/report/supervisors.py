"""Several supervisors of one run beside each other: as a table in the terminal, and as rows for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from w2s.reliability.annotators import Annotator, Annotators, Disputed, Pair
from w2s.report import words
from w2s.report.annotators import annotators_title, annotators_verdict
from w2s.report.tables import heading, plain_table
from w2s.results.supervisors import Member, SupervisorComparison

__all__ = ["ShownSupervisors", "shown_supervisors", "supervisors_table", "supervisors_verdict"]

_WHO = "supervisor"
_MOST_ROWS = 20  # of the table in the terminal
_MATRIX = 12  # supervisors; a matrix of more is wider than a page
_CHARACTERS = 160  # of a question or an answer that is disputed


def supervisors_table(found: SupervisorComparison) -> Group:
    """Each supervisor: how much it answered, how far it agrees, and how often it is right where that is known."""
    rows = [
        [
            member.name,
            f"{member.rows:,}",
            f"{member.unparsed:,}",
            words.share(one.self_agreement if one else None),
            words.share(one.agreement if one else None),
            words.share(one.accuracy if one else None),
            words.share(member.accuracy),
            words.share(member.test_accuracy),
        ]
        for member, one in _beside(found)[:_MOST_ROWS]
    ]
    columns = [
        "supervisor:",
        "answers",
        "unparsed",
        "agrees with itself",
        "with others",
        "Dawid-Skene",
        "right",
        "on test",
    ]
    title = annotators_title(found.compared, _WHO) if found.compared else f"{len(found.members)} supervisors"
    more = len(found.members) - len(rows)
    notes = [Text(f"({more:,} supervisors more: in results.json)")] if more else []
    return Group(heading(title), plain_table(columns, rows), *notes)


def supervisors_verdict(found: SupervisorComparison, who: str = _WHO) -> str:
    """Whom to trust, in a line."""
    if found.compared is None:
        return "none of the answers could be parsed: nothing to compare"
    return annotators_verdict(found.compared, who)


def _beside(found: SupervisorComparison) -> list[tuple[Member, Annotator | None]]:
    """Each member and what the others' answers say of it; the most accurate first by Dawid and Skene."""
    said = {one.name: one for one in found.compared.annotators} if found.compared else {}
    place = {name: number for number, name in enumerate(said)}
    ordered = sorted(found.members, key=lambda member: (place.get(member.name, len(place)), member.name))
    return [(member, said.get(member.name)) for member in ordered]


@dataclass(frozen=True, kw_only=True)
class _Dispute:
    """A disputed question: its text, who gave which answer how often, and what is known of the right one."""

    found: Disputed
    text: str
    given: list[tuple[str, str]]
    truth: str | None


@dataclass(frozen=True, kw_only=True)
class ShownSupervisors:
    """A comparison as the page shows it.

    Attributes:
        seed: Of the run.
        title: How far they agree, in a line.
        verdict: Whom to trust.
        rows: Each supervisor, and what the others' answers say of it.
        names: Of the matrix, in its order; empty where it would be too wide.
        matrix: (names, names) each pair; None on the diagonal, and for two who share no question.
        pairs: The pairs that differ most, where there is no matrix.
        disputed: The questions that they dispute most.
    """

    seed: int
    title: str
    verdict: str
    rows: list[tuple[Member, Annotator | None]]
    names: list[str]
    matrix: list[list[Pair | None]]
    pairs: list[Pair]
    disputed: list[_Dispute]


def shown_supervisors(
    found: SupervisorComparison, texts: Mapping[str, str], gold: Mapping[str, str], *, who: str = _WHO
) -> ShownSupervisors:
    """Prepare a comparison for a page.

    Args:
        found: The comparison.
        texts: Of the questions, by id.
        gold: Their right answers, as far as they are known.
        who: What one of those who answer is called.
    """
    compared = found.compared
    title = annotators_title(compared, who) if compared else f"{len(found.members)} {who}s"
    names, matrix = _matrix(compared) if compared else ([], [])
    return ShownSupervisors(
        seed=found.seed,
        title=title,
        verdict=supervisors_verdict(found, who),
        rows=_beside(found),
        names=names,
        matrix=matrix,
        pairs=list(compared.pairs[:_MATRIX]) if compared and not names else [],
        disputed=[_dispute(one, texts, gold) for one in compared.disputed] if compared else [],
    )


def _matrix(found: Annotators) -> tuple[list[str], list[list[Pair | None]]]:
    names = [one.name for one in found.annotators]
    if not 2 <= len(names) <= _MATRIX:
        return [], []
    pairs = {frozenset(pair.annotators): pair for pair in found.pairs}
    return names, [[pairs.get(frozenset((one, other))) for other in names] for one in names]


def _dispute(found: Disputed, texts: Mapping[str, str], gold: Mapping[str, str]) -> _Dispute:
    given = [
        (name, ", ".join(f"{_short(answer)} ×{count}" for answer, count in answers.items()))
        for name, answers in found.answers.items()
    ]
    text = texts.get(found.question_id, "")
    return _Dispute(found=found, text=_short(text), given=given, truth=gold.get(found.question_id))


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
