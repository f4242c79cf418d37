"""A client's answers, and its waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from w2s.servers import client, pace
from w2s.servers.answered import Answered


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of a test's length."""
    monkeypatch.setattr(pace, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(client, "_MOST_BACKOFF", 0.05)


@pytest.fixture
def answered(tmp_path: Path) -> Iterator[Answered]:
    found = Answered(tmp_path / "cache")
    yield found
    found.close()
