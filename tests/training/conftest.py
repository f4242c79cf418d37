"""The model that most training tests train."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny import load_tiny
from w2s.models.load import LanguageModel


@pytest.fixture(scope="session")
def lm(tiny_llama: Path) -> LanguageModel:
    """A random Llama in float32; training leaves it as it is, and a test proves it."""
    return load_tiny(tiny_llama)
