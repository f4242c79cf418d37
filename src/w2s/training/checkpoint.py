"""Checkpoints of a Trainer without pickle: safetensors and JSON, written whole or not at all.

transformers' own checkpoints hold pickled optimizer, scheduler, random state and arguments, and a kill in
the middle of one leaves a folder that looks like a checkpoint. Sharded training (FSDP, DeepSpeed) writes
through its own libraries and keeps to their form.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Trainer
from transformers.trainer import TRAINER_STATE_NAME

from w2s.files import put_in_place, remove, sha256_of

__all__ = ["SafeCheckpoints", "drop_damaged", "last_checkpoint"]

_TENSORS, _REST, _CHECKSUMS = "state.safetensors", "state.json", "checksums.json"
_MODEL = "model."  # before the names of what is trained
_FILES = (_TENSORS, _REST, TRAINER_STATE_NAME)

# Of a run, so that one remains where the newest is damaged.
_KEPT = 2

_log = logging.getLogger("w2s.training")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint in a folder."""
    return max(_checkpoints(folder), key=_step_of, default=None)


def drop_damaged(folder: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> None:
    """Remove the checkpoints that are not as they were written, or of another adapter, and say so.

    Args:
        folder: Of the checkpoints.
        shapes: Of what is trained, by name; None for any.
    """
    found = sorted(_checkpoints(folder), key=_step_of)
    for path in found:
        fault = _find_fault(path)
        if fault is None and shapes is not None:
            fault = _find_misfit(path, shapes)
        if fault is not None:
            _log.info(f"{path.name} is damaged and left out: {fault}")
            remove(path)
    if found and last_checkpoint(folder) is None:
        _log.info("no checkpoint is left to go on from: the training is begun anew")


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _find_fault(checkpoint: Path) -> str | None:
    """What keeps a checkpoint from being whole, after reading all of it; None if nothing does."""
    try:
        checksums = json.loads((checkpoint / _CHECKSUMS).read_bytes())
    except (OSError, ValueError):
        checksums = None
    if not isinstance(checksums, dict):
        return f"{_CHECKSUMS} is missing or cannot be read"
    for name in _FILES:
        try:
            if sha256_of(checkpoint / name) != checksums.get(name):
                return f"{name} has changed content"
        except OSError:
            return f"{name} is missing or cannot be read"
    return None


def _find_misfit(checkpoint: Path, shapes: Mapping[str, Sequence[int]]) -> str | None:
    """What of a whole checkpoint is not of what is trained."""
    with safe_open(checkpoint / _TENSORS, framework="pt") as tensors:
        names = [name for name in map(str, tensors.keys()) if name.startswith(_MODEL)]
        held = {name: tuple(tensors.get_slice(name).get_shape()) for name in names}
    expected = {_MODEL + name: tuple(shape) for name, shape in shapes.items()}
    if odd := sorted(name for name in held.keys() | expected.keys() if held.get(name) != expected.get(name)):
        return f"it is of another adapter, by {odd[0].removeprefix(_MODEL)}"
    return None


class SafeCheckpoints(Trainer):
    """A Trainer whose checkpoints hold what is trained, in safetensors and JSON."""

    @property
    def _sharded(self) -> bool:
        return bool(self.is_deepspeed_enabled or self.is_fsdp_enabled)

    def _trained(self) -> dict[str, nn.Parameter]:
        model = self.accelerator.unwrap_model(self.model)
        return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate without drawing a random number: a run that goes on from before it does not evaluate again."""
        with torch.random.fork_rng(devices=[]):
            metrics: dict[str, float] = super().evaluate(*args, **kwargs)
        return metrics

    def last_whole_checkpoint(self) -> Path | None:
        """The newest checkpoint that can be gone on from; those that are damaged are removed."""
        folder = Path(self.args.output_dir)
        if self.is_world_process_zero() and not self._sharded:
            drop_damaged(folder, {name: parameter.shape for name, parameter in self._trained().items()})
        self.accelerator.wait_for_everyone()
        return last_checkpoint(folder)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        if self._sharded:
            super()._save_checkpoint(model, trial)
            return
        if not self.args.should_save:
            return
        folder = Path(self.args.output_dir)
        final = folder / f"checkpoint-{self.state.global_step}"
        new = folder / ".writing"
        remove(new)
        new.mkdir(parents=True)

        tensors = {_MODEL + name: parameter.detach() for name, parameter in self._trained().items()}
        optimizer = self.optimizer.state_dict()
        scalars: dict[str, dict[str, Any]] = {}
        for index, state in optimizer["state"].items():
            for name, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{name}"] = value
                else:
                    scalars.setdefault(str(index), {})[name] = value
        tensors["random.torch"] = torch.random.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.random.get_rng_state()
        python_state, numpy_state = random.getstate(), np.random.get_state(legacy=False)
        assert isinstance(numpy_state, dict)
        rest = {
            "scheduler": self.lr_scheduler.state_dict(),
            "groups": optimizer["param_groups"],
            "scalars": scalars,
            "python": python_state,
            "numpy": {**numpy_state, "state": {k: np.asarray(v).tolist() for k, v in numpy_state["state"].items()}},
        }
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, new / _TENSORS)
        (new / _REST).write_text(json.dumps(rest))
        self.state.save_to_json(str(new / TRAINER_STATE_NAME))
        (new / _CHECKSUMS).write_text(json.dumps({name: sha256_of(new / name) for name in _FILES}))
        put_in_place(new, final)
        for old in sorted(_checkpoints(folder), key=_step_of)[:-_KEPT]:
            remove(old)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self._sharded:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        tensors = load_file(Path(resume_from_checkpoint) / _TENSORS)
        with torch.no_grad():
            for name, parameter in self._trained().items():
                parameter.copy_(tensors[_MODEL + name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or self._sharded:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        tensors, rest = self._read(checkpoint)
        state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in rest["scalars"].items()}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                state.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": rest["groups"]})
        self.lr_scheduler.load_state_dict(rest["scheduler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None or self._sharded:
            super()._load_rng_state(checkpoint)
            return
        tensors, rest = self._read(checkpoint)
        torch.random.set_rng_state(tensors["random.torch"])
        if torch.cuda.is_available() and "random.cuda" in tensors:
            torch.cuda.random.set_rng_state(tensors["random.cuda"])
        version, internal, gauss = rest["python"]
        random.setstate((version, tuple(internal), gauss))
        numpy_state = rest["numpy"]
        numpy_state["state"]["key"] = np.array(numpy_state["state"]["key"], dtype=np.uint32)
        np.random.set_state(numpy_state)

    @staticmethod
    def _read(checkpoint: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return load_file(Path(checkpoint) / _TENSORS), json.loads((Path(checkpoint) / _REST).read_text())
