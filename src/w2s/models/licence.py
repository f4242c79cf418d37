"""The licence of a model, as far as its files tell it."""

from __future__ import annotations

from pathlib import Path

import yaml

from w2s.config import ModelSpec
from w2s.models.bundled import BUNDLED
from w2s.models.source import cached_folder

__all__ = ["licence_of"]


def licence_of(spec: ModelSpec) -> str | None:
    """The licence that a bundled model has, or that the card in a model's folder names; None where nothing tells it.

    Nothing is asked of the hub: of a hub id the local cache is looked at.
    """
    if spec.name in BUNDLED:
        return BUNDLED[spec.name].licence
    path = Path(spec.name).expanduser()
    folder = path if path.is_dir() else None
    if folder is None and not path.exists() and spec.name.count("/") == 1:
        folder = cached_folder(spec.name, spec.revision)
    return _of_card(folder / "README.md") if folder else None


def _of_card(card: Path) -> str | None:
    """What the front matter of a hub's model card calls `license`."""
    try:
        text = card.read_text(encoding="utf-8")
        if not text.startswith("---\n"):
            return None
        fields = yaml.safe_load(text.split("\n---", 1)[0].removeprefix("---\n"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    if not isinstance(fields, dict):
        return None
    found = fields.get("license_name") or fields.get("license")
    return found if isinstance(found, str) else None
