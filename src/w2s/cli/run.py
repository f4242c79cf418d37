"""`w2s run`: the whole experiment, and what it would do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.cli.limits import limit_options, limited
from w2s.cli.options import (
    adapters_option,
    add_fields,
    config_option,
    encoding_option,
    runner_from,
    runner_options,
    store_of,
)
from w2s.cli.plugins import named_plugins
from w2s.cli.said import say
from w2s.cli.settings_file import named_setting, settings_file, with_files_read
from w2s.cli.track import track_option, tracked, tracked_table
from w2s.errors import unknown_name

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import Experiment
    from w2s.display import Display
    from w2s.pipeline.graph import Graph
    from w2s.store import Store

__all__ = ["run_command", "run_options"]


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
    add_fields(parser, dataclasses.replace(chosen, plugins=named_plugins()))
    encoding_option(parser)


def _task_name(words: Sequence[str]) -> str:
    """The task that the command line or the settings file names: a preset depends on it."""
    from w2s.config import DEFAULT_TASK
    from w2s.tasks import TASKS

    named = named_setting(words, "task.name")
    name = DEFAULT_TASK if named is None else named
    if name not in TASKS:
        raise unknown_name("task", str(name), TASKS)
    return name


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


def run_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import Experiment

    ready = parser.instantiate(arguments)
    experiment = Experiment(**{field.name: ready[field.name] for field in dataclasses.fields(Experiment)})
    weak, rewords = limited(arguments, experiment.weak, experiment.paraphrases.model)
    rewords_with = dataclasses.replace(experiment.paraphrases, model=rewords)
    experiment = dataclasses.replace(experiment, weak=weak, paraphrases=rewords_with)
    from w2s.display import Display

    if arguments.dry_run:
        with Display():
            _dry_run(experiment, store_of(arguments.store), arguments)
        return
    from w2s.report.supervisors import supervisors_table, supervisors_verdict
    from w2s.report.tables import results_table, show
    from w2s.report.words import told_of_labels
    from w2s.results.verdicts import best_estimator
    from w2s.running import run

    store, out = store_of(arguments.store), Path(arguments.out)
    with Display() as display, tracked(arguments.track, out, store, display.on_event) as (on_event, tracking):
        result = run(
            experiment,
            out=out,
            store=store,
            runner=runner_from(arguments),
            on_graph=lambda graph: _announce(display, graph, store),
            on_event=on_event,
            info={"origins": _origins(experiment, arguments.preset, parser, words), "commands": [_command(words)]},
            adapters=arguments.adapters,
        )
        if tracking is not None:
            tracking.table(*tracked_table([(out.absolute().name, result)]))
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        show(results_table(result))
        for line in told_of_labels(result):
            say(f"\n{line}", end="")
        for compared in result.supervisors[:1]:
            others = f" (seed {compared.seed}; the others: results.json)" if len(result.supervisors) > 1 else ""
            say("\n")
            show(supervisors_table(compared))
            say(f"verdict{others}: {supervisors_verdict(compared)}", end="")
        if (best := best_estimator(result.compared)) is not None:
            say(f"\n\n{best}", end="")
        say(f"\n\n{display.computed} steps computed, {display.reused} found done in {store.root}")
        say(f"Results: {out / 'results.json'} · page: {out / 'report.html'}")


def _announce(display: Display, graph: Graph, store: Store) -> None:
    from w2s.runners.base import plan

    planned = plan(graph.targets(), store)
    to_do = sum(one.needed for one in planned)
    for line in _told(graph):
        display.say(line)
    display.say(f"steps     {to_do} to do, {len(planned) - to_do} done · store {store.root}")


def _told(graph: Graph) -> list[str]:
    """What is about to be run, in a line for each part."""
    experiment = graph.experiment
    task, training = experiment.task, experiment.student_training
    drawn = " · drawn for each seed" if experiment.split_per_seed else ""
    lay = graph.seed_runs[0].lay
    sizes = " · ".join(f"{len(lay.question_ids(split))} {split}" for split in ("weak_train", "transfer", "test"))
    lines = [f"task      {task.name}: {sizes}{drawn}"]
    left_out = ", ".join(f"{count} {reason}" for reason, count in graph.dropped.items() if count)
    if left_out:
        lines.append(f"left out  {left_out}")
    estimator = experiment.reliability.estimator
    settings = "".join(
        f", {name} {value:g}" for name, value in graph.estimators[estimator].items() if _is_number(value)
    )
    lines += [
        f"asked     {graph.task.num_variations} ways each · reliability by {estimator}{settings}",
        f"models    {graph.supervisor} ({experiment.weak.source}) teaches {experiment.strong.name}",
        f"methods   {', '.join(spec.label for spec in graph.methods)} · seeds {', '.join(map(str, experiment.seeds))}",
    ]
    if graph.compare:
        lines.append(f"compared  {graph.compare[0]} against {graph.compare[1]}")
    lines.append(
        f"training  {training.epochs} epochs · batch {training.batch_size} · rate {training.learning_rate:g}"
        f" · LoRA rank {training.lora.rank} (--print_config shows every setting)"
    )
    return lines


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat


def _origins(experiment: Experiment, preset_name: str, parser: ArgumentParser, words: Sequence[str]) -> dict[str, str]:
    """Where each setting came from."""
    from w2s.presets import preset

    final = _flat(dataclasses.asdict(experiment))
    begun = _flat(dataclasses.asdict(preset(preset_name, experiment.task.name)))
    file = settings_file(words)
    filed = _flat(parser.parse_args(with_files_read(parser, ["--config", file])).as_dict()) if file else begun
    origins = {}
    for name, value in final.items():
        if value is None and name in ("task.num_variations", "reliability.temperature"):
            origins[name] = f"task {experiment.task.name}"
        elif filed.get(name) != value:
            origins[name] = "command line"
        elif begun.get(name) != value:
            origins[name] = f"file {file}"
        else:
            origins[name] = f"preset {preset_name}"
    return origins


def _command(words: Sequence[str]) -> str:
    import shlex

    return shlex.join(["w2s", "run", *words])


def _dry_run(experiment: Experiment, store: Store, arguments: Namespace) -> None:
    from w2s.cli.forecast import show_estimate
    from w2s.folders.layout import RunFolder
    from w2s.hub import without_hub
    from w2s.pipeline.devices import check_devices
    from w2s.pipeline.graph import Graph
    from w2s.report.tables import plain_table, show
    from w2s.runners.base import plan

    with without_hub():
        graph = Graph(experiment)
    runner_from(arguments)
    RunFolder(Path(arguments.out)).check()
    if arguments.runner != "ray":
        check_devices(graph.targets(), store, jobs=arguments.jobs)
    planned = plan(graph.targets(), store)
    rows = [
        [
            "done" if one.done else "to do" if one.needed else "not needed",
            one.step.kind,
            one.step.label,
            one.step.key[:12],
        ]
        for one in planned
    ]
    show(plain_table(["state:", "kind:", "step:", "key:"], rows))
    print()
    for line in [*_told(graph), *_examples(graph)]:
        say(line)
    show_estimate([graph], planned, store, arguments)
    say(f"\n{sum(one.needed for one in planned)} of {len(planned)} steps to do; store: {store.root}")


def _examples(graph: Graph) -> list[str]:
    """The first question of each split as it is asked, without its middle where it is long."""
    from w2s.tasks import questions_of
    from w2s.tasks.questions import SPLITS

    lay = graph.seed_runs[0].lay
    lines = []
    for split in SPLITS:
        for question in questions_of(lay.splits.questions, split)[:1]:
            prompt = lay.task.vary(question, 1, 0)[0].prompt
            if len(prompt) > _EXAMPLE:
                prompt = f"{prompt[: _EXAMPLE // 2]} […] {prompt[-_EXAMPLE // 2 :]}"
            lines += [f"── a question of {split} ──", prompt]
    return lines


_EXAMPLE = 500  # characters
