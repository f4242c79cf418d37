"""What a test's task is called may be called so again."""

from __future__ import annotations

from support.typed import own_plugins

__all__ = ["own_plugins"]
