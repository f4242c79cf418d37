"""Which task made the prompts of a table, and what an adapter was trained on.

A student that is asked in another wording than it learned is measured on the wording. So a table that a stage makes
says which task its prompts are of: in Parquet's metadata, or in `NAME.task.json` beside it; and `train` leaves
`trained-on.json` beside the adapter, from which the stages after it take their task. A run's folder says as much.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from w2s import tables
from w2s.config import AnsweringSpec, ModelSpec, TaskSpec
from w2s.config_json import experiment_from_dict, task_spec_from_dict
from w2s.errors import InputError
from w2s.files import atomic_write, file_sha256
from w2s.folders.layout import WEAK_FOLDER, MethodFolder, RunFolder
from w2s.pipeline.task_rows import anywhere
from w2s.tasks import TASKS, Draw, Task, task_from

__all__ = [
    "TRAINED_ON",
    "Origin",
    "TrainedOn",
    "origin_of",
    "read_table",
    "trained_on",
    "with_origin",
    "write_table",
]

logger = logging.getLogger(__name__)

TRAINED_ON = "trained-on.json"
"""The file beside an adapter that says what it was trained on."""
_KEY = b"w2s.origin"
_MOST_BYTES = 2**28  # of such a file: it has the questions' ids
_WORDING = ("name", "answer_format", "templates", "answers", "labels", "missing_paraphrases")
"""The settings of a task that decide its prompts, whatever its data."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The task that made prompts.

    Attributes:
        spec: Its settings, files by their absolute paths.
        asking: What of it decides its prompts, as `Task.asking` tells.
        version: Of the task.
        seed: Whose splits they are, of a run that drew them for each seed; None where there is one draw.
        seeds: All seeds of that run.
    """

    spec: TaskSpec
    asking: Mapping[str, Any]
    version: int | str
    seed: int | None = None
    seeds: tuple[int, ...] = ()

    @classmethod
    def of(cls, task: Task, *, seed: int | None = None, seeds: tuple[int, ...] = ()) -> Self:
        """The origin of a task's own prompts."""
        return cls(spec=anywhere(task.spec), asking=task.asking(), version=_version(task), seed=seed, seeds=seeds)

    def draw(self, task: Task) -> Draw | None:
        """The draw of the splits that the prompts' questions are from, where the task is still the same."""
        if self.seed is None or anywhere(task.spec) != self.spec:
            return None
        return next(draw for draw in task.pool.draws(self.seeds) if draw.seed == self.seed)

    def differences(self, task: Task) -> list[str]:
        """In what a task asks otherwise than this one did, a phrase each."""
        then, now = dict(self.asking), task.asking()
        if then["name"] != now["name"]:
            return [f"the task is {now['name']}, it was {then['name']}"]
        said = [
            f"template {name!r} is not the same"
            for name, text in now["templates"].items()
            if name in then["templates"] and then["templates"][name] != text
        ]
        said += [
            f"{name} is {now.get(name)!r}, it was {then.get(name)!r}"
            for name in sorted({*then, *now} - {"name", "templates"})
            if then.get(name) != now.get(name)
        ]
        if (version := _version(task)) != self.version:
            said.append(f"task {task.name} is version {version}, it was {self.version}")
        return said

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "task": asdict(self.spec),
            "asking": dict(self.asking),
            "version": self.version,
            "seed": self.seed,
            "seeds": list(self.seeds),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            KeyError: Something is missing; likewise TypeError and InputError where something is wrong.
        """
        asking = dict(data["asking"])
        if not isinstance(asking["name"], str) or not isinstance(asking["templates"], dict):
            raise TypeError("asking: expected a name and templates")
        return cls(
            spec=task_spec_from_dict(data["task"]),
            asking=asking,
            version=data["version"],
            seed=data["seed"],
            seeds=tuple(data["seeds"]),
        )


def _version(task: Task) -> int | str:
    return TASKS.version(task.name)


# Of a table


def origin_of(table: pa.Table) -> Origin | None:
    """The task that made a table's prompts; None where it does not say.

    Raises:
        InputError: What it says is no task.
    """
    said = (table.schema.metadata or {}).get(_KEY)
    return None if said is None else _parsed("the table's metadata", said)


def with_origin(table: pa.Table, origin: Origin | None) -> pa.Table:
    """The table, saying which task made its prompts."""
    others = {key: value for key, value in (table.schema.metadata or {}).items() if key != _KEY}
    said = {} if origin is None else {_KEY: json.dumps(origin.to_dict())}
    return table.replace_schema_metadata({**others, **said} or None)


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write Parquet, CSV, TSV or JSONL, by the name's suffix; `read_table` gives the same table back.

    Which task made the prompts stands in the metadata of Parquet, and beside any other form in `NAME.task.json`. The
    rest is as in `w2s.tables`.

    Raises:
        InputError: The form has no way to say what is in a column.
    """
    path = Path(path).expanduser()
    origin, beside = origin_of(table), _beside(path)
    tables.write_table(table, path)
    beside.unlink(missing_ok=True)  # what was beside the table before is not of this one
    if origin is not None and path.suffix.lower() != ".parquet":
        said = {**origin.to_dict(), "table_sha256": file_sha256(path)}
        atomic_write(beside, json.dumps(said, indent=1) + "\n")


def read_table(path: str | Path, columns: Mapping[str, str] | None = None, *, encoding: str | None = None) -> pa.Table:
    """Read Parquet, CSV, TSV, JSONL or a JSON array, possibly gzipped, by the suffix of the file name.

    Text stays text, as in `w2s.tables`. The table says which task made its prompts, where the file does, or the one
    beside it (`NAME.task.json`), or the run that it is of.

    Args:
        path: The file.
        columns: The file's names for the columns, by our names.
        encoding: Of its text; by default UTF-8, or what a byte order mark says.

    Raises:
        InputError: The file is missing, empty, of another kind or encoding, or broken, or has no such column; or what
            is said of its prompts is no task.
    """
    path = Path(path).expanduser()
    table, beside = tables.read_table(path, columns, encoding=encoding), _beside(path)
    if origin_of(table) is not None:
        return table
    if not beside.is_file():
        run = _run_of(path)
        return table if run is None else with_origin(table, run.origin)
    text = _text(beside)
    if f'"{file_sha256(path)}"' not in text:
        logger.warning("%s was changed since w2s wrote it: its prompts are taken to be those of %s", path, beside.name)
    return with_origin(table, _parsed(str(beside), text.encode()))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.task.json")


def _text(path: Path) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes: expected at most {_MOST_BYTES}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {error}") from None


def _parsed(where: str, text: bytes) -> Origin:
    try:
        return Origin.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{where} does not name the task of the prompts: {type(error).__name__} {error}") from None


# Of an adapter


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """What an adapter was trained on.

    Attributes:
        origin: The task of the prompts; None where the training set named none.
        model: The base model: `name`, `revision` and `chat_template`.
        prompt: The first prompt.
        questions: Ids of the questions.
        answering: How its run asked it in the test.
        weights: What the base model's content was named by; None where that is not known.
    """

    origin: Origin | None
    model: Mapping[str, Any]
    prompt: str
    questions: frozenset[str]
    answering: AnsweringSpec | None = None
    weights: str | None = None

    @classmethod
    def of(cls, table: pa.Table, model: ModelSpec, weights: str | None = None) -> Self:
        """Of a training set with `prompt` and `question_id`, and of a base model with the identity of its weights."""
        own = {name: getattr(model, name) for name in ("name", "revision", "chat_template")}
        path = Path(model.name).expanduser()
        own["name"] = str(path.absolute()) if path.is_dir() else model.name
        prompt = table["prompt"][0].as_py() if table.num_rows else ""
        ids = frozenset(table["question_id"].to_pylist()) if origin_of(table) else frozenset()
        return cls(origin=origin_of(table), model=own, prompt=prompt, questions=ids, weights=weights)

    def settings(self, *, name: str | None, data: str | None) -> dict[str, Any]:
        """The settings of a stage that asks the adapter, by their dotted names, where it is not told others.

        Args:
            name: The task that the stage is told; another one has settings of its own.
            data: The data that it is told; other data is split in its own way, and asked in the adapter's wording.
        """
        found = {f"model.{field}": value for field, value in self.model.items()}
        if self.answering is not None:
            found |= {f"answering.{field}": value for field, value in asdict(self.answering).items()}
        if self.origin is None or name not in (None, self.origin.spec.name):
            return found
        spec = asdict(self.origin.spec)
        here = data is None or anywhere(TaskSpec(data=data)).data == spec["data"]
        return found | {f"task.{field}": value for field, value in spec.items() if here or field in _WORDING}

    def write(self, path: Path) -> None:
        """Write it as the file that `trained_on` reads."""
        said = {
            "origin": self.origin and self.origin.to_dict(),
            "model": dict(self.model),
            "weights": self.weights,
            "prompt": self.prompt,
            "questions": sorted(self.questions),
        }
        atomic_write(path, json.dumps(said, indent=1) + "\n")


def trained_on(adapter: str | Path) -> TrainedOn | None:
    """What an adapter says that it was trained on: beside it, or in the folder of the run that it is of.

    Raises:
        InputError: The file is not one that `train` wrote.
    """
    folder = Path(adapter).expanduser().absolute()
    for beside in (folder / TRAINED_ON, folder.parent / TRAINED_ON):
        if beside.is_file():
            return _read(beside)
    return _run_of(folder)


def _read(path: Path) -> TrainedOn:
    try:
        data = json.loads(_text(path))
        model = {name: data["model"][name] for name in ("name", "revision", "chat_template")}
        questions = frozenset(map(str, data["questions"]))
        origin = None if data["origin"] is None else Origin.from_dict(data["origin"])
        prompt, weights = str(data["prompt"]), data.get("weights")
        return TrainedOn(origin=origin, model=model, prompt=prompt, questions=questions, weights=weights)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is not as w2s train writes it: {type(error).__name__} {error}") from None


def _run_of(path: Path) -> TrainedOn | None:
    """What a run's own settings say of a student's adapter, or of a table, in its folder."""
    found = RunFolder.around(path)
    if found is None:
        return None
    import yaml

    settings = found.run.settings
    try:
        experiment = experiment_from_dict(yaml.safe_load(_text(settings)))
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{settings}: {' '.join(str(error).split())}") from None
    own = found.seed if experiment.split_per_seed else None
    weak = WEAK_FOLDER in found.names
    model = experiment.weak if weak else experiment.strong
    origin = Origin.of(task_from(experiment.task), seed=own, seeds=tuple(experiment.seeds) if own is not None else ())
    questions, prompt = _learned(path)
    return TrainedOn(
        origin=origin,
        model={name: getattr(model, name) for name in ("name", "revision", "chat_template")},
        prompt=prompt,
        questions=questions,
        answering=experiment.evaluation,
        weights=None if weak else _student_weights(found.run.results),
    )


def _student_weights(results: Path) -> str | None:
    """What a run says that the content of its students' base model was named by; None where it does not say."""
    try:
        identity = json.loads(_text(results))["student"]["identity"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return identity if isinstance(identity, str) else None


def _learned(path: Path) -> tuple[frozenset[str], str]:
    """The questions that a student of a run learned from, of all rounds, and its first prompt."""
    own = next((one for one in map(MethodFolder, (path, path.parent)) if one.training_set.is_file()), None)
    files = [] if own is None or not path.is_dir() else [*own.earlier_training_sets(), own.training_set]
    learned = [tables.read_table(file) for file in files]
    ids = frozenset(id for table in learned for id in table["question_id"].to_pylist())
    return ids, next((table["prompt"][0].as_py() for table in learned if table.num_rows), "")
