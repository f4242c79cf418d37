"""The settings of a run as a file that repeats it, wherever it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from w2s.config import Experiment
from w2s.models.bundled import BUNDLED
from w2s.reliability import ESTIMATORS

__all__ = ["settings_text", "wherever"]


class _Dumper(yaml.SafeDumper):
    """Quotes a text such as 1e3, which YAML 1.2 takes for a number and PyYAML does not."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+"), list("-+.0123456789")
)


def settings_text(settings: Experiment | Mapping[str, Any]) -> str:
    """Settings as YAML that `w2s run --config` reads, files by their absolute paths."""
    values = _found_anywhere(asdict(settings)) if isinstance(settings, Experiment) else dict(settings)
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def wherever(name: str | None) -> str | None:
    """A path that holds in any folder, where the name is that of a file or folder here; any other name as it is."""
    path = Path(name or "no name").expanduser()
    return str(path.absolute()) if name not in BUNDLED and path.exists() else name


def _found_anywhere(settings: dict[str, Any]) -> dict[str, Any]:
    task, weak, strong = settings["task"], settings["weak"], settings["strong"]
    for group, name in ((task, "data"), (task, "paraphrases"), (weak, "name"), (strong, "name")):
        group[name] = wherever(group[name])
    if "answers" in weak["settings"]:  # of source table
        rules = [wherever(rule) for rule in weak["settings"].get("normalize", [])]
        weak["settings"] |= {"answers": wherever(str(weak["settings"]["answers"])), "normalize": rules}
    trust = settings["reliability"]
    trust["settings"] |= {name: wherever(trust["settings"].get(name)) for name in _models_in(trust)}
    settings["plugins"] = [wherever(file) for file in settings["plugins"]]
    return settings


def _models_in(reliability: Mapping[str, Any]) -> list[str]:
    """Which settings of the estimator name a model."""
    return [name for name in ESTIMATORS.find(reliability["estimator"]).models if name in reliability["settings"]]
