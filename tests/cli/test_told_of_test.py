"""What a table tells of who does not read the questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.commands import Say
from support.experiments import in_splits, questions, write_rows


@pytest.mark.usefixtures("no_page")
def test_a_table_says_who_gives_one_answer_to_all_and_who_is_below_chance(
    say: Say, here: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    rows = [{**row, "choices": ["yes", "no"], "answer": "no"} for row in in_splits(questions())]
    for row in rows[:8]:
        row["answer"] = "yes"  # what the weak supervisor learns is never right
    write_rows(here / "q.jsonl", rows)
    sizes = "--task.weak_train 8 --task.transfer 16 --task.test 12 --task.num_variations 2"
    train = "training.epochs 4 training.learning_rate 0.03 training.batch_size 4 training.lora.rank 4"
    trains = [
        word if index % 2 else f"--{who}_{word}"
        for who in ("weak", "student")
        for index, word in enumerate(train.split())
    ]
    models = [
        "--weak.name",
        tiny_llama,
        "--weak.dtype",
        "float32",
        "--strong.name",
        tiny_gemma,
        "--strong.dtype",
        "float32",
    ]
    run = "run --task.name file --task.data q.jsonl --methods naive,ceiling --store store --out run"
    said = say(*run.split(), *sizes.split(), *trains, *models)
    assert re.search(r"^\(chance\) +0\.500$", said, re.MULTILINE), said
    assert re.search(r"^\(always “no”\) +1\.000$", said, re.MULTILINE), said
    latex = say("report", "run", "--format", "latex")
    assert r"(always “no”) & 1.000 &  &  &  &  \\" in latex and "(chance) & 0.500" in latex
    assert re.search(r"^Below chance: .*weak supervisor", said, re.MULTILINE), said
    assert re.search(r"^One answer to almost all: .*gives “yes” to \d+% of the test questions", said, re.MULTILINE), (
        said
    )
    assert "The weak supervisor: " in said  # the verdict of its diagnosis
    again = say("report", "run", "--format", "table")
    assert "Below chance: " in again and "The weak supervisor: " in again
    found = json.loads((here / "run" / "results.json").read_text())
    assert found["guessing"] == {"chance": 0.5, "constant": "no", "constant_accuracy": 1.0}
    assert found["pooled"][0]["same_answer"] == "yes" and found["pooled"][0]["same_answer_share"] >= 0.9
