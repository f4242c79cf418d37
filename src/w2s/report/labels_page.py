"""The page of a table of answers, whoever gave them: whom to trust, what they dispute, how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError
from w2s.reading.labels import Labels
from w2s.reliability import ReliabilitySummary, summarize
from w2s.report import words
from w2s.report.annotators import labels_notes
from w2s.report.page import template, write
from w2s.report.supervisors import ShownSupervisors, shown_supervisors
from w2s.results.supervisors import SupervisorComparison

__all__ = ["write_labels_page"]

_MOST = 20  # questions in a list
_CHARACTERS = 160  # of a question's text


class _Divided(NamedTuple):
    """A question, and who often which answer was given to it."""

    question_id: str
    text: str
    votes: str
    entropy: float


def write_labels_page(
    labels: Labels, scored: pa.Table, path: str | Path, *, title: str, notes: Sequence[str] = ()
) -> Path:
    """Write the page of a table of answers: one HTML file that needs nothing else.

    Args:
        labels: The answers, and what was done to read them.
        scored: The same, scored.
        path: The HTML file; what is there is replaced.
        title: Of the page.
        notes: What else is to be said of the table.

    Returns:
        The file.

    Raises:
        InputError: The file's name is not that of a page.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: expected a file named *.html, not {path.suffix!r}")
    summary, texts = summarize(scored), _texts(labels.table)
    page = template("labels.html").render(
        title=title,
        subtitle=_subtitle(summary),
        shown=_shown(labels, texts),
        summary=summary,
        divided=_divided(scored, texts),
        notes=[*notes, *labels_notes(labels)],
    )
    return write(page, path)


def _subtitle(summary: ReliabilitySummary) -> str:
    return (
        f"{summary.questions:,} questions, {summary.rows:,} answers; all answers agree on "
        f"{words.share(summary.unanimity_rate)} of the questions; unparsed: {words.share(summary.unparsed_rate)}"
    )


def _shown(labels: Labels, texts: dict[str, str]) -> ShownSupervisors | None:
    if "supervisor" not in labels.table.column_names:
        return None
    found = SupervisorComparison.of(0, labels.table, {}, {})
    return shown_supervisors(found, texts, {}, who="annotator" if labels.by_people else "supervisor")


def _texts(answers: pa.Table) -> dict[str, str]:
    """The end of the first prompt of each question, where there are prompts: the question is there."""
    if "prompt" not in answers.column_names:
        return {}
    pairs = zip(answers["question_id"].to_pylist(), answers["prompt"].to_pylist(), strict=True)
    found: dict[str, str] = {}
    for id, prompt in pairs:
        found.setdefault(id, _short(str(prompt or "")))
    return found


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _CHARACTERS else f"…{text[-_CHARACTERS:]}"


def _divided(scored: pa.Table, texts: dict[str, str]) -> list[_Divided]:
    """The questions of the highest entropy, with their answers."""
    by_question = scored.group_by("question_id", use_threads=False).aggregate([("entropy", "max")])
    top = by_question.filter(pc.greater(by_question["entropy_max"], 0))
    top = top.sort_by([("entropy_max", "descending"), ("question_id", "ascending")]).slice(0, _MOST)
    rows = scored.filter(pc.is_in(scored["question_id"], value_set=top["question_id"].combine_chunks()))
    given = Counter(zip(rows["question_id"].to_pylist(), rows["answer"].to_pylist(), strict=True))
    found = []
    for id, entropy in zip(top["question_id"].to_pylist(), top["entropy_max"].to_pylist(), strict=True):
        own = sorted(((answer, n) for (one, answer), n in given.items() if one == id), key=lambda a: (-a[1], str(a[0])))
        votes = ", ".join(f"{_short(answer) if answer is not None else '(unparsed)'} ×{count}" for answer, count in own)
        found.append(_Divided(id, texts.get(id, ""), votes, entropy))
    return found
