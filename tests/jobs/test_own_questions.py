"""Job C: one's own questions with 3 to 5 choices, stage by stage as docs/your-own.md tells, and as a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.commands import Say
from support.experiments import questions, write_rows
from support.pages import blocks_of
from w2s.tables import read_table


def section() -> list[list[str]]:
    """The commands from a supervisor to the comparison."""
    commands = [block.words for block in blocks_of("your-own.md") if block.kind == "command"]
    names = [words[1] if words[0] == "w2s" else "" for words in commands]
    return commands[names.index("supervisor") : names.index("compare") + 1]


@pytest.fixture
def data(here: Path) -> str:
    """Questions of which every third has one option less, and every third one more."""
    rows = questions(36)
    for number, row in enumerate(rows):
        others = [choice for choice in row["choices"] if choice != row["answer"]]
        if number % 3 == 0:
            row["choices"].remove(others[-1])
        elif number % 3 == 1:
            row["choices"].append("none of these")
        row["split"] = ("weak_train", "transfer", "test")[number % 12 // 4]
    assert {len(row["choices"]) for row in rows} == {3, 4, 5}
    return write_rows(here / "my.jsonl", rows)


@pytest.mark.usefixtures("data")
def test_stage_by_stage_as_the_page_tells(say: Say, here: Path, tiny_llama: Path, tiny_gemma: Path) -> None:
    commands = section()
    assert [words[1] for words in commands] == [
        *("supervisor", "label", "score", "select", "train", "evaluate", "compare")
    ]
    models = {"smollm2-135m": str(tiny_llama), "gemma3-270m": str(tiny_gemma)}
    said = {words[1]: say(*[models.get(word, word) for word in words[1:]]) for words in commands}
    assert "on 12 questions" in said["supervisor"]
    answers = read_table("answers.parquet")
    assert {len(choices) for choices in answers["choices"].to_pylist()} == {3, 4, 5}
    assert len(answers["question_id"].unique()) == 12
    for row in answers.to_pylist():
        assert row["answer"] is None or row["answer"] in row["choices"]
    kept = read_table("train.parquet")
    assert 0 < kept.num_rows <= answers.num_rows and set(kept["question_id"].to_pylist()) <= set(
        answers["question_id"].to_pylist()
    )
    assert read_table("student.parquet").num_rows == read_table("weak/predictions.parquet").num_rows == 12
    assert re.search(r"difference .*\[.*\]", said["compare"], re.IGNORECASE), said["compare"]


@pytest.mark.usefixtures("no_page")
def test_as_a_run(say: Say, here: Path, data: str, tiny_llama: Path, tiny_gemma: Path) -> None:
    told = say(
        *("run", "--task.name", "file", "--task.data", "my.jsonl", "--methods", "naive,filtering,ceiling"),
        *("--weak.name", tiny_llama, "--strong.name", tiny_gemma, "--out", "run"),
    )
    chance = (3 / 3 + 6 / 4 + 3 / 5) / 12  # of the test questions 3 have three options, 6 four, 3 five
    assert re.search(rf"^\(chance\) +{chance:.3f}$", told, re.MULTILINE)
    rows = {record["method"]: record for record in json.loads(Path("run/results.json").read_text())["pooled"]}
    assert list(rows) == ["weak supervisor", "naive", "filtering", "ceiling"]
    assert (rows["naive"]["rows"], rows["ceiling"]["rows"]) == (12, 12)
