"""Fixtures for all tests. Nothing here reaches the network, or the store of whoever runs the tests."""

from __future__ import annotations

import gc
import os

# Read when huggingface_hub and torch are imported: before anything else here.
os.environ["HF_HUB_OFFLINE"] = "1"
# Tiny models are slower on several threads, and each worker of pytest-xdist has a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("w2s", deadline=None)  # how long an example takes says nothing on a shared machine
settings.load_profile("w2s")


def pytest_collection_finish() -> None:
    """Every training collects garbage, which walks all that lives: leave out the modules, which live for ever."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store for this session alone, which subprocesses get as well."""
    folder = tmp_path_factory.mktemp("w2s-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("W2S_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama."""
    from support.tiny import save_tiny_llama

    return save_tiny_llama(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Gemma 3."""
    from support.tiny import save_tiny_gemma

    return save_tiny_gemma(tmp_path_factory.mktemp("models") / "tiny-gemma")


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Qwen 2."""
    from support.tiny import save_tiny_qwen

    return save_tiny_qwen(tmp_path_factory.mktemp("models") / "tiny-qwen")
