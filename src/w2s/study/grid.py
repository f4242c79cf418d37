"""From the settings of a study to its cells: a name, a level on each axis, and an experiment."""

from __future__ import annotations

import copy
import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from typing import Any, get_origin, get_type_hints

from w2s.config import DEFAULT_TASK, Experiment
from w2s.config_json import experiment_from_dict
from w2s.errors import InputError, unknown_name
from w2s.presets import preset
from w2s.results.plain import check_plain

__all__ = ["Cell", "cells_of", "check_names", "with_plugins"]

Settings = Mapping[str, Any]

_PARTS = ("name", "preset", "base", "grid", "exclude", "include")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One experiment of a study.

    Attributes:
        name: The name of its folder and its row.
        levels: Its level on each axis; for an included cell, only on those that it names.
        experiment: Its settings.
    """

    name: str
    levels: Mapping[str, str]
    experiment: Experiment


def cells_of(study: Settings) -> list[Cell]:
    """The cells of a study.

    Args:
        study: `preset`, `base` (settings of every cell), `grid` (axes), `exclude` and `include`, as `w2s study` reads
            them from a file. An axis is a setting with its values, `task.name: [hellaswag, mmlu]`, or a name of your
            own with levels that are settings each, `pair: {small: {weak.name: …, strong.name: …}, …}`. Nested settings
            may be written with dots. Each seed draws its own splits unless `split_per_seed` says otherwise.

    Raises:
        InputError: A part, a setting or a level is not what it should be, or two cells have one name.
    """
    for part in study:
        if part not in _PARTS:
            raise unknown_name("part of a study", str(part), _PARTS)
    base = _mapping(study.get("base"), "base")
    axes = {str(axis): _levels(str(axis), given) for axis, given in _mapping(study.get("grid"), "grid").items()}
    _check_axes(axes)
    excluded = [_excluded(one, axes) for one in _list(study.get("exclude"), "exclude")]
    begin = study.get("preset", "small")
    cells = []
    for chosen in itertools.product(*axes.values()):
        levels = dict(zip(axes, (level.name for level in chosen), strict=True))
        if any(all(levels[axis] == level for axis, level in one.items()) for one in excluded):
            continue
        name = "-".join(level.part for level in chosen) or "experiment"
        settings = [base, *(level.settings for level in chosen)]
        cells.append(Cell(name=_slug(name), levels=levels, experiment=_experiment(begin, settings, f"cell {name}")))
    cells += [_included(one, begin, base, axes) for one in _list(study.get("include"), "include")]
    if not cells:
        raise InputError("the study has no cells: exclude leaves none of the grid, and include adds none")
    check_names(cells)
    return cells


def with_plugins(study: Settings, files: Sequence[str]) -> Settings:
    """The settings of a study, with more plug-ins for every cell."""
    if not files:
        return study
    base = _mapping(study.get("base"), "base")
    return {**study, "base": {**base, "plugins": [*_list(base.get("plugins"), "plugins"), *files]}}


@dataclass(frozen=True, kw_only=True)
class _Level:
    """A level of an axis: its name, what it adds to a cell's name, and its settings."""

    name: str
    part: str
    settings: Settings


def _levels(axis: str, given: Any) -> list[_Level]:
    """The levels of an axis."""
    if isinstance(given, Mapping) and given:
        return [
            _Level(name=str(name), part=str(name), settings=_mapping(settings, f"grid.{axis}.{name}"))
            for name, settings in given.items()
        ]
    if not isinstance(given, list) or not given:
        raise InputError(f"grid.{axis} is {given!r}: expected a list of values, or levels with settings each")
    levels = []
    for value in given:
        if isinstance(value, list | Mapping):
            raise InputError(
                f"grid.{axis} holds {value!r}: expected plain values; name such levels, "
                f"{axis.rpartition('.')[2]}: {{first: {{{axis}: …}}, second: …}}"
            )
        name = _level_name(value)
        part = name if isinstance(value, str) else f"{axis.rpartition('.')[2]}-{name}"
        levels.append(_Level(name=name, part=part.rpartition("/")[2], settings={axis: value}))
    return levels


def _level_name(value: Any) -> str:
    """What a value is called as a level: as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_axes(axes: Mapping[str, Sequence[_Level]]) -> None:
    """Make sure that no two axes give a setting: a cell would be named after a value that it does not have."""
    of: dict[str, str] = {}
    for axis, levels in axes.items():
        for name in {name for level in levels for name in _settings(level.settings, f"grid.{axis}.{level.name}")}:
            if of.setdefault(name, axis) != axis:
                raise InputError(f"the axes {of[name]} and {axis} both give {name}: expected it in one of them")
    for name, axis in of.items():
        for whole in _parents(name) & set(of):
            if of[whole] != axis:
                raise InputError(
                    f"the axis {of[whole]} gives {whole} as a whole, and {axis} gives {name}: expected names with dots "
                    f"in both, such as {name}"
                )


def _excluded(one: Any, axes: Mapping[str, Sequence[_Level]]) -> dict[str, str]:
    """The levels on some axes that are left out together."""
    found = {}
    for axis, value in _mapping(one, "exclude").items():
        if axis not in axes:
            raise unknown_name("axis", str(axis), axes)
        name = _level_name(value)
        known = [level.name for level in axes[axis]]
        if name not in known:
            raise unknown_name(f"level of {axis}", name, known)
        found[axis] = name
    if not found:
        raise InputError("exclude has an entry without an axis: expected levels, such as {task.name: mmlu}")
    return found


def _included(one: Any, begin: str, base: Settings, axes: Mapping[str, Sequence[_Level]]) -> Cell:
    """A cell outside the grid: levels of axes, and settings."""
    settings = dict(_mapping(one, "include"))
    name = settings.pop("name", None)
    if not isinstance(name, str) or not name:
        raise InputError(f"include has an entry with the name {name!r}: expected a text that names its folder")
    chosen, levels = [], {}
    for axis, known in axes.items():
        if axis not in settings:
            continue
        value = settings.pop(axis)
        levels[axis] = _level_name(value)
        level = next((level for level in known if level.name == levels[axis]), None)
        if level is None and not _is_setting(axis):
            raise unknown_name(f"level of {axis}", levels[axis], [level.name for level in known])
        chosen.append({axis: value} if level is None else level.settings)
    where = f"include {name}"
    given = {one for level in chosen for one in _settings(level, where)}
    for one in _settings(settings, where):
        if lost := {of for of in given if of == one or one in _parents(of)}:
            raise InputError(f"{where}: {one} takes the place of {min(lost)}, which the level of an axis gives")
    experiment = _experiment(begin, [base, *chosen, settings], f"cell {name}")
    return Cell(name=_slug(name), levels=levels, experiment=experiment)


def _experiment(begin: str, layers: Sequence[Settings], where: str) -> Experiment:
    """A preset's settings for the task, and each layer over those before it."""
    given: dict[str, Any] = {"split_per_seed": True}
    for layer in layers:
        new = _settings(layer, where)
        given = {name: value for name, value in given.items() if not _parents(name) & set(new)} | new
    begin = given.pop("preset", begin)
    task = given.get("task.name", DEFAULT_TASK)
    for what, value in (("preset", begin), ("task.name", task)):
        if not isinstance(value, str):
            raise InputError(f"{where}: {what} is {value!r}: expected a text")
    settings = asdict(preset(begin, task))
    for name, value in given.items():
        *groups, last = name.split(".")
        group = settings
        for one in groups:
            group = group.setdefault(one, {})
            if not isinstance(group, dict):
                raise InputError(f"{where}: {name} is given, and {one} is {group!r}: expected settings there")
        group[last] = copy.deepcopy(value)  # settings below it may differ from cell to cell
    try:
        check_plain(settings, dict[str, Any], where)
        experiment = experiment_from_dict(settings)
        check_plain(experiment, Experiment, "")
    except TypeError as error:
        raise InputError(f"{where}: {str(error).lstrip('.')}") from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return experiment


def _settings(layer: Settings, where: str) -> dict[str, Any]:
    """The settings of a layer by their dotted names.

    Raises:
        InputError: One is there twice, once under its dotted name and once in a mapping.
    """
    found: dict[str, Any] = {}
    for name, value in _flat(layer, ""):
        if name in found:
            raise InputError(f"{where}: {name} is there twice, as {found[name]!r} and as {value!r}: expected it once")
        found[name] = value
    for name in found:
        if whole := _parents(name) & set(found):
            raise InputError(f"{where}: {min(whole)} is given as a whole, and {name} besides: expected one of them")
    return found


def _flat(settings: Settings, before: str) -> Iterator[tuple[str, Any]]:
    """Settings by their dotted names, as `Experiment` nests them; a mapping that is a value stays whole."""
    for name, value in settings.items():
        dotted = f"{before}{name}"
        kind = _kind(dotted)
        if is_dataclass(kind):
            yield from _flat(_mapping(value, dotted), f"{dotted}.")
        else:
            # A whole number where a number belongs, so that 1 and 1.0 are one setting and one key.
            whole = isinstance(value, int) and not isinstance(value, bool) and kind in (float, float | None)
            yield dotted, float(value) if whole else value


def _kind(dotted: str) -> Any:
    """The type of a setting.

    Raises:
        InputError: There is none of the name.
    """
    known = _kinds()
    if not _is_setting(dotted):
        near = difflib.get_close_matches(dotted, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"unknown setting {dotted!r}: w2s run --help lists them{hint}")
    return known.get(dotted, Any)


def _is_setting(dotted: str) -> bool:
    """Whether `Experiment` has it, or a setting of a mapping's kind may hold it: `weak.settings.accuracy`."""
    known = _kinds()
    return dotted in known or any(get_origin(known.get(parent)) is dict for parent in _parents(dotted))


def _parents(dotted: str) -> set[str]:
    """The names of what a setting stands in."""
    parts = dotted.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


@cache
def _kinds() -> dict[str, Any]:
    """The type of every setting, and of every group of settings, by its dotted name."""
    found: dict[str, Any] = {"preset": str}
    groups: list[tuple[str, Any]] = [("", Experiment)]
    while groups:
        before, group = groups.pop()
        for name, kind in get_type_hints(group).items():
            found[before + name] = kind
            if is_dataclass(kind):
                groups.append((f"{before}{name}.", kind))
    return found


def _mapping(value: Any, name: str) -> Settings:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is {value!r}: expected settings")
    if wrong := next((key for key in value if not isinstance(key, str)), None):
        raise InputError(f"{name} has the name {wrong!r}: expected a text")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{name} is {value!r}: expected a list")
    return value


def _slug(name: str) -> str:
    """A name that can be that of a folder anywhere."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "-", name).strip("-.") or "cell"


def check_names(cells: Sequence[Cell]) -> None:
    """Make sure that no two cells have one name, which is that of their folder.

    Raises:
        InputError: Two have.
    """
    seen: set[str] = set()
    for cell in cells:
        if cell.name.lower() in seen:
            raise InputError(
                f"two cells are named {cell.name!r}: expected names of their own, as levels of an axis have"
            )
        seen.add(cell.name.lower())
