"""`w2s run --help`: the options that matter; with `all` every one, each group of settings explained once."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from argparse import Action

    from jsonargparse import ArgumentParser

__all__ = ["asks_for_help", "every_option", "short_help"]

_MAIN: dict[str, tuple[str, ...]] = {
    "run": (
        *("--task.name", "--task.data", "--weak.source", "--weak.name", "--strong.name"),
        *("--methods", "--seeds", "--config", "--out", "--dry-run"),
    )
}
"""The options that matter, of each command that has too many to be read."""

_MARGIN = 26  # columns before an explanation
_SHORT = 60  # characters of a default that is shown as it is


def asks_for_help(command: str, words: Sequence[str]) -> Callable[[ArgumentParser], str] | None:
    """Which help a command line asks for; None for none, or for the parser's own.

    Args:
        command: Its name.
        words: After it.
    """
    if command not in _MAIN or not {"--help", "-h"} & set(words):
        return None
    return every_option if "all" in words else lambda parser: short_help(parser, _MAIN[command])


class _Group(NamedTuple):
    """Options that stand together.

    Attributes:
        prefix: What their names begin with ("weak."); empty for those of no group.
        title: What they are about.
        actions: Them, without that which reads the group from a file.
    """

    prefix: str
    title: str
    actions: list[Action]

    @property
    def likeness(self) -> list[tuple[str, str]]:
        """What two groups of the same settings have in common: names and explanations."""
        return [(_name(action).removeprefix(f"--{self.prefix}"), action.help or "") for action in self.actions]


def short_help(parser: ArgumentParser, names: Sequence[str]) -> str:
    """The options that matter, and where the others are."""
    found = parser._option_string_actions
    lines = [*_beginning(parser)]
    for name in names:
        lines += _entry(found[name], parser)
    others = [group for group in _groups(parser) if group.prefix]
    lines += ["", f"Groups of more settings, which {parser.prog} --help all explains:"]
    for group in others:
        lines += _columns(f"--{group.prefix}…", group.title)
    rest = [_name(one) for one in _groups(parser)[0].actions if _name(one) not in (*names, "--help")]
    lines += ["", *_wrapped(f"Besides: {', '.join(rest)}.")]
    return "\n".join(lines)


def every_option(parser: ArgumentParser) -> str:
    """All options by group; of groups with the same settings one is explained, the others say how they differ."""
    lines = [*_beginning(parser)]
    explained: list[_Group] = []
    for group in _groups(parser):
        same = next((one for one in explained if _contains(one, group)), None)
        lines += ["", *_wrapped(f"{group.title}:")] if group.prefix else []
        if same is not None:
            lines += _wrapped(_as_in(group, same, parser), "  ")
            more = [action for action in group.actions if _own(group, action) not in dict(same.likeness)]
        else:
            more = group.actions
            explained.append(group)
        for action in more:
            lines += _entry(action, parser)
    return "\n".join(lines)


def _contains(one: _Group, other: _Group) -> bool:
    """Whether most settings of a group are explained with one that came before."""
    shared = set(one.likeness) & set(other.likeness)
    return bool(other.prefix) and 2 * len(shared) > len(other.actions)


def _as_in(group: _Group, same: _Group, parser: ArgumentParser) -> str:
    """That a group has the settings of another, and the defaults in which it differs."""
    defaults = {_own(same, action): _default(action, parser) for action in same.actions}
    differs = []
    for action in group.actions:
        name, default = _own(group, action), _default(action, parser)
        if name in defaults and defaults[name] != default:
            differs.append(f"{name} {default}")
    text = f"--{group.prefix}NAME: the settings of --{same.prefix}NAME"
    return f"{text}, by default {', '.join(differs)}." if differs else f"{text}."


def _beginning(parser: ArgumentParser) -> Iterator[str]:
    yield from (f"usage: {parser.usage}", "", str(parser.description), "")


def _groups(parser: ArgumentParser) -> list[_Group]:
    groups = [_Group("", "", [])]
    for found in parser._action_groups:
        actions = [one for one in found._group_actions if one.option_strings]
        if not actions:
            continue
        name = _name(actions[0])
        if found.title == "options":
            groups[0].actions.extend(one for one in actions if one.help)
        else:
            title = " ".join(str(found.title).split())
            groups.append(_Group(f"{name.removeprefix('--')}.", title, actions[1:]))
    return groups


def _own(group: _Group, action: Action) -> str:
    return _name(action).removeprefix(f"--{group.prefix}")


def _name(action: Action) -> str:
    return next(option for option in action.option_strings if option.startswith("--"))


def _entry(action: Action, parser: ArgumentParser) -> Iterator[str]:
    default = _default(action, parser)
    text = " ".join((action.help or "").replace("%%", "%").split())
    text = text[:1].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".") + _choices(action)
    if default and "efault" not in text:
        text += f" Default: {default}."
    yield from _columns(f"{_name(action)}{_takes(action)}", text)


def _choices(action: Action) -> str:
    """The values that an option of a few takes."""
    names = re.findall(r"'([^']+)'", "".join(re.findall(r"Literal\[([^\]]*)\]", str(_kind(action)))))
    return f" One of {', '.join(names)}." if len(names) > 1 else ""


def _kind(action: Action) -> Any:
    return getattr(action, "_typehint", None)


def _takes(action: Action) -> str:
    if action.nargs == 0:
        return ""
    if _name(action) == "--print_config":
        return "[=FLAGS]"
    if _kind(action) is bool:
        return " true|false"
    if "list[" in str(_kind(action)):
        return " A,B,…"
    return f" {_name(action).rpartition('.')[2].removeprefix('--').upper()}"


def _default(action: Action, parser: ArgumentParser) -> str:
    value: Any = action.default
    if value is None or value in ("==SUPPRESS==", [], {}) or action.nargs == 0:
        return ""
    if isinstance(value, list):
        value = ",".join(map(str, value)) if all(isinstance(one, str | int) for one in value) else "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _SHORT else "several; --print_config shows them"


def _columns(name: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, max(30, _width() - _MARGIN), break_on_hyphens=False) or [""]
    first = f"  {name}"
    if len(first) > _MARGIN - 2:
        yield first
    else:
        lines[0], first = f"{first:<{_MARGIN}}{lines[0]}", ""
    yield from (line if not first and index == 0 else " " * _MARGIN + line for index, line in enumerate(lines))


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _width(), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _width() -> int:
    return min(100, shutil.get_terminal_size().columns)
