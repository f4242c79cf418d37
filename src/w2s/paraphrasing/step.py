"""Computes a step of kind `paraphrases`: a split's questions with their paraphrases, and what became of all texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from w2s.files import atomic_write
from w2s.models.prepared import loaded
from w2s.paraphrasing.making import Write
from w2s.paraphrasing.questions import Rules, reword_questions
from w2s.paraphrasing.server import write_by_server
from w2s.servers.answered import Answered
from w2s.servers.requests import RequestTemplate
from w2s.step import Context
from w2s.tables import QUESTIONS_FILE, read_table, write_table
from w2s.tasks import questions_of, task_of

__all__ = ["REPORT_FILE", "build_paraphrases"]

REPORT_FILE = "paraphrases.json"


def build_paraphrases(
    settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context
) -> None:  # fmt: skip
    """The questions with their paraphrases stand in the file in which others have the questions alone."""
    table = read_table(inputs["questions"] / QUESTIONS_FILE)
    answered = Answered(context.cache)
    try:
        reworded, report = reword_questions(
            task_of(settings["task"]),
            questions_of(table, settings["split"]),
            table,
            RequestTemplate(**settings["asked"]),
            Rules(**settings["rules"]),
            answered,
            _writer(settings, inputs, context, answered),
            context.progress,
        )
    finally:
        answered.close()
    write_table(reworded, out / QUESTIONS_FILE)
    atomic_write(out / REPORT_FILE, json.dumps(asdict(report), indent=1) + "\n")


def _writer(settings: Mapping[str, Any], inputs: Mapping[str, Path], context: Context, answered: Answered) -> Write:
    """Who writes: a server, or a local model."""
    if "server" in context.execution:
        return write_by_server(context.execution["server"], answered)
    from w2s.paraphrasing.local import write_locally

    return write_locally(lambda: loaded(settings["model"], context.execution["model"], inputs, None), answered)
