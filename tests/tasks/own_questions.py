"""Files of questions as a user brings them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from w2s.tasks import Example, Task, load_task

from .support import write_jsonl

__all__ = ["METAL", "PERU", "answers", "examples", "load"]


METAL = {"question": "Which is a metal?", "choices": ["iron", "wool"], "answer": "iron"}
PERU = {"question": "What is the capital of Peru?", "answer": "Lima."}


def load(tmp_path: Path, *rows: dict[str, Any], **fields: Any) -> Task:
    return load_task("file", data=write_jsonl(tmp_path / "mine.jsonl", rows), **fields)


def examples(tmp_path: Path, *rows: dict[str, Any]) -> list[Example]:
    return list(load(tmp_path, *rows).examples())


def answers(tmp_path: Path, *rows: dict[str, Any], **fields: Any) -> list[str | None]:
    return [example.answer for example in load(tmp_path, *rows, **fields).examples()]
