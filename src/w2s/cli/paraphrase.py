"""`w2s paraphrase`: its options, what it calls, and what it prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from w2s.cli.limits import limit_options, limited
from w2s.cli.options import add_fields, config_option, encoding_option, store_of
from w2s.cli.said import say

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import ParaphraseSpec
    from w2s.paraphrasing.questions import Report
    from w2s.pipeline.paraphrase_stage import Plan
    from w2s.store import Store

__all__ = ["paraphrase_command", "paraphrase_options"]


def paraphrase_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.config import ParaphraseSpec, TaskSpec

    config_option(parser, words)
    parser.add_class_arguments(TaskSpec, "task")
    encoding_option(parser)
    add_fields(parser, ParaphraseSpec(count=4))
    parser.add_argument("--split", type=str, default="transfer", help="weak_train, transfer, test or all")
    parser.add_argument("--out", type=str, default="paraphrases.jsonl", help="the file that --task.paraphrases reads")
    parser.add_argument("--show", type=int, default=0, help="print so many questions with their rewordings")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked; ask nothing")
    limit_options(parser)
    parser.add_argument("--requests-out", type=str, default=None, help="write what a server would be asked: .jsonl")
    parser.add_argument("--responses", type=str, default=None, help="take what came back of such a file, then go on")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")


def paraphrase_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.paraphrasing.files import check_out, write_paraphrases
    from w2s.paraphrasing.prompt import VERSION
    from w2s.pipeline import paraphrase_stage as stage

    ready = parser.instantiate(arguments)
    spec, store, out = _spec(ready), store_of(arguments.store), Path(arguments.out)
    check_out(out)  # before an hour's work
    if arguments.responses:
        with Display():
            count = stage.take_texts(Path(arguments.responses), store)
        say(f"{count} answers from {arguments.responses}")
    if arguments.requests_out:
        _write_requests(ready, spec, store, Path(arguments.requests_out), arguments.split)
        return
    if arguments.dry_run:
        with Display():
            plan = stage.plan_paraphrases(ready.task, spec, split=arguments.split, store=store)
        _show_plan(plan, spec)
        return
    with Display() as display:
        found = stage.paraphrase(
            ready.task, spec, split=arguments.split, store=store, progress=display.bar("rewordings")
        )  # fmt: skip
    by = f"{spec.model.name}, prompt {VERSION}"
    write_paraphrases(out, found.paraphrases, by=by, encoding=ready.task.encoding)
    for question, paraphrases in list(found.paraphrases.items())[: arguments.show]:
        say("\n".join([_line(question), *(f"  - {_line(text)}" for text in paraphrases), ""]))
    _summarize(found.report)
    say(f"paraphrases: {out}")


def _spec(ready: Namespace) -> ParaphraseSpec:
    from w2s.config import ParaphraseSpec

    given = {field.name: getattr(ready, field.name) for field in dataclasses.fields(ParaphraseSpec)}
    (given["model"],) = limited(ready, given["model"])
    return ParaphraseSpec(**given)


def _write_requests(ready: Namespace, spec: ParaphraseSpec, store: Store, out: Path, split: str) -> None:
    from w2s.pipeline.paraphrase_stage import write_paraphrase_requests

    written = write_paraphrase_requests(ready.task, spec, out, split=split, store=store)
    for file, count in written.items():
        say(f"{count} requests: {file}")
    if not written:
        say("all is answered: nothing to ask")


def _line(text: str) -> str:
    """A text in one line, in which nothing steers the terminal."""
    from w2s.report.words import visible

    return visible(" ".join(text.split()))


def _show_plan(plan: Plan, spec: ParaphraseSpec) -> None:
    say(f"{plan.questions} questions, {spec.count} rewordings each: {plan.most} texts at most")
    if not plan.first:
        say("all is answered: nothing to ask")
        return
    say(f"{plan.first} texts to ask {spec.model.name} for first; what fails is asked for again. The first prompt:\n")
    say("\n".join(f"    {_line(line)}" for line in plan.example.splitlines()))


def _summarize(report: Report) -> None:
    short = report.questions - report.complete
    say(f"{report.complete} of {report.questions} questions have {report.wanted} rewordings", end="")
    say(f"; {short} have fewer, {report.none} of them none" if short else "")
    say(f"{report.good} of {report.texts} texts are good")
    for reason, count in report.faults.items():
        say(f"  {count} {reason}")
    if short:
        say("task.missing_paraphrases says what becomes of questions that have too few: refuse (default), or fill")
