"""A student by the folder that it lies in, or by the run and the method that it is of."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from w2s.config import ModelSpec
from w2s.errors import InputError, unknown_name
from w2s.folders.layout import MethodFolder, RunFolder
from w2s.pipeline.origin import TRAINED_ON, trained_on
from w2s.report.card import data_lines, model_card
from w2s.results.records import RunRecords
from w2s.tables import read_table

__all__ = ["FoundStudent", "base_of", "find_student"]

logger = logging.getLogger(__name__)

_PROMPTS = 8  # of the training set, on which a merged model is compared
_CONFIG = "adapter_config.json"


@dataclass(frozen=True, kw_only=True)
class FoundStudent:
    """A trained student.

    Attributes:
        adapter: The folder of its adapter.
        base: The model under it, where that is known.
        prompts: Some that it was trained on; empty where its training set is not there.
        card: Its model card, where it is one of a run.
        identity: Of the content of its base model, where the run tells it.
        trained: What it was trained on, as lines of a list; of an adapter that is of no run.
    """

    adapter: Path
    base: ModelSpec | None
    prompts: tuple[str, ...] = ()
    card: str | None = None
    identity: str | None = None
    trained: tuple[str, ...] = ()


def find_student(folder: str | Path, *, method: str | None = None, seed: int | None = None) -> FoundStudent:
    """Find a student.

    Args:
        folder: That of a run; of one of its students (`runs/mine/seed-0/naive`); of an adapter; or what `train` wrote.
        method: The method's label, where the folder is a run's.
        seed: Of the run's; by default its first.

    Raises:
        InputError: There is no such student, or it was not trained.
    """
    root = Path(folder).expanduser()
    inside = RunFolder.around(root)
    if inside is not None and not inside.names:
        return _of_run(inside.run, method, seed)
    if method is not None or seed is not None:
        raise InputError(f"{folder} is not a run's folder: expected one with results.json, where a method is named")
    adapter = next((one for one in (root, root / "adapter") if (one / _CONFIG).is_file()), None)
    if adapter is None:
        raise InputError(
            f"{folder}: expected a training set (a file), the folder of a run with --method, of one of its students, "
            "or of an adapter"
        )
    if inside is not None and inside.seed is not None and inside.names[2:] in ((), ("adapter",)):
        return _of_run(inside.run, inside.names[1], inside.seed)
    return FoundStudent(adapter=adapter, base=_named_in(adapter), trained=tuple(_trained(adapter)))


def _of_run(folder: RunFolder, method: str | None, seed: int | None) -> FoundStudent:
    run = RunRecords.load(folder.root)
    seed = run.experiment.seeds[0] if seed is None else seed
    trained = [record.method for record in run.records if record.seed == seed and record.role != "supervisor"]
    trained = [label for label in trained if folder.method(seed, label).training.is_file()]
    if seed not in run.experiment.seeds:
        raise InputError(f"seed is {seed}: expected one of {', '.join(map(str, run.experiment.seeds))}, which ran")
    if method is None:
        raise InputError(f"{folder.root} is a run: expected --method with one of its students, {', '.join(trained)}")
    if method not in trained:
        raise unknown_name("trained student", method, trained)
    own = folder.method(seed, method)
    if not (own.adapter / _CONFIG).is_file():
        raise InputError(f"{own.adapter} is not there: the store that it leads to was pruned, or is on another machine")
    return FoundStudent(
        adapter=own.adapter,
        base=_as_run(run, folder),
        prompts=_prompts_of(own),
        card=model_card(run, seed=seed, method=method),
        identity=run.info.get("student", {}).get("identity"),
    )


def _as_run(run: RunRecords, folder: RunFolder) -> ModelSpec:
    """The student's model, in the dtype that it was trained in."""
    known: dict[str, Any] = run.info.get("student", {})
    dtype = known.get("dtype", run.experiment.strong.dtype)
    return replace(run.experiment.strong, name=_name_from_here(run, folder), dtype=dtype, device="auto")


def _name_from_here(run: RunRecords, folder: RunFolder) -> str:
    """The student's model; one that was named from the folder in which the run began, by its whole path."""
    name = run.experiment.strong.name
    try:
        whole = yaml.safe_load(folder.settings.read_text(encoding="utf-8"))["strong"]["name"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return name
    return whole if isinstance(whole, str) and Path(whole).exists() else name


def _prompts_of(own: MethodFolder) -> tuple[str, ...]:
    if not own.training_set.is_file():
        return ()
    table = read_table(own.training_set)
    return tuple(dict.fromkeys(table["prompt"].to_pylist()))[:_PROMPTS]


def _trained(adapter: Path) -> Iterator[str]:
    """What `train` wrote beside an adapter of what it learned; no prompt of it, since a card may be published."""
    try:
        learned = trained_on(adapter)
    except InputError as error:
        logger.warning("the model card does not say what the adapter learned: %s", error)
        return
    if learned is None:
        return
    if learned.origin is not None:
        yield from data_lines(learned.origin.spec)
    report = (adapter if (adapter / TRAINED_ON).is_file() else adapter.parent) / "training.json"
    if not report.is_file():
        return
    try:
        found = json.loads(report.read_bytes())
        rows, steps, loss = int(found["rows"]), int(found["steps"]), float(found["loss"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("the model card does not say how the adapter was trained: %s: %r", report, error)
        return
    of = f" of {len(learned.questions):,} questions" if learned.questions else ""
    yield f"* training set: {rows:,} examples{of}; {steps:,} steps, loss at the end {loss:.4f}"


def _named_in(adapter: Path) -> ModelSpec | None:
    """The base model that an adapter names, where a model of that name can be found."""
    try:
        config = json.loads((adapter / _CONFIG).read_bytes())
        name, revision = config["base_model_name_or_path"], config.get("revision")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ModelSpec(name=name, revision=revision) if isinstance(name, str) and name else None


def base_of(student: FoundStudent, name: str | None, dtype: str) -> ModelSpec:
    """The base model that a user names, or that the student names.

    Raises:
        InputError: Nobody does.
    """
    known = student.base
    if name is None and known is None:
        raise InputError(f"adapter {student.adapter} does not name its base model: expected --base")
    spec = known if known is not None else ModelSpec()
    spec = spec if name is None else replace(spec, name=name, revision=None)
    return spec if dtype == "auto" else replace(spec, dtype=dtype)  # type: ignore[arg-type]
