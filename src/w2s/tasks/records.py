"""The rows of a data set, from the hub or from files in the data set's own form."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s import reading
from w2s.errors import InputError
from w2s.hub import clients_offline, look_up, may_ask_hub
from w2s.tasks.questions import Pool

__all__ = ["Hub", "Record", "cell_text", "content_id", "read_records", "read_rows", "records_of", "refuse"]

_ALIASES = {"val": "validation", "valid": "validation"}
# train.jsonl, cm_train.csv, train-00000-of-00001.parquet; but not cm_test_hard.csv, nor train_socratic.jsonl
_SPLIT_IN_NAME = re.compile(r"(?:.*[_-])?(train|validation|valid|val|dev|test)(?:-\d+-of-\d+|-?\d+)?")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where a data set is on the hub.

    Attributes:
        id: The owner and the name.
        config: The configuration, if the data set has several.
        revision: A branch or commit, if not the main one.
        data_files: The files of each split, where the hub does not know them.
    """

    id: str
    config: str | None = None
    revision: str | None = None
    data_files: Mapping[str, str] = field(default_factory=dict)


# ['a', "b"], {'text': [...]}: how Python writes a list or a dictionary of texts
_PYTHON = re.compile(r"""\s*[\[{](?:\s*[\[{])*\s*(?:[bru]?'|"[^"]*"\s*,\s*'|(?:True|False|None)\b|array\()""")
# ('a', 'b'), array(['a']), dict_values(['a']), b'a': other things of Python's, numpy's and pandas'
_PYTHON_OBJECT = re.compile(
    r"""\s*(?:(?:(?:(?:np|numpy)\.\w+|array|dict_(?:keys|values|items)|deque|Counter|OrderedDict|defaultdict|frozenset
    |Decimal|Timestamp|datetime\.\w+)\(|\(\s*(?:'[^']*'|"[^"]*")\s*,).*\)|b'[^']*'|b"[^"]*")\s*""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the data.

    Attributes:
        row: The cells, by column.
        source: The file, or the hub id and split, that it was read from.
        number: Which row of it, from 1.
        pool: The splits that it may go to.
        line: The line on which it begins, where the number does not say it.
    """

    row: Mapping[str, Any]
    source: str
    number: int
    pool: Pool
    line: int | None = None

    def error(self, column: str, problem: str) -> InputError:
        """An error that says where it is, in one line whatever the data holds."""
        line = "" if self.line is None else f" (line {self.line})"
        said = "".join(c if c.isprintable() else repr(c)[1:-1] for c in problem)
        return InputError(f"{self.source}, row {self.number}{line}, column {column!r}: {said}")

    def text(self, *columns: str) -> str:
        """The text in the first of these columns that the row has.

        Raises:
            InputError: It has none of them, or nothing in it, or a list or an object.
        """
        for column in columns:
            if column in self.row:
                text = self.optional(column)
                if not text:
                    raise self.error(column, "nothing in it")
                return text
        raise self.error(columns[0], f"there is no such column, only {', '.join(self.row)}")

    def texts(self, column: str) -> tuple[str, ...]:
        """The texts in a column that holds a list.

        Raises:
            InputError: It holds none.
        """
        cell = self.row.get(column)
        if isinstance(cell, str):
            cell = self.structured(column, cell)
        if not isinstance(cell, list) or not cell:
            shown = "nothing" if cell is None or cell == [] else f"{str(cell)[:40]!r}"
            raise self.error(column, f"expected a list, not {shown}")
        return tuple(self.as_text(column, item) for item in cell)

    def structured(self, column: str, cell: str) -> Any:
        """The list or object that a cell of a CSV file is as JSON; any other text as it is.

        Raises:
            InputError: It is one as Python writes it, or broken.
        """
        if _PYTHON_OBJECT.fullmatch(cell):
            raise self.error(column, f"an object as Python writes it, expected JSON: {cell[:40]!r}")
        if cell.lstrip()[:1] not in ("[", "{"):
            return cell
        try:
            return reading.parse_json(cell)
        except json.JSONDecodeError:
            if not _PYTHON.match(cell):
                return cell
            kind = "list" if cell.lstrip().startswith("[") else "dictionary"
            raise self.error(column, f"a Python {kind}, expected JSON: {cell[:40]!r}") from None
        except ValueError as error:
            raise self.error(column, str(error)) from None

    def optional(self, column: str) -> str:
        """The text in a column, empty where there is none.

        Raises:
            InputError: There is a list or an object.
        """
        return self.as_text(column, self.row.get(column))

    def as_text(self, column: str, cell: object) -> str:
        """A cell of a column, or a part of it, as text; empty where it is missing.

        Raises:
            InputError: It is a list or an object.
        """
        try:
            return cell_text(cell)
        except ValueError as error:
            raise self.error(column, str(error)) from None

    def choice(self, column: str, choices: Sequence[str]) -> str:
        """The choice that a column names by its index or its letter.

        Raises:
            InputError: It names none.
        """
        cell = self.text(column)
        index = int(cell) if cell.isdecimal() else ord(cell) - ord("A") if len(cell) == 1 else -1
        if not 0 <= index < len(choices):
            raise self.error(column, f"{cell!r} is no choice: expected a number from 0 to {len(choices) - 1}")

        return choices[index]


def refuse(wrong: Sequence[tuple[Record, InputError]]) -> None:
    """Raise the error of the first row that is wrong, if any is; it says which others are.

    Raises:
        InputError: One is.
    """
    if not wrong:
        return
    (_, error), *more = wrong
    if not more:
        raise error
    numbers = ", ".join(str(record.number) for record, _ in more[:10]) + (", …" if len(more) > 10 else "")
    rows = "row is wrong too" if len(more) == 1 else "rows are wrong too"
    raise InputError(f"{error}; {len(more)} more {rows}: {numbers}") from error


def cell_text(cell: object) -> str:
    """A cell as text without surrounding space; nothing, where it is missing.

    Raises:
        ValueError: It is a list or an object.
    """
    return (reading.text_of(cell) or "").strip()


def content_id(*parts: str) -> str:
    """An identifier made from what it identifies."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def read_records(
    task: str,
    data: str | None,
    hub: Hub | None,
    pools: Mapping[str, Pool],
    csv_columns: Sequence[str] = (),
    encoding: str | None = None,
) -> list[Record]:
    """Read the rows of a data set.

    A folder, or the hub, has splits: those that `pools` names are read. A single file, and data with only
    one split, may go anywhere: the pool "any".

    Args:
        task: The task, for messages.
        data: A file, a folder, or a hub id; the task's own by default.
        hub: The task's own hub data set.
        pools: The splits that are read, and where each may go.
        csv_columns: The columns of a CSV file that has no header.
        encoding: Of the files; by default UTF-8, or what a byte order mark says.

    Raises:
        InputError: The data is not there, or cannot be read.
    """
    if data is None:
        if hub is None:
            raise InputError(f"task {task} needs data: a file named {reading.EXPECTED}")
        return _from_hub(hub, pools)
    if (path := Path(data).expanduser()).is_file():
        return records_of(path, "any", csv_columns, encoding)
    if path.is_dir():
        files = _files_of(path, pools)
        return [record for file, pool in files.items() for record in records_of(file, pool, csv_columns, encoding)]
    if hub is None or reading.suffix_of(path) in reading.SUFFIXES or not _HUB_ID.fullmatch(data):
        raise InputError(f"data of task {task}: no such file or folder: {data}")
    if encoding is not None:
        raise InputError(f"encoding={encoding!r}: {data!r} is on the hub, expected a file or a folder")
    return _from_hub(hub if data == hub.id else Hub(id=data), pools)


def _files_of(folder: Path, pools: Mapping[str, Pool]) -> dict[Path, Pool]:
    splits: dict[Path, str] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        # What a system leaves beside the files: .ipynb_checkpoints, ._train.csv, __MACOSX.
        if any(part.startswith(".") or part == "__MACOSX" for part in inside.parts):
            continue
        if reading.suffix_of(path) in reading.SUFFIXES and (split := _split_of(inside)) in pools:
            splits[path] = split
    if not splits:
        raise InputError(f"no {' or '.join(pools)} data in {folder}: expected a file such as {next(iter(pools))}.jsonl")

    if len(set(splits.values())) == 1:
        return dict.fromkeys(splits, "any")
    return {path: pools[split] for path, split in splits.items()}


def _split_of(path: Path) -> str:
    names = [*(folder.name for folder in path.parents), reading.stem_of(path)]
    found = [match[1] for name in names if (match := _SPLIT_IN_NAME.fullmatch(name.lower()))]
    return _ALIASES.get(found[0], found[0]) if found else ""


def records_of(
    path: Path, pool: Pool = "any", csv_columns: Sequence[str] = (), encoding: str | None = None
) -> list[Record]:
    """The rows of one file.

    Raises:
        InputError: The file is missing, empty, of another kind, or broken.
    """
    rows = _read(path, csv_columns, encoding)
    lines: Sequence[int | None] = rows.lines or [None] * len(rows.cells)
    return [
        Record(row=row, source=str(path), number=number, pool=pool, line=None if line == number else line)
        for number, (row, line) in enumerate(zip(rows.cells, lines, strict=True), start=1)
    ]


def read_rows(path: Path, csv_columns: Sequence[str] = (), encoding: str | None = None) -> list[dict[str, Any]]:
    """The rows of one file, by column. Cells of a CSV file stay text: "007" is not 7.

    Raises:
        InputError: The file is missing, empty, of another kind, or broken.
    """
    return _read(path, csv_columns, encoding).cells


def _read(path: Path, csv_columns: Sequence[str], encoding: str | None) -> reading.Rows:
    rows = reading.read_rows(path, csv_columns, encoding)
    if not rows.cells:
        raise InputError(f"{path} is empty: it has no rows")
    return rows


def _records(rows: Iterable[Mapping[str, Any]], source: str, pool: Pool) -> list[Record]:
    return [Record(row=row, source=source, number=number, pool=pool) for number, row in enumerate(rows, start=1)]


def _from_hub(hub: Hub, pools: Mapping[str, Pool]) -> list[Record]:
    # Asked first, for it says more clearly than the library why a data set cannot be read.
    is_there = may_ask_hub() and look_up("dataset", hub.id, hub.revision) is not None
    try:
        import datasets

        with nullcontext() if is_there else clients_offline():
            loaded = datasets.load_dataset(
                hub.id, hub.config, revision=hub.revision, data_files=dict(hub.data_files) or None
            )
    # Anything may come out of the library here: no network, no such data set, a refusal, a broken cache.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        if not is_there:
            reason = "it cannot be reached, and the local cache does not have it"
        raise InputError(
            f"cannot load {hub.id!r} from the hub ({reason}): pass data=, a local file or folder of it"
        ) from error
    splits = [split for split in pools if split in loaded]
    if not splits:
        raise InputError(f"{hub.id!r} has the splits {', '.join(loaded)}: expected {' or '.join(pools)}")
    records: list[Record] = []
    for split in splits:
        records += _records(loaded[split].to_list(), f"{hub.id}, {split}", pools[split] if len(splits) > 1 else "any")
    return records
