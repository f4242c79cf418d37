"""Settings that were written to JSON, read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from w2s.config import Experiment, TaskSpec, TrainingSpec, WeakSpec
from w2s.errors import unknown_name

__all__ = ["experiment_from_dict", "task_spec_from_dict", "training_from_dict", "weak_from_dict"]


def experiment_from_dict(data: Mapping[str, Any]) -> Experiment:
    """The inverse of `dataclasses.asdict`, for settings that were written to JSON.

    Raises:
        InputError: A name is not that of a setting.
    """
    experiment: Experiment = _from_dict(Experiment, data, "")
    return experiment


def task_spec_from_dict(data: Mapping[str, Any]) -> TaskSpec:
    """As `experiment_from_dict`, of the settings of a task alone."""
    spec: TaskSpec = _from_dict(TaskSpec, data, "task.")
    return spec


def weak_from_dict(data: Mapping[str, Any]) -> WeakSpec:
    """As `experiment_from_dict`, of the settings of a weak supervisor alone."""
    spec: WeakSpec = _from_dict(WeakSpec, data, "weak.")
    return spec


def training_from_dict(data: Mapping[str, Any]) -> TrainingSpec:
    """The inverse of `dataclasses.asdict`, of the settings of a training alone."""
    spec: TrainingSpec = _from_dict(TrainingSpec, data, "training.")
    return spec


def _from_dict(cls: Any, data: Mapping[str, Any], where: str) -> Any:
    fields = {item.name: item for item in dataclasses.fields(cls)}
    types = get_type_hints(cls)
    values = {}
    for name, value in data.items():
        if name not in fields:
            raise unknown_name("setting", where + name, [where + field_name for field_name in fields])
        nested = dataclasses.is_dataclass(types[name]) and isinstance(value, Mapping)
        values[name] = _from_dict(types[name], value, f"{where}{name}.") if nested else value
    return cls(**values)
