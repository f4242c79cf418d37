"""What would be asked of a server, written into a file; and what came back, taken into the store."""

from __future__ import annotations

import logging
from pathlib import Path

from w2s.config import AnsweringSpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.lay import Lay
from w2s.pipeline.source_stages import answers_of
from w2s.plugins import loaded_plugins
from w2s.servers.answered import Answered
from w2s.servers.batch_files import read_responses, write_requests
from w2s.store import Store, default_root
from w2s.supervisors.server import requests_of
from w2s.supervisors.source import Inquiry
from w2s.tasks import questions_of, task_from

__all__ = ["take_responses", "write_request_file"]

logger = logging.getLogger(__name__)


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
    made = task_from(task)
    splits = made.splits()
    step = answers_of(Lay(made, splits, loaded_plugins()), weak, answering or AnsweringSpec(), split=split, seed=seed)
    settings = step.settings
    answered = Answered((store or Store(default_root())).cache)
    try:
        inquiry = Inquiry(
            task=made,
            questions=questions_of(splits.questions, split),
            settings=settings["supervisor"],  # type: ignore[arg-type]
            num_variations=int(settings["num_variations"]),  # type: ignore[arg-type]
            seed=seed,
            journal=out,
            cache=out.parent,
        )
        return write_requests(requests_of(inquiry, answered), out)
    finally:
        answered.close()


def take_responses(file: Path, store: Store | None = None) -> int:
    """Put the answers of a batch service's file into the store, and say what is wrong with the others.

    Returns:
        How many answers it has.
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
