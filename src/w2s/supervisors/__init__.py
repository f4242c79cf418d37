"""Who answers: one file a source of weak answers. To add one, add a file here that names it in `SOURCES`."""

from __future__ import annotations

from w2s.registry import Registry
from w2s.supervisors.source import Inquiry, Source, Supervision

__all__ = ["SOURCES", "Inquiry", "Source", "Supervision"]

SOURCES: Registry[Source] = Registry("weak source")
SOURCES.discover(__name__, __path__, "SOURCES")
