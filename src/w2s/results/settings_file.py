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
    task["data"], task["paraphrases"] = wherever(task["data"]), wherever(task["paraphrases"])
    for model in (strong, settings["paraphrases"]["model"]):
        model["name"] = wherever(model["name"])
    settings["weak"] = _supervisor_found_anywhere(weak)
    trust = settings["reliability"]
    trust["settings"] |= {name: wherever(trust["settings"].get(name)) for name in _models_in(trust)}
    settings["plugins"] = [wherever(file) for file in settings["plugins"]]
    return settings


def _supervisor_found_anywhere(weak: Mapping[str, Any]) -> dict[str, Any]:
    """A weak supervisor, or one of several: its model, its table, and those of its members."""
    found = dict(weak)
    own = dict(weak.get("settings", {}))
    if "name" in weak:
        found["name"] = wherever(weak["name"])
    if "answers" in own:  # of source table
        rules = [wherever(rule) for rule in own.get("normalize", [])]
        own |= {"answers": _tables_anywhere(own["answers"]), "normalize": rules}
    if "members" in own:  # of source pooled
        members = own["members"]
        own["members"] = [{**member, "weak": _supervisor_found_anywhere(member["weak"])} for member in members]
    if "settings" in weak:
        found["settings"] = own
    return found


def _tables_anywhere(answers: Any) -> Any:
    """One table, several, or a pattern of their names."""
    if isinstance(answers, list):
        return [_tables_anywhere(one) for one in answers]
    text = str(answers)
    return str(Path(text).expanduser().absolute()) if "*" in text else wherever(text)


def _models_in(reliability: Mapping[str, Any]) -> list[str]:
    """Which settings of the estimator name a model."""
    return [name for name in ESTIMATORS.find(reliability["estimator"]).models if name in reliability["settings"]]
