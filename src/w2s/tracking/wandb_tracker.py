"""Weights & Biases: offline files, unless `WANDB_MODE` is online; the key is in `WANDB_API_KEY`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["open_tracker"]


class _Series:
    def __init__(self, wandb: Any, run: Any) -> None:
        self._wandb, self._run = wandb, run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
        self._run.log({"results": self._wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

    def close(self) -> None:
        self._run.finish()


class _Wandb:
    def __init__(self, wandb: Any) -> None:
        self._wandb = wandb

    def series(self, group: str, name: str) -> _Series:
        # Nothing of this machine is sent along: no code, no paths, no output of the terminal.
        quiet = self._wandb.Settings(
            console="off", silent=True, save_code=False, disable_git=True, x_disable_meta=True, x_disable_stats=True
        )
        run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "w2s"),
            group=group,
            name=name,
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="create_new",
            settings=quiet,
        )
        return _Series(self._wandb, run)


def open_tracker() -> _Wandb:
    """Weights & Biases, where it is installed."""
    import wandb

    return _Wandb(wandb)
