"""lm-evaluation-harness: the samples that `--log_samples` writes, in `OUTPUT/MODEL/samples_TASK_TIME.jsonl`.

A row is `{"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", …}`. Of a multiple-choice task,
`arguments` has a context and a continuation an option and `filtered_resps` the log-likelihood of each; of one that
generates, `resps` has the texts and `filtered_resps` what a filter read in them, a row for each filter. All numbers
may be texts. A file of the same model and task with an earlier time is an earlier run.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from w2s.errors import InputError
from w2s.reading.cells import text_of
from w2s.reading.exports.base import Export, File, Format, Given, Item, Wanted, reading_row, row_error, texts_in
from w2s.reading.unpacking import stem_of

__all__ = ["FORMAT"]

_FILE = re.compile(r"samples_(.+)_(\d{4}-\d{2}-\d{2}T[^_]*)")
_RAW = "resps"
_UNREAD = "[invalid]"  # what the filters of the harness answer where they find nothing


class _Row(NamedTuple):
    """A row.

    Attributes:
        file: Where it is.
        number: From 1.
        cells: Of it.
        filter: The one that it belongs to: an empty text where the file does not say.
        scores: The log-likelihood of each option; empty of a sample that was generated.
    """

    file: File
    number: int
    cells: Mapping[str, Any]
    filter: str
    scores: tuple[float, ...]


def _recognizes(columns: Collection[str]) -> bool:
    return {"doc_id", "resps", "filtered_resps"} <= set(columns)


def _called(path: Path) -> str:
    """The model, by the folder that the harness made for it; by the file's name where it is one of the user's own."""
    return path.absolute().parent.name if _FILE.fullmatch(stem_of(path)) else stem_of(path)


def _task(file: File) -> str:
    match = _FILE.fullmatch(stem_of(file.path))
    return match[1] if match else ""


def _read(files: Sequence[File], wanted: Wanted) -> Export:
    rows = []
    for file in files:
        for number, cells in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                rows.append(_Row(file, number, cells, text_of(cells.get("filter")) or "", _scores(file, number, cells)))
    generated = not any(row.scores for row in rows)
    if not generated and not all(row.scores for row in rows):
        raise InputError(f"{files[0].path}: some samples choose and some generate: expected one kind at a time")
    kept, notes = _without_reruns(_one_filter(rows, wanted.answer, generated=generated), wanted)
    several_tasks = len({_task(file) for file in files}) > 1
    items: list[Item] = []
    answers: list[Given] = []
    counts: Counter[str] = Counter()
    for row in kept:
        with reading_row(row.file, row.number):
            items.append(_item(row, several_tasks))
            given = list(_given(row, items[-1], len(items) - 1, wanted))
            counts["that the filter could not read"] += sum(one.answer is None and one.chosen is None for one in given)
            answers += given
    return Export(items=items, answers=answers, counts=counts, notes=tuple(notes), written=generated)


def _item(row: _Row, several_tasks: bool) -> Item:
    own, doc = text_of(row.cells.get("doc_id")), row.cells.get("doc")
    if own is None:
        raise row_error(row.file, row.number, "a sample with a doc_id")
    doc = doc if isinstance(doc, dict) else {}
    own = f"{_task(row.file)} {own}" if several_tasks else own
    options = _options(row, doc, len(row.scores)) if row.scores else ()
    return Item(own=own, fields=texts_in(doc), options=options)


def _given(row: _Row, item: Item, index: int, wanted: Wanted) -> Iterator[Given]:
    who = text_of(row.cells.get(wanted.who)) if wanted.who else row.file.name
    if who is None:
        raise row_error(row.file, row.number, f"a supervisor in {wanted.who!r}")
    if row.scores:
        scores = row.scores[: len(item.options[0])]
        yield Given(index, who, None, max(range(len(scores)), key=scores.__getitem__), scores)
        return
    for text in _texts(row, wanted.answer):
        yield Given(index, who, None if text == _UNREAD else text)


# Runs


def _without_reruns(rows: Sequence[_Row], wanted: Wanted) -> tuple[list[_Row], list[str]]:
    """The rows without those that a newer run of the same model and task repeats, and notes on such runs.

    A rerun that gives the same responses to the same requests is no second opinion: the newest counts. Runs that differ
    in a response or a request are repeated answers.
    """
    runs: dict[tuple[str, str], dict[Path, list[_Row]]] = {}
    for row in rows:
        if task := _task(row.file):
            runs.setdefault((row.file.name, task), {}).setdefault(row.file.path, []).append(row)
    repeated: set[tuple[Path, int]] = set()
    notes = []
    for several in (run for run in runs.values() if len(run) > 1):
        newer: dict[Path, dict[tuple[str, str], str]] = {}
        for path in sorted(several, key=_time, reverse=True):
            said = {_asked(row, wanted): _response(row, wanted) for row in several[path]}
            shared = {other: both for other, then in newer.items() if (both := said.keys() & then.keys())}
            differing = {other: sum(said[one] != newer[other][one] for one in both) for other, both in shared.items()}
            if same := next((other for other, count in differing.items() if not count), None):
                repeated |= {(path, row.number) for row in several[path] if _asked(row, wanted) in shared[same]}
                said = {asked: text for asked, text in said.items() if asked not in shared[same]}
                notes.append(
                    f"{path} and {same} are runs of the same model and task with the same responses to "
                    f"{len(shared[same]):,} documents: those of the newer one, {same.name}, count"
                )
            elif differing:
                other, count = next(iter(differing.items()))
                notes.append(
                    f"{path} and {other} are runs of the same model and task that differ on {count:,} of "
                    f"{len(shared[other]):,} documents: they count as repeated answers"
                )
            newer[path] = said
    return [row for row in rows if (row.file.path, row.number) not in repeated], notes


def _time(path: Path) -> tuple[str, str]:
    """When a run ended, as its file's name says; of two at one time, the path decides."""
    match = _FILE.fullmatch(stem_of(path))
    return match[2] if match else "", str(path)


def _asked(row: _Row, wanted: Wanted) -> tuple[str, str]:
    """What a row answers, and who, where a column says it."""
    return str(row.cells.get("doc_id")), str(row.cells.get(wanted.who)) if wanted.who else ""


def _response(row: _Row, wanted: Wanted) -> str:
    """The request and the response of a row; of options the chosen one, since likelihoods differ in the last digits."""
    with reading_row(row.file, row.number):
        if row.scores:
            (given,) = _given(row, _item(row, several_tasks=False), 0, wanted)
            response: Any = given.chosen
        else:
            response = row.cells.get(_RAW)
        return json.dumps([row.cells.get("arguments"), response], sort_keys=True, default=str)


# Options


def _scores(file: File, number: int, cells: Mapping[str, Any]) -> tuple[float, ...]:
    """The log-likelihood of each option; empty of a sample that was generated.

    Raises:
        InputError: There is one alone, or one that is no number.
    """
    given = cells.get("filtered_resps")
    if not isinstance(given, list) or not given or not all(map(_is_score, given)):
        return ()
    if len(given) == 1:
        raise row_error(file, number, "options to choose among, or a text: one log-likelihood is no answer")
    scores = tuple(float(one[0]) for one in given)
    if any(map(math.isnan, scores)):
        raise row_error(file, number, "log-likelihoods, one is NaN")
    return scores


def _is_score(one: Any) -> bool:
    """Whether a response is a log-likelihood and whether it is what greedy decoding would give."""
    if not isinstance(one, list) or len(one) != 2 or str(one[1]) not in ("True", "False"):
        return False
    try:
        float(one[0])
    except (TypeError, ValueError):
        return False
    return True


def _options(row: _Row, doc: Mapping[str, Any], count: int) -> tuple[tuple[str, ...], ...]:
    """The continuations, and in other words whatever of the question there are as many of."""
    pairs = _pairs(row.cells.get("arguments"))
    if len(pairs) != count:
        raise row_error(row.file, row.number, f"arguments for {count} log-likelihoods, it has {len(pairs)}")
    half = count // 2
    if count % 2 == 0 and not any(context for context, _ in pairs[half:]) and any(context for context, _ in pairs):
        pairs = pairs[:half]  # the others are the options without the question, for mutual information
    continuations = tuple(continuation.strip() for _, continuation in pairs)
    if len(set(continuations)) < len(continuations):
        raise row_error(
            row.file, row.number, f"options that differ in the answer, not in the question: {pairs[0][1]!r}"
        )
    others = [cell for value in doc.values() for cell in (value.values() if isinstance(value, dict) else [value])]
    lists = [
        tuple(text.strip() for text in cell)
        for cell in others
        if isinstance(cell, list) and len(cell) == len(pairs) and all(isinstance(text, str) for text in cell)
    ]
    return tuple(dict.fromkeys([continuations, *lists]))


def _pairs(arguments: Any) -> list[tuple[str, str]]:
    """Context and continuation of each request, from either form; what is another request is left out."""
    if isinstance(arguments, dict):
        numbered = sorted((name for name in arguments), key=lambda name: (len(name), name))
        arguments = [[(arguments[name] or {}).get(f"arg_{at}") for at in (0, 1)] for name in numbered]
    if not isinstance(arguments, list):
        return []
    pairs = [one[:2] for one in arguments if isinstance(one, list) and len(one) >= 2]
    return [(str(context or ""), text) for context, text in pairs if isinstance(text, str)]


# Texts


def _one_filter(rows: Sequence[_Row], wanted: str | None, *, generated: bool) -> list[_Row]:
    """The rows of one filter: what was asked is there once for each.

    Raises:
        InputError: What they read may differ, and the user did not say which it shall be.
    """
    filters = list(dict.fromkeys(row.filter for row in rows))
    path = rows[0].file.path
    known = [*filter(None, filters), _RAW]
    if (wanted is not None and wanted not in known) or (wanted == _RAW and not generated):
        expected = ", ".join(known) if generated else "none, since its samples choose"
        raise InputError(f"{path}: columns.answer is {wanted!r}: expected {expected}")
    if generated and wanted is None and len(filters) > 1:
        raise InputError(
            f"{path}: its samples were filtered in {len(filters)} ways: expected columns.answer to name one of "
            f"{', '.join(known)}, the last of which is the text as it was written"
        )
    one = wanted if wanted in filters else filters[0]
    kept = [row for row in rows if row.filter == one]
    if one:
        return kept
    # Older versions do not name the filter: the rows of the second one follow all those of the first.
    seen: set[tuple[Path, str]] = set()
    first = []
    for row in kept:
        key = (row.file.path, str(row.cells.get("doc_id")))
        if key not in seen:
            first.append(row)
        elif generated and wanted != _RAW:
            raise row_error(
                row.file, row.number, f"doc_id {key[1]} once, not for each filter: columns.answer: {_RAW} takes the "
                "texts as they were written"
            )  # fmt: skip
        seen.add(key)
    return first


def _texts(row: _Row, wanted: str | None) -> list[str]:
    """The texts of a sample, several where it was repeated: as they were written, or what the filter read."""
    given = row.cells.get(_RAW if wanted == _RAW else "filtered_resps")
    texts: list[str] = []

    def take(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                take(one)
        elif (text := text_of(value)) is not None:
            texts.append(text)

    take(given)
    return texts


FORMAT = Format(
    name="lm-eval",
    title="samples of lm-evaluation-harness",
    asked="documents",
    own="doc_id",
    by_people=False,
    recognizes=_recognizes,
    read=_read,
    called=_called,
    version=2,
)
