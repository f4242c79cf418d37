"""Rewordings of a task's questions as a stage of its own: planned, asked for, or written down as requests."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from w2s.config import ParaphraseSpec, TaskSpec
from w2s.errors import InputError
from w2s.models.prepared import PreparedModel
from w2s.paraphrasing.making import Rewording, rounds
from w2s.paraphrasing.questions import Report, Rules, rewordings_of
from w2s.paraphrasing.step import REPORT_FILE
from w2s.pipeline.lay import Lay
from w2s.pipeline.lay_paraphrases import asking_of, paraphrases_step
from w2s.pipeline.stages import check_split, done_step
from w2s.plugins import loaded_plugins
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered
from w2s.servers.batch_files import read_responses, write_requests
from w2s.servers.requests import Request
from w2s.step import Step
from w2s.store import Store, default_root
from w2s.tables import QUESTIONS_FILE, read_table
from w2s.tasks import Task, questions_of, task_from
from w2s.tasks.questions import SPLITS

__all__ = ["Paraphrased", "Plan", "paraphrase", "plan_paraphrases", "take_texts", "write_paraphrase_requests"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Paraphrased:
    """Rewordings of questions.

    Attributes:
        paraphrases: By the question's text, as many as there are good ones, in the order of the questions.
        report: What became of all texts that were asked for.
    """

    paraphrases: dict[str, list[str]]
    report: Report


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be asked.

    Attributes:
        questions: That would be reworded.
        most: Texts that would be asked for at most.
        first: Texts that would be asked for before any is checked: those of the first round that is not on disk.
        example: What would be asked first; empty where all is there.
    """

    questions: int
    most: int
    first: int
    example: str


def paraphrase(
    task: TaskSpec,
    spec: ParaphraseSpec,
    *,
    split: str = "transfer",
    store: Store | None = None,
    progress: Progress = no_progress,
) -> Paraphrased:
    """Have a model reword a task's questions; what it has been asked before is not asked again.

    Args:
        task: The questions.
        spec: Which rewordings, and who is asked.
        split: weak_train, transfer, test, or "all".
        store: Where finished steps and all texts are kept.
        progress: Is told the texts that came and those that are asked for so far.

    Returns:
        The rewordings; `w2s.paraphrasing.files.write_paraphrases` makes a file of them.

    Raises:
        InputError: The task or the model is none, or the model cannot be asked.
    """
    _, laid = _laid(task, spec, split)
    found: dict[str, list[str]] = {}
    reports = []
    for name, step in laid.items():
        with done_step(step, None, store, progress) as folder:
            reports.append(Report(**json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))))
            table = read_table(folder / QUESTIONS_FILE)
        for question in questions_of(table, name):
            # A text that is in two splits with other options: what is good for both.
            earlier = found.get(question.text, question.paraphrases)
            found[question.text] = [text for text in question.paraphrases if text in earlier]
    return Paraphrased(paraphrases=found, report=_summed(reports))


def plan_paraphrases(
    task: TaskSpec, spec: ParaphraseSpec, *, split: str = "transfer", store: Store | None = None
) -> Plan:
    """What `paraphrase` would ask; nothing is asked."""
    made, laid = _laid(task, spec, split)
    rewordings = _rewordings(made, spec, list(laid))
    first = _first_missing(rewordings, spec, store)
    example = str(first[0].body.get("prompt") or first[0].body["messages"][-1]["content"]) if first else ""
    most = len(rewordings) * spec.count * spec.attempts
    return Plan(questions=len(rewordings), most=most, first=len(first), example=example)


def write_paraphrase_requests(
    task: TaskSpec, spec: ParaphraseSpec, out: Path, *, split: str = "transfer", store: Store | None = None
) -> dict[Path, int]:
    """Write down what a server would be asked next: the first round of texts that are not all there.

    Returns:
        How many requests each file has; empty where all is there.

    Raises:
        InputError: The model is none behind a server, or the file is none.
    """
    if spec.model.source != "server":
        raise InputError(f"source {spec.model.source} asks nobody else: expected source server for a file of requests")
    if out.suffix != ".jsonl":
        raise InputError(f"{out}: expected a name that ends in .jsonl")
    made, laid = _laid(task, spec, split)
    return write_requests(iter(_first_missing(_rewordings(made, spec, list(laid)), spec, store)), out)


def take_texts(file: Path, store: Store | None = None) -> int:
    """Put what came back of a file of requests into the store, and say what is wrong with the others.

    Returns:
        How many replies it has.
    """
    found = read_responses(file)
    for problem, count in found.problems.items():
        if count:
            logger.warning("%s: %d responses %s", file, count, problem)
    answered = Answered((store or Store(default_root())).cache)
    try:
        answered.put(found.replies)
    finally:
        answered.close()
    return len(found.replies)


def _laid(task: TaskSpec, spec: ParaphraseSpec, split: str) -> tuple[Task, dict[str, Step]]:
    """The task, and a step for each split that has questions."""
    if split != "all":
        check_split(split)
    if spec.count < 1:
        raise InputError(f"count is {spec.count}: expected 1 or more")
    made = task_from(task)
    lay = Lay(made, made.pool.splits(), loaded_plugins())
    reworded = paraphrases_step(made, spec, uuid4().hex, plugins=loaded_plugins())
    names = [name for name in SPLITS if split in (name, "all") and lay.question_ids(name)]
    if not names:
        raise InputError(f"{split} has no questions: expected more than 0 in task.{split}")
    return made, {name: reworded(lay.questions(name), name) for name in names}


def _rewordings(task: Task, spec: ParaphraseSpec, splits: Sequence[str]) -> list[Rewording]:
    table = task.pool.splits().questions
    asking = asking_of(spec, None if spec.model.source == "server" else PreparedModel(spec.model))
    names = ("count", "attempts", "shortest", "longest", "seed")
    rules = Rules(**{name: getattr(spec, name) for name in names})
    return [
        one for name in splits for one in rewordings_of(task, questions_of(table, name), asking, rules).values()
    ]  # fmt: skip


def _first_missing(rewordings: Sequence[Rewording], spec: ParaphraseSpec, store: Store | None) -> list[Request]:
    answered = Answered((store or Store(default_root())).cache)
    try:
        missing: Iterator[list[Request]] = rounds(rewordings, spec.attempts, answered)
        return next(missing, [])
    finally:
        answered.close()


def _summed(reports: Sequence[Report]) -> Report:
    faults: Counter[str] = Counter()
    for report in reports:
        faults.update(report.faults)
    return Report(
        wanted=reports[0].wanted,
        faults=dict(faults.most_common()),
        **{
            name: sum(getattr(report, name) for report in reports)
            for name in ("questions", "complete", "none", "texts", "good")
        },
    )
