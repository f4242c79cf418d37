"""Answers as other tools export them: recognized by their structure, and made one long table.

A format is a file here: `label_studio`, `argilla`, `lm_eval`, `distilabel`, `batch`. What a file is taken for is said;
where it could be two things, it is refused until the user names one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from w2s.errors import InputError, unknown_name
from w2s.reading import columns_of, read_rows
from w2s.reading.exports import argilla, batch, distilabel, label_studio, lm_eval
from w2s.reading.exports.base import Export, File, Format, Wanted
from w2s.reading.exports.matching import Known, Way, match, own_ids, unmatched_note, way_for, wording

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "TABLE", "Known", "Long", "Way", "format_of", "names_of", "read_export"]

FORMATS: Mapping[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (label_studio, argilla, lm_eval, distilabel, batch)
}
TABLE = "table"
"""The name of no export: a table with columns of its own."""

_COLUMNS = ("question_id", "answer", "annotator", "supervisor")


class Long(NamedTuple):
    """An export as one table.

    Attributes:
        table: A row an answer: `question_id`, `annotator` or `supervisor`, `variation`, `answer`; where models chose,
            `choices` and `choice_logprobs`.
        format: Its name.
        way: How items became questions; None where there was no task.
        written: Whether answers are texts, from which an answer must be parsed.
        notes: What it was read as, and what else a reader should know, a sentence each.
    """

    table: pa.Table
    format: str
    way: Way | None
    written: bool
    notes: tuple[str, ...]


def format_of(
    paths: Sequence[Path], given: str = "", columns: Mapping[str, str] | None = None, encoding: str | None = None
) -> str:
    """The name of the format that files are in; `TABLE` where they are none of these.

    Args:
        paths: The files.
        given: The format that the user named; empty where none was.
        columns: The file's names for the columns, by our names.
        encoding: Of its text.

    Raises:
        InputError: There is no such format, the files are of several, or one could be of two.
    """
    if given:
        if given not in (known := [TABLE, *FORMATS]):
            raise unknown_name("format", given, known)
        return given
    found: dict[str, Path] = {}
    for path in paths:
        names = columns_of(path, encoding)
        forms = [form.name for form in FORMATS.values() if form.recognizes(names)]
        if forms and {"question_id", "answer"} <= set(names) and not {"question_id", "answer"} <= set(columns or {}):
            forms.append(TABLE)
        if len(forms) > 1:
            raise InputError(f"{path} may be read as {' or as '.join(forms)}: expected format to say which")
        found.setdefault(forms[0] if forms else TABLE, path)
    if len(found) > 1:
        several = " and ".join(f"{path} ({name})" for name, path in found.items())
        raise InputError(f"files of several formats: {several}: expected one at a time")
    return next(iter(found))


def names_of(paths: Sequence[Path], form: str) -> list[str]:
    """What the supervisors are called that the files do not name."""
    return [FORMATS[form].called(path) for path in paths]


def read_export(
    paths: Sequence[Path],
    form: str,
    names: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    known: Sequence[Known] | None = None,
    way: Way | None = None,
    encoding: str | None = None,
) -> Long:
    """Read files of one format as a long table.

    Args:
        paths: The files.
        form: The format's name.
        names: What the supervisors of each file are called that it does not name.
        columns: `question_id`: the field of what was asked that has the ids or the texts of questions. `answer`: which
            of the export's answers. `supervisor`: the column that names the model.
        known: The task's questions; None where there is no task, and the export's own ids stand.
        way: How items become questions; by default that by which most of them do.
        encoding: Of the text.

    Raises:
        InputError: A file is not as its format is, could be read in two ways, or answers no question of the task.
    """
    found = FORMATS[form]
    columns = dict(columns or {})
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} others"
    export = _read(paths, found, names, columns, where, encoding)
    field = columns.get("question_id")
    notes = [_said(export, found), *export.notes]
    if known is None:
        ids = own_ids(export.items, found, field, where)
        if lost := sum(id is None for id in ids):
            notes.append(f"left out without {field!r}: {_counted(lost, found.asked)}")
        if export.written:
            notes.append("answers count as they are written: source table reads them by a task's choices")
    else:
        way = way or way_for(export.items, known, found, field, where)
        ids = match(export.items, known, way)
        notes.append(unmatched_note(export.items, ids, known, way, found))
    table, again = _table(export, found, ids, {one.id: one.choices for one in known or ()})
    if again and found.by_people:
        notes.append(
            f"labels by somebody who labelled the question before: {again:,}, each a vote more; dawid-skene and the "
            "comparison of annotators give one vote to all of a person's labels of a question"
        )
    return Long(table, form, way, export.written, tuple(notes))


def _read(
    paths: Sequence[Path],
    form: Format,
    names: Sequence[str],
    columns: Mapping[str, str],
    where: str,
    encoding: str | None,
) -> Export:
    for ours in columns:
        if ours not in _COLUMNS:
            raise unknown_name(f"column of {form.title}", ours, _COLUMNS)
    wanted = Wanted(columns.get("answer"), columns.get("supervisor", columns.get("annotator")))
    if wanted.who is not None and form.by_people:
        raise InputError(f"{where}: {form.title} names its annotators itself: columns names {wanted.who!r} as well")
    files = [File(path, name, read_rows(path, encoding=encoding)) for path, name in zip(paths, names, strict=True)]
    for file in files:
        if not form.recognizes(file.rows.columns):
            raise InputError(f"{file.path} is not {form.title}: it has {', '.join(file.rows.columns)}")
        if file.rows.typeless and not form.flat(file.rows.columns):
            raise InputError(f"{file.path} is {form.title} as CSV, without its lists: expected JSON, JSONL or Parquet")
        if form.is_nested(file.rows.columns) != form.is_nested(files[0].rows.columns):
            raise InputError(
                f"{file.path} is {form.title} of another kind than {files[0].path}: expected one at a time"
            )
        if wanted.who is not None and wanted.who not in file.rows.columns:
            raise unknown_name(f"column of {file.path},", wanted.who, file.rows.columns)
    if not any(file.rows.cells for file in files):
        raise InputError(f"{where} is empty: it has no rows")
    return form.read(files, wanted)


def _said(export: Export, form: Format) -> str:
    asked = _counted(len({item.own for item in export.items}), form.asked)
    who = _counted(len({given.who for given in export.answers}), "annotators" if form.by_people else "supervisors")
    counts = "".join(f", {count:,} {what}" for what, count in export.counts.items() if count and what)
    return f"read as {form.title}: {asked}, {who}{counts}"


def _counted(count: int, plural: str) -> str:
    return f"{count:,} {plural if count != 1 else plural.removesuffix('s')}"


def _table(
    export: Export, form: Format, ids: Sequence[str | None], choices: Mapping[str, Sequence[str]]
) -> tuple[pa.Table, int]:
    """A row an answer to a question, and how many are not the first of their supervisor to it."""
    import pyarrow as pa

    seen: Counter[tuple[str, str]] = Counter()
    worded: dict[int, tuple[str, ...]] = {}
    rows = []
    for given in export.answers:
        id = ids[given.item]
        if id is None:
            continue
        row = {"question_id": id, "who": given.who, "variation": seen[id, given.who], "answer": given.answer}
        seen[id, given.who] += 1
        if given.chosen is not None:
            words = worded.get(given.item) or worded.setdefault(
                given.item, wording(export.items[given.item], choices.get(id, ()))
            )
            row |= {"answer": words[given.chosen], "choices": words, "choice_logprobs": given.logprobs}
        rows.append(row)
    schema = {"question_id": pa.string(), "who": pa.string(), "variation": pa.int32(), "answer": pa.string()}
    if any(given.chosen is not None for given in export.answers):
        schema |= {"choices": pa.list_(pa.string()), "choice_logprobs": pa.list_(pa.float32())}
    table = pa.Table.from_pylist(rows, schema=pa.schema(schema))
    who = "annotator" if form.by_people else "supervisor"
    return table.rename_columns([who if name == "who" else name for name in table.column_names]), sum(
        count - 1 for count in seen.values()
    )
