"""What the commands of the single stages and of the report call, and what they print."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from w2s.cli.limits import limited
from w2s.cli.options import store_of
from w2s.cli.said import named, out_file, print_json, refuse_inputs, said_unparsed, said_where, say
from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from jsonargparse import ArgumentParser, Namespace

    from w2s.metrics import Interval
    from w2s.store import Store

__all__ = [
    "compare_command",
    "evaluate_command",
    "label_command",
    "report_command",
    "select_command",
    "supervisor_command",
    "train_command",
]


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


def _written(table: pa.Table, out: str | None) -> None:
    """A stage's table, with the task of its prompts, if a file for it is named."""
    from w2s.pipeline.origin import write_table

    if out is not None:
        write_table(table, out)


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


def _ends(found: Interval | None) -> dict[str, float | None]:
    """An accuracy with its interval, as all commands name them in JSON; null where there is none."""
    values = (None, None, None) if found is None else (found.estimate, found.low, found.high)
    return dict(zip(("accuracy", "accuracy_low", "accuracy_high"), values, strict=True))


def _accuracy(found: Interval, questions: int) -> str:
    return f"accuracy {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] on {questions} questions"


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


def compare_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.report.paired import paired_text
    from w2s.results.paired import compare_predictions
    from w2s.tables import read_table

    with Display():
        first, second = (read_table(file, encoding=arguments.encoding) for file in (arguments.first, arguments.second))
        found = compare_predictions(first, second, names=(arguments.first, arguments.second))
    if arguments.json:
        print_json(dataclasses.asdict(found), None)
    else:
        say(paired_text(found))


def report_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.files import atomic_write
    from w2s.report.export import to_csv, to_latex
    from w2s.report.figures import save_figures
    from w2s.report.study_page import write_study_page
    from w2s.report.study_table import study_latex
    from w2s.report.words import told_of_labels
    from w2s.results.study import StudyRecords, run_names
    from w2s.running import Result
    from w2s.tables import csv_text

    results = [Result.load(folder) for folder in arguments.runs]
    first, out = results[0], Path(arguments.out) if arguments.out else None
    study = StudyRecords.of_runs(results)
    if arguments.format == "html":
        page = out or (first.files.page if len(results) == 1 else Path("study.html"))
        say(first.save_report(page) if len(results) == 1 else write_study_page(study, page))
        return
    if arguments.format == "figures":
        for name, result in zip(run_names(results), results, strict=True):
            folder = out or result.files.figures
            if len(results) > 1 and out is not None:
                folder = out / name  # one folder each, whatever the runs' own are called
            for path in save_figures(result, folder):
                say(path)
        return
    writers: dict[str, Callable[[], str]] = {
        "table": lambda: "\n".join("\n".join([result.table(), *told_of_labels(result), ""]) for result in results),
        "csv": lambda: to_csv(first) if len(results) == 1 else csv_text(study.to_table()),
        "latex": lambda: to_latex(first) if len(results) == 1 else study_latex(study),
        "json": lambda: json.dumps(first.to_dict() if len(results) == 1 else study.to_dict(), indent=1) + "\n",
    }
    text = writers[arguments.format]()
    if out is None:
        print(text, end="")
    else:
        atomic_write(out, text)
        say(out)
