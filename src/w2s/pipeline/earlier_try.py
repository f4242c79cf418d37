"""A training that goes on from nothing although it was begun before: on other weights, which is said."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from w2s.files import atomic_write

__all__ = ["note_try"]

_NOTE = "checkpoints/try.json"
"""Among the checkpoints of a training, and removed with them."""

_log = logging.getLogger("w2s.training")


def note_try(out: Path, model: str, settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> None:
    """Write down what a training is of, and say so where a broken-off try of it cannot be gone on from.

    Args:
        out: The folder that the training writes into; those of other broken-off trainings are beside it.
        model: As the user calls it.
        settings: The step's.
        inputs: The step's.
    """
    own = {
        "model": model,
        "settings": {**settings, "model": {**settings["model"], "identity": None}},
        "inputs": {name: folder.name for name, folder in inputs.items() if name != "model"},
    }
    if not (out / _NOTE).exists() and any(map(_has_checkpoints, _tries_of(own, out))):
        _log.info("%s has other weights than when this training was last broken off: it is begun anew", model)
    (out / _NOTE).parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out / _NOTE, json.dumps(own))


def _tries_of(own: Mapping[str, Any], out: Path) -> list[Path]:
    """The folders of broken-off trainings that differ from this one in the weights alone."""
    expected = json.loads(json.dumps(own))
    return [note.parents[1] for note in out.parent.glob(f"*/{_NOTE}") if _read(note) == expected]


def _read(note: Path) -> object:
    try:
        return json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None


def _has_checkpoints(folder: Path) -> bool:
    return any(folder.glob("checkpoints/checkpoint-*"))
