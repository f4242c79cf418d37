"""Stores with a history: steps in a graph, results and notes of any age."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.stores import Folders, Settings, make_step
from w2s.step import Context, Step, walk
from w2s.store import Store

__all__ = ["OLD", "age", "age_notes", "chain", "compute", "graph", "name", "there"]

OLD = timedelta(days=40)


def graph(inputs: Sequence[Iterable[int]]) -> list[Step]:
    """Steps, each with the numbers of those before it that it reads."""
    steps: list[Step] = []
    for number, before in enumerate(inputs):
        named = {f"from-{one}": steps[one] for one in before}
        steps.append(make_step(kind=f"kind-{number % 3}", label=f"step {number}", settings={"n": number}, inputs=named))
    return steps


def chain(length: int) -> list[Step]:
    return graph([[number - 1] if number else [] for number in range(length)])


def _build(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    read = "".join((folder / "text").read_text() for folder in inputs.values())
    (out / "text").write_text(f"{settings['n']} {read}")
    (out / "sub").mkdir(exist_ok=True)
    (out / "sub" / "numbers.bin.json").write_bytes(bytes(range(20)))


def compute(store: Store, targets: Iterable[Step]) -> None:
    """As a runner does."""
    for step in walk(targets, stop=lambda step: store.get(step) is not None):
        store.run(step, _build)


def name(store: Store, targets: Iterable[Step], folder: Path) -> None:
    """A finished run into a folder."""
    targets = list(targets)
    with store.using(targets, label="a run", folder=folder):
        compute(store, targets)
        folder.mkdir(parents=True, exist_ok=True)


def age(store: Store, steps: Iterable[Step], by: timedelta = OLD) -> None:
    """Make results older."""
    moment = (datetime.now(UTC) - by).timestamp()
    for step in steps:
        os.utime(store.path(step) / "manifest.json", (moment, moment))


def age_notes(store: Store, by: timedelta = OLD) -> None:
    """Make all that was noted older."""
    for file in (store.root / ".runs").glob("*.json"):
        fields = json.loads(file.read_text())
        for moment in ("begun", "finished"):
            if fields[moment] is not None:
                fields[moment] = (datetime.fromisoformat(fields[moment]) - by).isoformat()
        file.write_text(json.dumps(fields))


def there(store: Store, steps: Iterable[Step]) -> list[int]:
    """The numbers of the steps whose results are there, whole."""
    fresh = Store(store.root)
    return [number for number, step in enumerate(steps) if fresh.get(step) is not None]
