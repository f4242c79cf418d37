"""TensorBoard: event files in a folder of this machine, each training a run beside the others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["open_tracker"]

DEFAULT = Path("runs/tensorboard")


class _Series:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
        lines = [columns, ["---"] * len(columns), *rows]
        text = "\n".join("| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |" for line in lines)
        self._writer.add_text("results", text)

    def close(self) -> None:
        self._writer.close()


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._root = Path(os.environ.get("TENSORBOARD_LOGGING_DIR", DEFAULT))

    def series(self, group: str, name: str) -> _Series:
        folder = "".join(c if c.isalnum() or c in ".-_ " else "_" for c in name)
        return _Series(self._writer(str(self._root / group / folder)))


def open_tracker() -> _TensorBoard:
    """TensorBoard, where it is installed."""
    from torch.utils.tensorboard import SummaryWriter

    return _TensorBoard(SummaryWriter)
