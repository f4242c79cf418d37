"""The rows of a data set, from the hub or from files in the data set's own form."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s.errors import InputError
from w2s.tasks.questions import Pool

__all__ = ["Hub", "Record", "Records", "content_id", "read_records", "read_rows"]

_SUFFIXES = (".jsonl", ".csv", ".parquet")
_EXPECTED = "*.jsonl, *.csv or *.parquet"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the data.

    Attributes:
        row: The cells, by column.
        source: The file, or the hub id and split, that it was read from.
        number: Which row of it, from 1.
        pool: The splits that it may go to.
    """

    row: Mapping[str, Any]
    source: str
    number: int
    pool: Pool

    def error(self, column: str, problem: str) -> InputError:
        """An error that says where it is."""
        return InputError(f"{self.source}, row {self.number}, column {column!r}: {problem}")

    def text(self, *columns: str) -> str:
        """The text in the first of these columns that the row has.

        Raises:
            InputError: It has none of them, or nothing in it.
        """
        for column in columns:
            if column in self.row:
                text = cell_text(self.row[column])
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
        if isinstance(cell, str) and cell.lstrip().startswith("["):  # a list in a CSV file
            with contextlib.suppress(json.JSONDecodeError):
                cell = json.loads(cell)
        if not isinstance(cell, list) or not cell:
            raise self.error(column, f"expected a list, not {cell_text(cell)[:40]!r}")
        return tuple(map(cell_text, cell))

    def optional(self, column: str) -> str:
        """The text in a column, empty where there is none."""
        return cell_text(self.row.get(column))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All rows of the data, and a hash of their content."""

    rows: list[Record]
    sha256: str

    def __iter__(self) -> Iterator[Record]:
        return iter(self.rows)


def cell_text(cell: object) -> str:
    """A cell as text without surrounding space; nothing, for a null."""
    return "" if cell is None else str(cell).strip()


def content_id(*parts: str) -> str:
    """An identifier made from what it identifies."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def read_records(
    task: str, data: str | None, hub: Hub | None, pools: Mapping[str, Pool], csv_columns: Sequence[str] = ()
) -> Records:
    """Read the rows of a data set.

    A folder, or the hub, has splits: those that `pools` names are read. A single file, and data with only
    one split, may go anywhere: the pool "any".

    Args:
        task: The task, for messages.
        data: A file, a folder, or a hub id; the task's own by default.
        hub: The task's own hub data set.
        pools: The splits that are read, and where each may go.
        csv_columns: The columns of a CSV file that has no header.

    Raises:
        InputError: The data is not there, or cannot be read.
    """
    if data is None:
        if hub is None:
            raise InputError(f"task {task} needs data: a file named {_EXPECTED}")
        return _from_hub(hub, pools)
    if (path := Path(data)).is_file():
        return _from_files({path: "any"}, path.parent, csv_columns)
    if path.is_dir():
        return _from_files(_files_of(path, pools), path, csv_columns)
    if hub is None or path.suffix in _SUFFIXES or not _HUB_ID.fullmatch(data):
        raise InputError(f"data of task {task}: no such file or folder: {data}")
    return _from_hub(hub if data == hub.id else Hub(id=data), pools)


def _files_of(folder: Path, pools: Mapping[str, Pool]) -> dict[Path, Pool]:
    splits: dict[Path, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SUFFIXES and (split := _split_of(path.relative_to(folder))) in pools:
            splits[path] = split
    if not splits:
        raise InputError(f"no {' or '.join(pools)} data in {folder}: expected a file such as {next(iter(pools))}.jsonl")

    if len(set(splits.values())) == 1:
        return dict.fromkeys(splits, "any")
    return {path: pools[split] for path, split in splits.items()}


def _split_of(path: Path) -> str:
    names = [*(folder.name for folder in path.parents), path.stem]
    found = [match[1] for name in names if (match := _SPLIT_IN_NAME.fullmatch(name.lower()))]
    return _ALIASES.get(found[0], found[0]) if found else ""


def _from_files(files: Mapping[Path, Pool], root: Path, csv_columns: Sequence[str]) -> Records:
    digest = hashlib.sha256()
    records: list[Record] = []
    for path, pool in files.items():
        digest.update(f"{path.relative_to(root).as_posix()}\0{pool}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
        records += _records(read_rows(path, csv_columns), str(path), pool)
    return Records(rows=records, sha256=digest.hexdigest())


def _records(rows: Iterable[Mapping[str, Any]], source: str, pool: Pool) -> list[Record]:
    return [Record(row=row, source=source, number=number, pool=pool) for number, row in enumerate(rows, start=1)]


def read_rows(path: Path, csv_columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read the rows of a JSONL, CSV or Parquet file. Cells of a CSV file stay text: "007" is not 7.

    Raises:
        InputError: The file is missing, empty, of another kind, or broken.
    """
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        match path.suffix.lower():
            case ".jsonl":
                rows = _jsonl(path)
            case ".csv":
                rows = _csv(path, csv_columns)
            case ".parquet":
                import pyarrow.parquet

                rows = pyarrow.parquet.read_table(path).to_pylist()
            case suffix:
                raise InputError(f"{path}: expected a file named {_EXPECTED}, not {suffix!r}")

    except InputError:
        raise
    except (ValueError, OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not rows:
        raise InputError(f"{path} is empty: it has no rows")
    return rows


def _jsonl(path: Path) -> list[dict[str, Any]]:
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}: not JSON: {error.msg} at character {error.colno}") from None
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}: expected a JSON object, not {line.strip()[:40]!r}")
            rows.append(row)
    return rows


def _csv(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [row for row in csv.reader(file, strict=True) if row]
    if not cells:
        return []
    headed = not columns or set(columns) & {cell.strip() for cell in cells[0]}
    header = [cell.strip() for cell in cells.pop(0)] if headed else list(columns)
    for number, row in enumerate(cells, start=1):
        if len(row) != len(header):
            raise InputError(f"{path}, row {number}: expected {len(header)} cells, as in the header, not {len(row)}")
    return [dict(zip(header, row, strict=True)) for row in cells]


def _from_hub(hub: Hub, pools: Mapping[str, Pool]) -> Records:
    try:
        import datasets

        loaded = datasets.load_dataset(
            hub.id, hub.config, revision=hub.revision, data_files=dict(hub.data_files) or None
        )
    # Anything may come out of the library here: no network, no such data set, a refusal, a broken cache.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"cannot load {hub.id!r} from the hub ({reason}): pass data=, a local file or folder of it"
        ) from error
    splits = [split for split in pools if split in loaded]
    if not splits:
        raise InputError(f"{hub.id!r} has the splits {', '.join(loaded)}: expected {' or '.join(pools)}")
    digest = hashlib.sha256(hub.id.encode())
    records: list[Record] = []
    for split in splits:
        rows = loaded[split].to_list()
        digest.update(split.encode())
        for row in rows:
            digest.update(json.dumps(row, sort_keys=True, default=str).encode())
        records += _records(rows, f"{hub.id}, {split}", pools[split] if len(splits) > 1 else "any")
    return Records(rows=records, sha256=digest.hexdigest())
