"""Small data in the native form of each data set, and a look for the real one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from w2s.tasks import Example, Question


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def write_text(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def example(number: int, pool: Any = "any", *, text: str | None = None, answer: str | None = "yes") -> Example:
    question = Question(id=f"q{number}", text=text or f"Question {number}?", choices=("yes", "no"))
    return Example(question=question, answer=answer, pool=pool)


def benchmark_data(name: str) -> str:
    """The folder of a real benchmark, or a skip that says where it was looked for."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("W2S_BENCHMARK_DATA", beside)) / name
    if not folder.is_dir():
        pytest.skip(f"no benchmark data in {folder}: set W2S_BENCHMARK_DATA to the folder that holds {name}/")
    return str(folder)


HELLASWAG = [
    {
        "ind": number,
        "split": "val",
        "activity_label": "Baking",
        "ctx": f"A cook breaks {number} eggs. she",
        "endings": ["A man walks.", "beats them.", "throws a {ball}.", f"counts to {number}."],
        "label": number % 4,
    }
    for number in range(12)
]
MMLU_HEADER = "question,choice0,choice1,choice2,choice3,answer\n"
MMLU_ROWS = [f"What is {number} plus one?,{number},{number + 1},{number + 2},{number + 3},1\n" for number in range(12)]
ETHICS_HEADER = "label,input,is_short,edited\n"
ETHICS_ROWS = [f"{number % 2},I did thing {number}.,{number % 3 != 0},False\n" for number in range(12)]
GSM8K = [
    {"question": f"Ann has {number} pens and buys 2. How many?", "answer": f"She has {number}+2.\n#### {number + 2}"}
    for number in range(12)
]
