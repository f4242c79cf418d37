"""Every engine test runs on each architecture: their masks, positions and caches differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny import TINY, load_tiny
from w2s.models.load import LanguageModel


@pytest.fixture(scope="session", params=["llama", "qwen", "gemma"])
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    """A random model in float32."""
    assert request.param in TINY
    folder: Path = request.getfixturevalue(f"tiny_{request.param}")
    return load_tiny(folder)
