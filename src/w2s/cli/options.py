"""The options that several commands have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from w2s.cli.settings_file import file_settings, settings_file
from w2s.errors import InputError
from w2s.launched import this_process

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.runners.base import Runner
    from w2s.store import Store

__all__ = [
    "adapters_option",
    "add_fields",
    "check_groups",
    "config_option",
    "encoding_option",
    "no_options",
    "runner_from",
    "runner_options",
    "store_of",
]


def add_fields(parser: ArgumentParser, defaults: Any) -> None:
    """Every field of a settings dataclass as an option, `defaults` being an instance of it."""
    parser.add_class_arguments(type(defaults), as_group=False)
    parser.set_defaults(dataclasses.asdict(defaults))


def encoding_option(parser: ArgumentParser) -> None:
    """--encoding, wherever a command reads a table: where that is a task's data, it is short for --task.encoding."""
    action = parser._option_string_actions.get("--task.encoding")
    if action is None:
        text = "of the table's text, such as windows-1252 (default: UTF-8, or what a byte order mark says)"
        parser.add_argument("--encoding", type=str, default=None, help=text)
    else:
        action.option_strings = [*action.option_strings, "--encoding"]
        parser._option_string_actions["--encoding"] = action


def store_of(folder: str | None) -> Store:
    """The store that a command uses.

    Raises:
        InputError: It is a file.
    """
    from w2s.store import Store, default_root

    store = Store(Path(folder) if folder else default_root())
    if store.root.is_file():
        raise InputError(f"the store {store.root} is a file: expected a folder, or a name for a new one")
    return store


def check_groups(parser: ArgumentParser, words: Sequence[str]) -> None:
    """Make sure that a settings file has settings where there is a group of them; jsonargparse takes anything."""
    known = parser._option_string_actions
    for name, value in file_settings(words).items():
        if not isinstance(value, dict) and any(option.startswith(f"--{name}.") for option in known):
            raise InputError(f"{name} is {value!r} in {settings_file(words)}: expected settings below it")


def config_option(parser: ArgumentParser, words: Sequence[str]) -> None:
    """--config, whose file must be one of settings."""
    file_settings(words)
    parser.add_argument("--config", action="config", help="a YAML file with any of these options")


def adapters_option(parser: ArgumentParser) -> None:
    from w2s.folders.layout import Adapters

    parser.add_argument(
        "--adapters", type=Adapters, default="link", help="link to those in the store, or copy them: to send them away"
    )


def runner_options(parser: ArgumentParser) -> None:
    """Where steps are computed: the same results, sooner."""
    parser.add_argument("--jobs", type=int, default=1, help="steps computed at once, in processes of their own")
    parser.add_argument("--runner", type=Literal["local", "ray"], default="local", help="who computes the steps")
    parser.add_argument("--address", type=str, default=None, help="of a Ray cluster; auto for this machine's")
    parser.add_argument(
        "--resources",
        type=dict[str, dict[str, float]],
        default={},
        help="what a step of a kind needs of Ray, such as {training: {num_gpus: 1}}",
    )


def runner_from(arguments: Namespace) -> Runner:
    """The runner that a command's options ask for.

    Raises:
        InputError: Options that do not go together.
    """
    if this_process().world > 1 and (arguments.jobs != 1 or arguments.runner == "ray"):
        raise InputError(
            f"--{'runner ray' if arguments.runner == 'ray' else f'jobs {arguments.jobs}'} in one of "
            f"{this_process().world} launched processes: expected several processes for one training, or several "
            "trainings at once, not both"
        )
    if arguments.runner == "ray":
        from w2s.runners import ray

        if arguments.jobs != 1:
            raise InputError(f"--jobs is {arguments.jobs}: --runner ray begins as many steps as there is room for")
        return ray.runner_of(arguments.address, arguments.resources)
    from w2s.runners import processes

    if arguments.address or arguments.resources:
        raise InputError("--address and --resources are of --runner ray")
    return processes.runner_of(arguments.jobs)


def no_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    """None."""
