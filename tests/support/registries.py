"""The pieces that are registered, for tests that register more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from w2s import plugins
from w2s.methods import METHODS
from w2s.registry import Registry
from w2s.reliability import ESTIMATORS
from w2s.supervisors import SOURCES
from w2s.tasks import TASKS
from w2s.training.losses import LOSSES

__all__ = ["no_plugin_loaded"]

REGISTRIES: tuple[Registry[Any], ...] = (TASKS, SOURCES, ESTIMATORS, METHODS, LOSSES)


@contextmanager
def no_plugin_loaded() -> Iterator[None]:
    """As in a process that has just started; what is registered in this block is gone after it."""
    before = [(dict(registry), dict(registry.plugin_files)) for registry in REGISTRIES]
    loaded = dict(plugins._loaded)
    plugins._loaded.clear()
    yield
    for registry, (pieces, origins) in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(pieces)
        registry.plugin_files = origins
    plugins._loaded.clear()
    plugins._loaded.update(loaded)
