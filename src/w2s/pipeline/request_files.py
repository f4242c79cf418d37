"""What would be asked of a server, written into a file; and what came back, taken into the store."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from w2s.config import AnsweringSpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.lay import Lay
from w2s.pipeline.source_stages import answers_of
from w2s.plugins import loaded_plugins
from w2s.servers.answered import Answered
from w2s.servers.batch_files import read_responses, write_requests
from w2s.store import Store, default_root
from w2s.supervisors.server import inquired, requests_of
from w2s.supervisors.source import Inquiry
from w2s.tasks import questions_of, task_from

__all__ = ["Taken", "take_responses", "write_request_file"]

logger = logging.getLogger(__name__)

_KEY = re.compile(r"[0-9a-f]{40}")  # of a request; see `servers.requests`


class Taken(NamedTuple):
    """What came of a file of responses.

    Attributes:
        answers: How many answer what is asked.
        others: How many answer other requests of w2s: they are kept for these.
        unknown: The custom ids that no request of w2s has; their responses are left out.
    """

    answers: int
    others: int
    unknown: list[str]


def write_request_file(
    task: TaskSpec,
    weak: WeakSpec,
    out: Path,
    *,
    split: str = "transfer",
    answering: AnsweringSpec | None = None,
    seed: int = 0,
    store: Store | None = None,
) -> dict[Path, int]:
    """Write down the requests of a split's questions that the store has no reply to.

    Args:
        task: The questions.
        weak: A supervisor of source server.
        out: A `.jsonl` file; more with a number are written where one would be too large for a batch service.
        split: weak_train, transfer or test.
        answering: How it answers.
        seed: Of the variations.
        store: Where replies are kept.

    Returns:
        How many requests each file has; empty where all are answered.

    Raises:
        InputError: The supervisor is none behind a server, or the file is none.
    """
    if weak.source != "server":
        raise InputError(f"source {weak.source} asks nobody else: expected source server for a file of requests")
    if out.suffix != ".jsonl":
        raise InputError(f"{out}: expected a name that ends in .jsonl")
    with _inquiry(task, weak, split, answering, seed, store, journal=out) as (inquiry, answered):
        return write_requests(requests_of(inquiry, answered), out)


@contextmanager
def _inquiry(
    task: TaskSpec,
    weak: WeakSpec,
    split: str,
    answering: AnsweringSpec | None,
    seed: int,
    store: Store | None,
    journal: Path,
) -> Iterator[tuple[Inquiry, Answered]]:
    """What is asked about a split's questions, and the replies that there are."""
    made = task_from(task)
    splits = made.splits()
    step = answers_of(Lay(made, splits, loaded_plugins()), weak, answering or AnsweringSpec(), split=split, seed=seed)
    settings = step.settings
    answered = Answered((store or Store(default_root())).cache)
    try:
        yield (
            Inquiry(
                task=made,
                questions=questions_of(splits.questions, split),
                settings=settings["supervisor"],  # type: ignore[arg-type]
                num_variations=int(settings["num_variations"]),  # type: ignore[arg-type]
                seed=seed,
                journal=journal,
                cache=journal.parent,
            ),
            answered,
        )
    finally:
        answered.close()


def take_responses(
    file: Path,
    task: TaskSpec,
    weak: WeakSpec,
    *,
    split: str = "transfer",
    answering: AnsweringSpec | None = None,
    seed: int = 0,
    store: Store | None = None,
) -> Taken:
    """Put the answers of a batch service's file into the store, and say what is wrong with the others.

    Args:
        file: What came back.
        task: As for `write_request_file`, and so are the others: they say what is asked.
        weak: As there.
        split: As there.
        answering: As there.
        seed: As there.
        store: As there.

    Raises:
        InputError: As there, or the file is no file of responses.
    """
    if weak.source != "server":
        raise InputError(f"source {weak.source} asks nobody else: expected source server for a file of responses")
    found = read_responses(file)
    for problem, count in found.problems.items():
        if count:
            logger.warning("%s: %d responses %s", file, count, problem)
    with _inquiry(task, weak, split, answering, seed, store, journal=file) as (inquiry, answered):
        asked = {one.request.key for one in inquired(inquiry)}
        unknown = [key for key in found.replies if key not in asked and not _KEY.fullmatch(key)]
        replies = {key: reply for key, reply in found.replies.items() if key in asked or _KEY.fullmatch(key)}
        answered.put(replies)
    others = sum(key not in asked for key in replies)
    if unknown:
        logger.warning(
            "%s: %d responses have a custom_id that no request of w2s has, the first %r: left out; source table with "
            "format batch reads answers to requests of your own",
            *(file, len(unknown), unknown[0]),
        )
    if others:
        logger.warning(
            "%s: %d responses answer other requests than those of this task, split, model and seed: kept for these",
            *(file, others),
        )
    return Taken(len(replies) - others, others, unknown)
