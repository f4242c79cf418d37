"""Trackio: a database of this machine, or a Space that `TRACKIO_SPACE_ID` names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["open_tracker"]


class _Series:
    def __init__(self, trackio: Any, run: Any) -> None:
        self._trackio, self._run = trackio, run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
        import pandas as pd

        frame = pd.DataFrame([list(row) for row in rows], columns=list(columns))
        self._run.log({"results": self._trackio.Table(dataframe=frame)})

    def close(self) -> None:
        self._run.finish()


class _Trackio:
    def __init__(self, trackio: Any) -> None:
        self._trackio = trackio

    def series(self, group: str, name: str) -> _Series:
        run = self._trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", "w2s"),
            name=f"{group} · {name}",
            group=group,
            space_id=os.environ.get("TRACKIO_SPACE_ID"),
            embed=False,
        )
        return _Series(self._trackio, run)


def open_tracker() -> _Trackio:
    """Trackio, where it is installed."""
    import trackio

    return _Trackio(trackio)
