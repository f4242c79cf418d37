"""How a training is laid: which settings decide it, which versions, and what it reads. Nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from w2s.config import EXECUTION_ONLY, TrainingSpec
from w2s.models.prepared import PreparedModel
from w2s.pipeline.steps import KINDS
from w2s.step import Json, Step

__all__ = ["training_step", "weights_of"]

# Settings that trainings of earlier versions did not have, and the values that leave those as they were.
_ADDED: dict[str, Json] = {"order": "rows"}


def training_step(
    label: str,
    model: PreparedModel,
    spec: TrainingSpec,
    training_set: Step,
    *,
    seed: int,
    init: Step | None = None,
    execution: Mapping[str, Json] | None = None,
) -> Step:
    """A model, fine-tuned on a training set.

    Args:
        label: For people.
        model: The model to be trained.
        spec: The settings.
        training_set: A step whose folder holds a training set.
        seed: Of the adapter's first values and the order of the rows.
        init: A training whose adapter this one begins with.
        execution: More of how it is computed.

    Raises:
        InputError: There is no such loss, or its settings or LoRA's targets do not fit.
    """
    from w2s.training.losses import LOSSES

    fields: dict[str, Any] = asdict(spec)
    LOSSES.find(spec.loss).bind(spec.loss_settings)
    if spec.lora.targets != "all-linear":
        model.check_targets(spec.lora.targets)
    versions = {"training": KINDS["training"].version, f"loss {spec.loss}": LOSSES.version(spec.loss)}
    if spec.schedule == "constant" and spec.warmup_ratio:
        versions["warm-up to a constant rate"] = 2  # before, there was none
    inputs = {"training_set": training_set, **model.inputs}
    if init is not None:
        inputs["init"] = init
    return Step(
        kind="training",
        label=label,
        settings={
            "training": {
                name: value
                for name, value in fields.items()
                if name not in EXECUTION_ONLY and _ADDED.get(name) != value
            },
            "seed": seed,
            "model": model.settings,
        },
        inputs=inputs,
        versions=versions,
        execution={
            "model": model.execution,
            "training": {name: fields[name] for name in EXECUTION_ONLY},
            **(execution or {}),
        },
    )


def weights_of(training: Step) -> str:
    """What the content of a training's base model is named by."""
    model = training.settings["model"]
    assert isinstance(model, dict)
    return str(model["identity"])
