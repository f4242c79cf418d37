"""The options of each command: the fields of the settings, and a few words of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from w2s.cli.limits import limit_options
from w2s.cli.settings_file import file_settings, named_setting, settings_file
from w2s.cli.track import track_option
from w2s.errors import InputError, unknown_name
from w2s.launched import this_process

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import Experiment, ModelSpec
    from w2s.runners.base import Runner
    from w2s.store import Store

__all__ = [
    "adapters_option",
    "add_fields",
    "check_groups",
    "compare_options",
    "config_option",
    "encoding_option",
    "evaluate_options",
    "label_options",
    "load_plugins_of",
    "named_plugins",
    "no_options",
    "report_options",
    "run_options",
    "runner_from",
    "runner_options",
    "score_options",
    "select_options",
    "store_of",
    "supervisor_options",
    "tasks_options",
    "train_options",
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
    """The store that a command uses."""
    from w2s.store import Store, default_root

    return Store(Path(folder) if folder else default_root())


def _task_name(words: Sequence[str]) -> str:
    """The task that the command line or the settings file names: a preset depends on it."""
    from w2s.config import DEFAULT_TASK
    from w2s.tasks import TASKS

    named = named_setting(words, "task.name")
    name = DEFAULT_TASK if named is None else named
    if name not in TASKS:
        raise unknown_name("task", str(name), TASKS)
    return name


def load_plugins_of(words: Sequence[str]) -> list[str]:
    """Load the plug-ins that are named before the options are known: they bring tasks, methods and their settings.

    Returns:
        The words, each `--plugin FILE` taken out, and the files put into `--plugins` where a command has it.
    """
    files: list[str] = []
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--plugin" or word.startswith("--plugin="):
            file = word.partition("=")[2] or next(remaining, "")
            if not file:
                raise InputError("--plugin: expected a Python file")
            files.append(file)
        else:
            rest.append(word)
    named = file_settings(words).get("plugins") or []
    if not isinstance(named, list) or not all(isinstance(file, str) for file in named):
        raise InputError(f"plugins is {named!r}: expected a list of Python files, such as [a.py]")
    if files or named or entry_points(group="w2s.plugins"):
        from w2s.plugins import load_installed, load_plugins

        load_installed()
        load_plugins([*named, *files])
    _PLUGINS[:] = [*map(str, named), *files]
    return rest


_PLUGINS: list[str] = []
"""The plug-ins of this command, for the experiment's settings."""


def named_plugins() -> list[str]:
    """The plug-ins that this command names."""
    return list(_PLUGINS)


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


def run_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.presets import PRESETS, preset
    from w2s.running import DEFAULT_FOLDER

    named = named_setting(words, "preset")
    chosen = preset("small" if named is None else str(named), _task_name(words))
    config_option(parser, words)
    parser.add_argument("--preset", type=str, default="small", help=f"settings to begin with: {', '.join(PRESETS)}")
    parser.add_argument("--out", type=str, default=str(DEFAULT_FOLDER), help="folder for the results")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")
    runner_options(parser)
    track_option(parser)
    adapters_option(parser)
    limit_options(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="list the steps, and about what they take; compute nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    if any(word.startswith("--print_config") for word in words):
        chosen = _as_the_task_has_it(chosen, words)
    add_fields(parser, dataclasses.replace(chosen, plugins=list(_PLUGINS)))
    encoding_option(parser)


def adapters_option(parser: ArgumentParser) -> None:
    from w2s.folders.layout import Adapters

    parser.add_argument(
        "--adapters", type=Adapters, default="link", help="link to those in the store, or copy them: to send them away"
    )


def _as_the_task_has_it(chosen: Experiment, words: Sequence[str]) -> Experiment:
    """Settings with the task's own number of variations and temperature, to be printed."""
    from w2s.tasks import TASKS

    own = TASKS[chosen.task.name]
    by_votes = (named_setting(words, "reliability.estimator") or chosen.reliability.estimator) == "votes"
    return dataclasses.replace(
        chosen,
        task=dataclasses.replace(chosen.task, num_variations=chosen.task.num_variations or own.num_variations),
        reliability=dataclasses.replace(chosen.reliability, temperature=own.temperature if by_votes else None),
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


def _stage_options(parser: ArgumentParser, words: Sequence[str], model: type[ModelSpec], *, split: str) -> None:
    from w2s.config import AnsweringSpec, TaskSpec

    config_option(parser, words)
    parser.add_class_arguments(TaskSpec, "task")
    encoding_option(parser)
    parser.add_class_arguments(model, "model")
    parser.add_class_arguments(AnsweringSpec, "answering")
    parser.add_argument(
        "--adapter",
        type=str,
        default=None,
        help="a trained adapter, as w2s train or a run leaves it; task and model are its own where none are named",
    )
    parser.add_argument("--split", type=str, default=split, help="weak_train, transfer or test")
    parser.add_argument("--out", type=str, default=None, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _as_trained(parser: ArgumentParser, words: Sequence[str]) -> None:
    """Ask an adapter as it was trained: the task and the model that it names are the defaults."""
    adapter = named_setting(words, "adapter")
    if not isinstance(adapter, str):
        return
    from w2s.pipeline.origin import trained_on

    learned = trained_on(adapter)
    if learned is not None:
        name, data = (named_setting(words, f"task.{field}") for field in ("name", "data"))
        parser.set_defaults(learned.settings(name=name, data=data))


def label_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import WeakSpec

    _stage_options(parser, words, WeakSpec, split="transfer")
    parser.set_defaults({"model.source": "prompted"})
    limit_options(parser)
    parser.add_argument("--requests-out", type=str, default=None, help="write what a server would be asked: .jsonl")
    parser.add_argument("--responses", type=str, default=None, help="take what came back of such a file, then go on")
    parser.add_argument("--seed", type=int, default=0, help="of the variations, and of sampled answers")
    parser.add_argument("--gold", action="store_true", help="write the right answers instead of asking a model")
    _as_trained(parser, words)


def evaluate_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import ModelSpec as Model

    _stage_options(parser, words, Model, split="test")
    _as_trained(parser, words)


def score_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument(
        "answers",
        type=str,
        nargs="+",
        help="a table with question_id, answer, and variation or annotator, or an export",
    )
    encoding_option(parser)
    parser.add_argument(
        "--format",
        type=str,
        default="",
        help="table, label-studio, argilla, lm-eval, distilabel or batch (default: what the file is recognized as)",
    )
    parser.add_argument(
        "--columns",
        type=dict[str, str],
        default={},
        help="what the table calls them: '{question_id: item, answer: label}'",
    )
    parser.add_argument(
        "--annotators",
        type=list[str],
        default=[],
        help="of a table with one column for each annotator: these columns",
    )
    parser.add_argument(
        "--normalize",
        type=list[str] | str,
        default=[],
        help="labels: space, case, a YAML or CSV file, or '[space, case]'",
    )
    parser.add_argument(
        "--estimator", type=str, default="votes", help="one that w2s estimators lists; several, a,b, are compared"
    )
    parser.add_argument("--gold", type=str, default=None, help="a table of right answers: question_id and answer")
    parser.add_argument("--temperature", type=float, default=None, help="of the reliability score (default: 0.2)")
    parser.add_argument(
        "--settings", type=dict[str, Any], default={}, help="of the (first) estimator: '{temperature: 2}'"
    )
    parser.add_argument(
        "--unparsed",
        type=str,
        default=None,
        help="class, drop_question or drop_answer (default: class; rows of annotators without a label are left out)",
    )
    parser.add_argument("--out", type=str, default=None, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--report", type=str, default=None, help="a page to write: .html")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def select_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("scored", type=str, help="a table of scored answers, as w2s score writes it")
    encoding_option(parser)
    parser.add_argument("--method", type=str, required=True, help="a method that w2s methods lists")
    parser.add_argument("--out", type=str, required=True, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--settings", type=dict[str, Any], default={}, help="of the method: '{quantile: 0.25}'")


def train_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import ModelSpec, TrainingSpec

    config_option(parser, words)
    parser.add_argument("training_set", type=str, help="a table with prompt and completion; weight is optional")
    encoding_option(parser)
    parser.add_class_arguments(ModelSpec, "model")
    parser.add_class_arguments(TrainingSpec, "training")
    parser.add_argument("--out", type=str, required=True, help="a folder; the adapter goes to OUT/adapter")
    parser.add_argument("--seed", type=int, default=0, help="of the adapter and the order of the rows")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")


def supervisor_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec, TrainingSpec

    config_option(parser, words)
    parser.add_class_arguments(TaskSpec, "task")
    encoding_option(parser)
    parser.add_class_arguments(ModelSpec, "model")
    parser.add_class_arguments(TrainingSpec, "training")
    parser.set_defaults({"training": dataclasses.asdict(Experiment().weak_training)})
    parser.add_class_arguments(AnsweringSpec, "answering")
    parser.add_argument("--out", type=str, required=True, help="a folder; the adapter goes to OUT/adapter")
    parser.add_argument("--seed", type=int, default=0, help="of the adapter and the order of the rows")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def compare_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("first", type=str, help="a table of predictions, as w2s evaluate --out or a run writes it")
    parser.add_argument("second", type=str, help="another one, to the same questions")
    encoding_option(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def tasks_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("name", type=str, nargs="?", default=None, help="show this task's prompts")


def report_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("runs", type=str, nargs="+", help="folders of finished runs; several are compared")
    parser.add_argument("-o", "--out", type=str, default=None, help="the file (or, for figures, the folder) to write")
    parser.add_argument(
        "--format",
        type=Literal["html", "figures", "table", "csv", "latex", "json"],
        default="html",
        help="of the report",
    )


def no_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    """None."""
