"""The log of a training, and how far it is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from w2s.files import atomic_write
from w2s.progress import Progress

__all__ = ["Watch"]


class Watch(TrainerCallback):
    """Writes the log as it comes, one JSON line a step, and tells the progress."""

    def __init__(self, log: Path, tokens_per_step: float, progress: Progress) -> None:
        self._log = log
        self._tokens_per_step = tokens_per_step
        self._progress = progress

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        # A killed try may have logged steps after its last checkpoint; they are about to be done again.
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.is_file() else ""
        lines = text.splitlines(keepends=True)
        atomic_write(self._log, "".join(line for line in lines if _step_of(line) <= state.global_step))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        known = {key: value for key, value in (logs or {}).items() if key in ("loss", "eval_loss", "learning_rate")}
        if known and state.is_world_process_zero:
            with self._log.open("a") as file:
                file.write(json.dumps({"step": state.global_step, "epoch": state.epoch, **known}) + "\n")

        if not math.isfinite(known.get("loss", 0.0)):
            control.should_training_stop = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, "steps", int(state.global_step * self._tokens_per_step))


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
