"""A job is done in an empty folder, with a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.typed import here, no_page, own_plugins, say

__all__ = ["here", "no_page", "own_plugins", "say"]


@pytest.fixture(autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `W2S_HOME` leads."""
    folder = tmp_path_factory.mktemp("home") / "store"
    monkeypatch.setenv("W2S_HOME", str(folder))
    return folder
