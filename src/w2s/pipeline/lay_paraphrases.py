"""How rewordings of a split's questions are laid: who makes them, and which there must be. Nothing is computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from w2s.config import ParaphraseSpec, WeakSpec
from w2s.errors import InputError
from w2s.models.prepared import PreparedModel
from w2s.paraphrasing.questions import Rules
from w2s.pipeline.steps import KINDS
from w2s.registry import resolve_settings
from w2s.servers.requests import RequestTemplate
from w2s.step import Json, Step
from w2s.supervisors import SOURCES
from w2s.supervisors.server import SETTINGS, server_execution
from w2s.tasks import TASKS, Task

__all__ = ["Reworded", "asking_of", "paraphrases_of", "paraphrases_step"]

Reworded = Callable[[Step, str], Step]
"""From the questions of a split and its name to a step that holds them with their paraphrases."""


def paraphrases_of(
    task: Task, spec: ParaphraseSpec, account: str, plugins: Mapping[str, str] | None = None
) -> Reworded | None:
    """What lays the rewordings that an experiment makes; None where it makes none. See `paraphrases_step`.

    Raises:
        InputError: There are two sources of paraphrases, too few of them, or a model that cannot be asked.
    """
    if not spec.count:
        return None
    if task.spec.paraphrases is not None:
        raise InputError(
            f"task.paraphrases is {task.spec.paraphrases!r} and paraphrases.count is {spec.count}: expected one of them"
        )
    wanted = task.num_variations - 1
    refuses = task.spec.missing_paraphrases == "refuse"
    if refuses and spec.count < wanted:
        raise InputError(
            f"paraphrases.count is {spec.count}: num_variations {task.num_variations} needs {wanted}, "
            "or task.missing_paraphrases fill"
        )
    return paraphrases_step(task, spec, account, at_least=wanted if refuses else 0, plugins=plugins)


def paraphrases_step(
    task: Task, spec: ParaphraseSpec, account: str, *, at_least: int = 0, plugins: Mapping[str, str] | None = None
) -> Reworded:
    """What lays the rewordings of a task's questions.

    Args:
        task: The task.
        spec: Which rewordings, and who is asked.
        account: Name under which the requests of one run are counted against `max_requests` and `max_cost`; all its
            servers share it.
        at_least: Fewer of any question are an error.
        plugins: Files that the step may need, with their hashes.
    """
    _check(task, spec)
    model = None if spec.model.source == "server" else PreparedModel(spec.model)
    rules = Rules(**{name: getattr(spec, name) for name in ("count", "attempts", "shortest", "longest", "seed")})
    settings: dict[str, Json] = {
        "task": task.asking(),
        "asked": asdict(asking_of(spec, model)),
        "rules": {**asdict(rules), "at_least": at_least},
    }
    execution: dict[str, Json] = {"plugins": dict(plugins)} if plugins else {}
    if model is None:
        execution["server"] = server_execution(spec.model, account)
    else:
        settings["model"] = model.settings
        execution["model"] = model.execution

    def lay(questions: Step, split: str) -> Step:
        return Step(
            kind="paraphrases",
            label=f"paraphrases: {questions.label}",
            settings={**settings, "split": split},
            inputs={"questions": questions, **({} if model is None else model.inputs)},
            versions={
                "paraphrases": KINDS["paraphrases"].version,
                f"task {task.name}": TASKS.version(task.name),
            },
            execution=execution,
        )

    return lay


def asking_of(spec: ParaphraseSpec, model: PreparedModel | None) -> RequestTemplate:
    """How texts are asked for: of a server, or of a local model, which is known by its content."""
    if model is None:
        given = resolve_settings("source server", SETTINGS, spec.model.settings)
        service, name, api = given["service"] or str(spec.model.url).rstrip("/"), spec.model.name, given["api"]
        instructions, extra = given["instructions"], given["extra"]
    else:
        service, name, api = f"local {json.dumps(model.settings, sort_keys=True)}", "", "completion"
        instructions, extra = "", {}
    return RequestTemplate(
        service=service,
        model=name,
        api=api,
        letters=False,
        temperature=float(spec.sampling_temperature),
        max_new_tokens=spec.max_new_tokens,
        instructions=instructions,
        extra=extra,
    )


def _check(task: Task, spec: ParaphraseSpec) -> None:
    model: WeakSpec = spec.model
    if not task.takes_paraphrases:
        raise InputError(f"task {task.name} varies its questions without paraphrases")
    if model.source not in ("prompted", "server"):
        raise InputError(f"source {model.source} rewords nothing: expected model.source prompted, or server")
    if model.examples:
        raise InputError(f"model.examples is {model.examples}: rewordings are asked for without examples of the task")
    SOURCES.find(model.source).check(model)
