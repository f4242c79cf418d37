"""Fixtures for commands that are typed: the command, and a folder of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import Say
from support.experiments import without_pages
from support.registries import no_plugin_loaded
from w2s.cli import main

__all__ = ["here", "no_page", "own_plugins", "say"]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; what it printed on standard output."""

    def run(*words: object) -> str:
        capsys.readouterr()
        main([str(word) for word in words])
        return capsys.readouterr().out

    return run


@pytest.fixture
def no_page() -> Iterator[None]:
    with without_pages():
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own: nothing that is refused may leave anything there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def own_plugins() -> Iterator[None]:
    """What a plug-in brings is gone with the test."""
    with no_plugin_loaded():
        yield
