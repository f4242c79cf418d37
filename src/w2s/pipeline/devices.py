"""What steps want to be computed on: refused before any is computed, where this machine has it not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from w2s.errors import InputError
from w2s.step import Step, walk
from w2s.store import Store

__all__ = ["check_devices"]

_ANYWHERE = {"device": ("auto", "cpu"), "device_map": ("single",), "quantization": ("none",)}


def check_devices(targets: Iterable[Step], store: Store, *, jobs: int = 1) -> None:
    """Make sure that the models of the steps to be computed can be held here as their settings say.

    Args:
        targets: The steps whose results are wanted.
        store: What it holds needs no device.
        jobs: Processes; each of several sees one GPU.

    Raises:
        InputError: A device is not here, or a model cannot be held on it so.
    """
    targets = list(targets)
    if not any(map(_wants, walk(targets, stop=lambda _: False))):
        return  # nothing to ask: torch need not be there
    from w2s.config import ModelSpec
    from w2s.models.placement import check_placement

    seen: list[Any] = []
    for step in walk(targets, stop=store.is_done):
        held = _wants(step)
        if not held or held in seen:
            continue
        seen.append(held)
        if jobs > 1 and (":" in held["device"] or held["device_map"] == "auto"):
            given = f"device {held['device']!r}" if ":" in held["device"] else "device_map auto"
            raise InputError(f"{given} with --jobs {jobs}, each with a GPU of its own: expected cuda, and single")
        check_placement(ModelSpec(**held))


def _wants(step: Step) -> dict[str, Any]:
    """What of a step's model does not hold on any machine; empty where all of it does."""
    model: Any = step.execution.get("model")
    if model is None:
        return {}
    held = {name: model["spec"].get(name, usual[0]) for name, usual in _ANYWHERE.items()}
    return {} if all(held[name] in usual for name, usual in _ANYWHERE.items()) else held
