"""Questions, a store, and a server to ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.experiments import in_splits, questions, write_rows
from support.faulty import FaultyServer, serving
from w2s.store import Store


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_rows(tmp_path / "questions.jsonl", in_splits(questions()))


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FaultyServer()) as state:
        yield state


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")
