"""Labels as people give them: who gave each, which are missing, and which spellings are one label."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError, unknown_name
from w2s.reading import read_rows, suffix_of
from w2s.reading.cells import text_of

__all__ = ["RULES", "Labels", "labels_of", "long_of", "spellings_beside"]

RULES = ("space", "case")


class Labels(NamedTuple):
    """A table of answers, and what was done to make it one.

    Attributes:
        table: With `supervisor` and `variation`, where the table has an annotator or a supervisor.
        by_people: Whether it names annotators.
        missing: How many rows were left out since they have no label.
        merged: By label, the other spellings of it and their rows; what a mapping makes missing is under "".
        notes: What else a reader should know of the labels, a sentence each.
    """

    table: pa.Table
    by_people: bool
    missing: int
    merged: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]


def long_of(table: pa.Table, annotators: Sequence[str], path: str) -> pa.Table:
    """A table with a column an annotator, as one with a row an answer.

    Args:
        table: With `question_id`; `tables.read_table` reads the annotators' columns as `answers`, that is as texts.
        annotators: The columns.
        path: The file, for the message.

    Raises:
        InputError: It lacks a column.
    """
    missing = [name for name in ("question_id", *annotators) if name not in table.column_names]
    if missing:
        near = difflib.get_close_matches(missing[0], table.column_names, n=1)
        raise InputError(f"{path} has no column {missing[0]!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    return pa.concat_tables(
        [
            pa.table(
                {
                    "question_id": pc.cast(table["question_id"], pa.string()),
                    "annotator": pa.array([name] * table.num_rows, pa.string()),
                    "answer": pc.cast(table[name], pa.string()),
                }
            )
            for name in annotators
        ]
    )


def labels_of(table: pa.Table, *, normalize: Sequence[str] = (), keep_missing: bool | None = None) -> Labels:
    """Read a table as answers: `annotator` is its supervisor, and a row without a variation is the only one.

    Args:
        table: With `question_id`, `answer` and perhaps `annotator`, `supervisor`, `variation`.
        normalize: Which spellings of a label are one: "space" (no space around it), "case" (whatever the case of its
            letters, spelled as most often), and files that map a spelling to a label: YAML, or CSV with the columns
            `from` and `to`. What maps to nothing is missing.
        keep_missing: Whether rows without a label stay, as unparsed answers; by default where no people gave them.

    Raises:
        InputError: The table has both columns or lacks an annotator or a supervisor in a row, or a rule or a file of
            it is none.
    """
    by_people = "annotator" in table.column_names
    if by_people and "supervisor" in table.column_names:
        raise InputError("the table has a column 'annotator' and a column 'supervisor': expected one of them")
    for name, one in (("annotator", "an annotator"), ("supervisor", "a supervisor")):
        if name in table.column_names and table[name].null_count:
            row = pc.index(pc.is_null(table[name]), True).as_py()
            raise InputError(f"answers table, row {row + 1}: expected {one}, it is null")
    if by_people:
        names = ["supervisor" if name == "annotator" else name for name in table.column_names]
        table = table.rename_columns(names).replace_schema_metadata(table.schema.metadata)
    if "supervisor" in table.column_names and "variation" not in table.column_names:
        table = table.append_column("variation", pa.array(np.zeros(table.num_rows, np.int32)))
    merged: dict[str, dict[str, int]] = {}
    notes: list[str] = []
    if "answer" in table.column_names and table["answer"].type == pa.string():
        found = _counted(table["answer"])
        spelled, unused = _spelled(found, normalize)
        if unused:
            notes.append(f"the mapping's {_listed(unused)} {'is' if len(unused) == 1 else 'are'} no label of the table")
        for label, new in spelled.items():
            if new != label:
                merged.setdefault(new or "", {})[label] = found[label]
        if merged:
            before, after = pa.array(list(spelled), pa.string()), pa.array(list(spelled.values()), pa.string())
            place = pc.index_in(table["answer"], value_set=before)
            table = table.set_column(table.column_names.index("answer"), "answer", after.take(place.combine_chunks()))
        if by_people:
            notes += _alike(set(filter(None, spelled.values())))
    missing = 0
    if not (keep_missing if keep_missing is not None else not by_people):
        given = table.filter(pc.is_valid(table["answer"])) if "answer" in table.column_names else table
        missing, table = table.num_rows - given.num_rows, given
    return Labels(table, by_people, missing, merged, tuple(notes))


def spellings_beside(
    answers: pa.ChunkedArray, others: Iterable[str], *, normalize: Sequence[str]
) -> dict[str, str | None]:
    """How to spell labels from elsewhere, such as right answers, so that they are those that `labels_of` makes.

    Args:
        answers: The column `answer` of the table, as it was before `labels_of`.
        others: Labels from elsewhere. They do not count where the most frequent spelling is looked for.
        normalize: As for `labels_of`.

    Returns:
        The spelling of each label; None where it is missing.
    """
    spelled, _ = _spelled({**dict.fromkeys(others, 0), **_counted(answers)}, normalize)
    return spelled


def _counted(answers: pa.ChunkedArray) -> dict[str, int]:
    """How many rows have each label."""
    counts = pc.value_counts(answers).to_pylist()
    return {count["values"]: count["counts"] for count in counts if count["values"] is not None}


def _spelled(found: Mapping[str, int], normalize: Sequence[str]) -> tuple[dict[str, str | None], list[str]]:
    """Each label as it is to be spelled, and the spellings of the mappings that no label has."""
    files = [rule for rule in normalize if rule not in RULES]
    for file in files:
        if not suffix_of(Path(file)) and not Path(file).is_file():
            raise unknown_name("rule to normalize by", file, (*RULES, "a YAML or CSV file"))

    def key(label: str) -> str:
        label = label.strip() if "space" in normalize else label
        return label.casefold() if "case" in normalize else label

    mapping = _mapping(files, key)
    mapped = {label: mapping.get(key(label), label) for label in found}
    spelled = {label: (new.strip() if "space" in normalize else new) for label, new in mapped.items()}
    if "case" in normalize:
        rows: dict[str, int] = {}
        for label, new in spelled.items():
            rows[new] = rows.get(new, 0) + found[label]
        often: dict[str, str] = {}
        for new in sorted(rows, key=lambda new: (-rows[new], new)):
            often.setdefault(new.casefold(), new)
        spelled = {label: often[new.casefold()] for label, new in spelled.items()}
    there = {key(label) for label in found}
    return {label: new or None for label, new in spelled.items()}, sorted(set(mapping) - there)


def _mapping(files: Sequence[str], key: Callable[[str], str]) -> dict[str, str]:
    """The labels by the keys of their spellings, of all files together."""
    found: dict[str, str] = {}
    for file in files:
        for spelling, label in _pairs(Path(file)):
            if found.setdefault(key(spelling), label) != label:
                raise InputError(f"{file}: {spelling!r} is mapped to {found[key(spelling)]!r} and to {label!r}")
    return found


def _pairs(path: Path) -> list[tuple[str, str]]:
    if path.suffix.lower() not in (".yaml", ".yml"):
        rows = read_rows(path)
        if not {"from", "to"} <= set(rows.columns):
            raise InputError(f"{path}: expected the columns 'from' and 'to', it has {', '.join(rows.columns)}")
        try:
            pairs = [(text_of(row.get("from")), text_of(row.get("to"))) for row in rows.cells]
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None
        return [(spelling, label or "") for spelling, label in pairs if spelling is not None]
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # yes and no are texts, as 1 is
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    nodes = root.value if isinstance(root, yaml.MappingNode) else []
    if not nodes or not all(isinstance(node, yaml.ScalarNode) for pair in nodes for node in pair):
        raise InputError(f"{path}: expected a mapping of spellings to labels, such as 'biling: billing'")
    return [(spelling.value, label.value) for spelling, label in nodes]


def _alike(labels: set[str]) -> list[str]:
    """Notes on labels that look alike: by case and space, by the composition of their letters, or as numbers."""
    by_key: dict[str, list[str]] = {}
    for label in sorted(labels):
        by_key.setdefault(_look(label), []).append(label)
    outer, other = list[str](), list[str]()
    for group in by_key.values():
        if len(group) > 1:
            merged = len({label.strip().casefold() for label in group}) == 1
            (outer if merged else other).append(_listed(group))
    notes = []
    if outer:
        text = "labels that differ by case or outer space alone: {}: --normalize '[space, case]' merges"
        notes.append(text.format("; ".join(outer)))
    if other:
        text = "labels that look alike and are counted as different: {}: --normalize FILE may map one to the other"
        notes.append(text.format("; ".join(other)))
    return notes


def _look(label: str) -> str:
    """What a label looks like: "Gebühr" in either composition, "late delivery" with any space, 1.0 as 1."""
    folded = " ".join(unicodedata.normalize("NFC", label).casefold().split())
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", folded)


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label) for label in labels[:5])
    return shown if len(labels) <= 5 else f"{shown} and {len(labels) - 5} others"
