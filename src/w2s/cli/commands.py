"""What the commands of the single stages and of the report call, and what they print."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.cli.options import store_of
from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from jsonargparse import ArgumentParser, Namespace

    from w2s.store import Store

__all__ = [
    "evaluate_command",
    "label_command",
    "report_command",
    "score_command",
    "select_command",
    "train_command",
]


def _out_file(path: str | None) -> None:
    """Make sure, before an hour's work, that its result can be written."""
    from w2s.tables import check_suffix

    if path is not None:
        check_suffix(Path(path))


def _named(settings: Mapping[Any, Any]) -> dict[str, Any]:
    """Settings by their names: what YAML takes for a number is the name of none, and refused as such."""
    return {str(name): value for name, value in settings.items()}


def label_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import request_files, stages
    from w2s.reliability import score_answers, summarize
    from w2s.report.tables import reliability_table, show
    from w2s.tables import write_table

    ready = parser.instantiate(arguments)
    _out_file(arguments.out)
    out, store = Path(arguments.out or "answers.parquet"), store_of(arguments.store)
    if arguments.gold:
        with Display():
            table = stages.ground_truth(ready.task, split=arguments.split)
        write_table(table, out)
        print(f"{table.num_rows} right answers: {out}")
        return
    if arguments.responses:
        with Display():  # which shows what is wrong with some
            taken = request_files.take_responses(
                Path(arguments.responses),
                ready.task,
                ready.model,
                split=arguments.split,
                answering=ready.answering,
                seed=arguments.seed,
                store=store,
            )
        print(f"{taken.answers} answers from {arguments.responses}")
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
    write_table(table, out)
    show(reliability_table(summarize(score_answers(table))))
    print(f"\n{table.num_rows} answers: {out}")


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
        print(f"{count} requests: {file}")
    if not written:
        print("all is answered: nothing to ask")


def _answers_of(arguments: Namespace) -> tuple[pa.Table, Sequence[str]]:
    """The answers to score, of a table or of a tool's export, and what that was read as."""
    from w2s.reading.exports import TABLE, format_of, names_of, read_export
    from w2s.tables import read_table

    paths = [Path(name).expanduser() for name in arguments.answers]
    form = format_of(paths, arguments.format, arguments.columns, arguments.encoding)
    if form != TABLE:
        names = names_of(paths, form)
        found = read_export(paths, form, names, columns=arguments.columns, encoding=arguments.encoding)
        return found.table, found.notes
    if len(paths) > 1:
        raise InputError(f"{paths[0]} and {paths[1]} are tables: expected one, in which a column names the supervisor")
    return read_table(paths[0], arguments.columns, encoding=arguments.encoding), ()


def score_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.reading.labels import labels_of
    from w2s.reliability import score_answers, summarize
    from w2s.reliability.annotators import compare_annotators
    from w2s.report.annotators import annotators_tables, annotators_verdict, labels_notes
    from w2s.report.tables import reliability_table, show
    from w2s.tables import write_table

    _out_file(arguments.out)
    with Display():
        answers, notes = _answers_of(arguments)
    if not answers.num_rows:
        raise InputError(f"{arguments.answers[0]} is empty: it has no rows")
    rules = [arguments.normalize] if isinstance(arguments.normalize, str) else arguments.normalize
    labels = labels_of(answers, normalize=rules, keep_missing=None if arguments.unparsed is None else True)
    settings = _named(arguments.settings)
    if arguments.temperature is not None:
        settings["temperature"] = arguments.temperature
    unparsed = {} if arguments.unparsed is None else {"unparsed": arguments.unparsed}
    scored = score_answers(labels.table, estimator=arguments.estimator, **unparsed, **settings)
    if not scored.num_rows:
        rule = f"--unparsed {arguments.unparsed}" if arguments.unparsed else "leaving out what has no label"
        raise InputError(f"{arguments.answers[0]}: {rule} leaves none of {answers.num_rows} answers")
    summary = summarize(scored)
    several = "supervisor" in scored.column_names and len(scored["supervisor"].unique()) > 1
    own = settings if arguments.estimator == "dawid-skene" else {}
    compared = compare_annotators(labels.table, **own) if several or labels.by_people else None
    if arguments.out:
        write_table(scored, arguments.out)
    if arguments.json:
        found = dataclasses.asdict(summary) | ({"notes": notes} if notes else {})
        if compared:
            said = {"merged": labels.merged, "missing": labels.missing, "verdict": annotators_verdict(compared)}
            found |= {**dataclasses.asdict(compared), **said}
        print(json.dumps(found, indent=1, default=list))
        return
    for note in (*notes, *labels_notes(labels)):
        print(note)
    show(reliability_table(summary))
    if compared:
        print()
        show(annotators_tables(compared))
        print(f"\nverdict: {annotators_verdict(compared)}")
    if arguments.out:
        print(f"\n{scored.num_rows} scored answers: {arguments.out}")


def select_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline import stages
    from w2s.tables import read_table, write_table

    _out_file(arguments.out)
    with Display():
        scored = read_table(arguments.scored, encoding=arguments.encoding)
    found = stages.select(scored, arguments.method, seed=arguments.seed, **_named(arguments.settings))
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
            store=store_of(arguments.store),
            progress=display.bar("questions"),
        )
    if arguments.out:
        write_table(table, arguments.out)
    found = accuracy_interval(table["correct"].to_numpy())
    unparsed = table["answer"].null_count
    if arguments.json:
        ends = {"estimate": found.estimate, "low": found.low, "high": found.high}
        print(json.dumps({**ends, "questions": table.num_rows, "unparsed": unparsed}))
        return
    print(f"accuracy {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] on {table.num_rows} questions", end="")
    print(f"; {unparsed} answers could not be parsed" if unparsed else "")


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
        print(first.save_report(page) if len(results) == 1 else write_study_page(study, page))
        return
    if arguments.format == "figures":
        for name, result in zip(run_names(results), results, strict=True):
            folder = out or result.files.figures
            if len(results) > 1 and out is not None:
                folder = out / name  # one folder each, whatever the runs' own are called
            for path in save_figures(result, folder):
                print(path)
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
        print(out)
