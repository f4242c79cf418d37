"""The commands of the single stages: their options, what they call, and what they print."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.cli.limits import limit_options, limited
from w2s.cli.options import config_option, encoding_option, store_of
from w2s.cli.said import named, out_file, print_json, refuse_inputs, said_unparsed, said_where, say
from w2s.cli.settings_file import named_setting
from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import ModelSpec
    from w2s.metrics import Interval
    from w2s.store import Store

__all__ = [
    "evaluate_command",
    "evaluate_options",
    "label_command",
    "label_options",
    "select_command",
    "select_options",
    "supervisor_command",
    "supervisor_options",
    "train_command",
    "train_options",
]


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


def label_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import request_files, stages
    from w2s.reliability import score_answers, summarize
    from w2s.report.tables import reliability_table, show

    ready = parser.instantiate(arguments)
    (ready.model,) = limited(arguments, ready.model)
    data = ready.task.data
    out_file(arguments.out, data, arguments.responses)
    refuse_inputs("--requests-out", arguments.requests_out, data, arguments.responses)
    store = store_of(arguments.store)
    if arguments.gold:
        _check_asks_nobody(arguments)
        with Display():
            table = stages.ground_truth(ready.task, split=arguments.split)
        _written(table, arguments.out)
        if arguments.json:
            print_json({"questions": table.num_rows, "rows": table.num_rows}, arguments.out)
            return
        say(f"{table.num_rows} right answers: {said_where(arguments.out)}")
        return
    if arguments.responses:
        with Display() as display:  # which shows what is wrong with some
            taken = request_files.take_responses(
                Path(arguments.responses),
                ready.task,
                ready.model,
                split=arguments.split,
                answering=ready.answering,
                seed=arguments.seed,
                store=store,
            )
            text = f"{taken.answers} answers from {arguments.responses}"
            display.say(text) if arguments.json else say(text)
    if arguments.requests_out:
        _write_requests(arguments, ready, store)
        return
    with Display() as display:
        table = stages.label(
            ready.task,
            ready.model,
            adapter=arguments.adapter,
            split=arguments.split,
            answering=ready.answering,
            seed=arguments.seed,
            store=store,
            progress=display.bar("answers"),
        )
    _written(table, arguments.out)
    summary = summarize(score_answers(table))
    if arguments.json:
        print_json(dataclasses.asdict(summary) | {"unparsed": table["answer"].null_count}, arguments.out)
        return
    show(reliability_table(summary))
    say(f"\n{table.num_rows} answers{said_unparsed(table)}: {said_where(arguments.out)}")


def _check_asks_nobody(arguments: Namespace) -> None:
    """Make sure that --gold stands alone: it asks neither a model nor a server.

    Raises:
        InputError: Something beside it asks one.
    """
    for option in ("adapter", "requests_out", "responses"):
        if getattr(arguments, option) is not None:
            name = option.replace("_", "-")
            raise InputError(f"--gold writes the right answers, and --{name} asks a model: expected one of them")


def _write_requests(arguments: Namespace, ready: Namespace, store: Store) -> None:
    from w2s.pipeline.request_files import write_request_file

    written = write_request_file(
        ready.task,
        ready.model,
        Path(arguments.requests_out),
        split=arguments.split,
        answering=ready.answering,
        seed=arguments.seed,
        store=store,
    )
    for file, count in written.items():
        say(f"{count} requests: {file}")
    if not written:
        say("all is answered: nothing to ask")


def select_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("scored", type=str, help="a table of scored answers, as w2s score writes it")
    encoding_option(parser)
    parser.add_argument("--method", type=str, required=True, help="a method that w2s methods lists")
    parser.add_argument("--out", type=str, required=True, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--settings", type=dict[str, Any], default={}, help="of the method: '{quantile: 0.25}'")


def select_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import stages
    from w2s.pipeline.origin import read_table, write_table

    out_file(arguments.out, arguments.scored)
    with Display():
        scored = read_table(arguments.scored, encoding=arguments.encoding)
    found = stages.select(scored, arguments.method, seed=arguments.seed, **named(arguments.settings))
    write_table(found.table, arguments.out)
    selection = found.selection
    say(f"{selection.rule}: {selection.rows} of {selection.rows_in} answers, to {selection.questions} questions")
    for reason, count in selection.dropped.items():
        if count:
            say(f"  {count} {reason.replace('_', ' ')}")
    say(f"training set: {arguments.out}")


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


def train_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import stages
    from w2s.pipeline.origin import read_table
    from w2s.report.words import duration

    ready = parser.instantiate(arguments)
    with Display() as display:
        table = read_table(arguments.training_set, encoding=arguments.encoding)
        report = stages.train(
            table,
            ready.model,
            ready.training,
            out=arguments.out,
            seed=arguments.seed,
            store=store_of(arguments.store),
            progress=display.bar("training"),
        )
    say(f"{report.rows} rows, {report.steps} steps in {duration(report.seconds)}; loss at the end {report.loss:.4f}")
    say(f"adapter: {Path(arguments.out) / 'adapter'}")


def evaluate_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import ModelSpec as Model

    _stage_options(parser, words, Model, split="test")
    _as_trained(parser, words)


def evaluate_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.metrics import accuracy_interval
    from w2s.pipeline import stages

    ready = parser.instantiate(arguments)
    out_file(arguments.out, ready.task.data)
    with Display() as display:
        table = stages.evaluate(
            ready.task,
            ready.model,
            adapter=arguments.adapter,
            split=arguments.split,
            answering=ready.answering,
            store=store_of(arguments.store),
            progress=display.bar("questions"),
        )
    _written(table, arguments.out)
    found = accuracy_interval(table["correct"].to_numpy())
    unparsed = table["answer"].null_count
    if arguments.json:
        ends = _ends(found)
        counts = {"questions": table.num_rows, "rows": table.num_rows, "unparsed_rate": unparsed / table.num_rows}
        print_json({**ends, **counts, "unparsed": unparsed}, arguments.out)
        return
    say(_accuracy(found, table.num_rows), end="")
    say(said_unparsed(table))
    if arguments.out:
        say(f"{table.num_rows} predictions: {arguments.out}")


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


def supervisor_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline.supervisor_stage import make_supervisor
    from w2s.report.words import duration

    ready = parser.instantiate(arguments)
    with Display() as display:
        made = make_supervisor(
            ready.task,
            ready.model,
            ready.training,
            out=arguments.out,
            answering=ready.answering,
            seed=arguments.seed,
            store=store_of(arguments.store),
            progress=display.bar("weak supervisor"),
        )
    training, tested = made.training, made.accuracy
    if arguments.json:
        ends = _ends(tested)
        counts = {"questions": made.tested, "rows": training.rows, "steps": training.steps, "loss": training.loss}
        print_json({**ends, **counts}, arguments.out)
        return
    say(f"{training.rows} rows, {training.steps} steps in {duration(training.seconds)}; loss {training.loss:.4f}")
    say("test is 0: its accuracy is not known" if tested is None else _accuracy(tested, made.tested))
    say(f"weak supervisor: {arguments.out} (w2s label --adapter {arguments.out} has its answers)")


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


def _written(table: pa.Table, out: str | None) -> None:
    """A stage's table, with the task of its prompts, if a file for it is named."""
    from w2s.pipeline.origin import write_table

    if out is not None:
        write_table(table, out)


def _ends(found: Interval | None) -> dict[str, float | None]:
    """An accuracy with its interval, as all commands name them in JSON; null where there is none."""
    values = (None, None, None) if found is None else (found.estimate, found.low, found.high)
    return dict(zip(("accuracy", "accuracy_low", "accuracy_high"), values, strict=True))


def _accuracy(found: Interval, questions: int) -> str:
    return f"accuracy {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] on {questions} questions"
