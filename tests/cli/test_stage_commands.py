"""The stages as commands, alone and one after another."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from support.commands import Say
from w2s.tables import read_table


def test_scores_of_a_hand_made_file_are_the_papers(say: Say, tmp_path: Path) -> None:
    votes = {"all": "aaaaa", "four": "aaaab", "three": "aaabb", "two": "aabbc", "one": "abcde"}
    lines = [f"{id},{number},{answer}" for id, given in votes.items() for number, answer in enumerate(given)]
    (tmp_path / "answers.csv").write_text("\n".join(["question_id,variation,answer", *lines]) + "\n")
    text = say("score", tmp_path / "answers.csv", "--out", tmp_path / "scored.csv")
    assert "5 questions, 5 answers each; 20.0% unanimous" in text and "25 scored answers" in text

    found: dict[str, dict[str, float]] = {id: {} for id in votes}
    entropy = {}
    for row in read_table(tmp_path / "scored.csv").to_pylist():
        found[row["question_id"]][row["answer"]] = round(row["reliability"], 3)
        entropy[row["question_id"]] = round(row["entropy"], 3)
        assert row["vote_share"] == votes[row["question_id"]].count(row["answer"]) / 5
    assert found == {
        "all": {"a": 1},
        "four": {"a": 0.953, "b": 0.047},
        "three": {"a": 0.731, "b": 0.269},
        "two": {"a": 0.422, "b": 0.422, "c": 0.155},
        "one": dict.fromkeys("abcde", 0.2),
    }
    assert entropy == {"all": 0, "four": 0.5, "three": 0.673, "two": 1.055, "one": 1.609}


def test_the_temperature_and_the_unparsed_rule_are_used(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question_id,variation,answer\nq,0,a\nq,1,a\nq,2,b\nq,3,\n")
    say("score", tmp_path / "a.csv", "--temperature", 1, "--unparsed", "drop_answer", "--out", tmp_path / "s.jsonl")
    rows = read_table(tmp_path / "s.jsonl").to_pylist()
    power = [math.exp(2 / 3), math.exp(1 / 3)]
    assert [row["reliability"] for row in rows] == pytest.approx([power[i] / sum(power) for i in (0, 0, 1)])
    summary = json.loads(say("score", tmp_path / "a.csv", "--json"))
    assert (summary["questions"], summary["rows"], summary["unparsed_rate"]) == (1, 4, 0.25)
    assert "4 answers; 1 could not be parsed" in say("score", tmp_path / "a.csv")


def test_the_stages_one_after_another_in_every_form_of_table(
    say: Say, tmp_path: Path, config: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    settings = json.loads(config.read_text())
    task = [word for name, value in settings["task"].items() for word in (f"--task.{name}", value)]
    weak = ["--model.name", tiny_llama, "--model.dtype", "float32"]
    strong = ["--model.name", tiny_gemma, "--model.dtype", "float32"]
    teach = [
        f"--training.{name}={value}" for name, value in (("epochs", 2), ("batch_size", 4), ("learning_rate", 5e-2))
    ]

    # The weak supervisor, from ground truth.
    out = say("label", "--gold", *task, "--split", "weak_train", "--out", tmp_path / "truth.jsonl")
    assert out == f"8 right answers: {tmp_path / 'truth.jsonl'}\n"
    say("train", tmp_path / "truth.jsonl", *weak, *teach, "--out", tmp_path / "weak")
    # Its answers, their scores, what is kept of them.
    adapter = ["--adapter", tmp_path / "weak"]
    out = say("label", *task, *weak, *adapter, "--out", tmp_path / "answers.csv")
    assert "16 questions, 3 answers each" in out and f"48 answers: {tmp_path / 'answers.csv'}" in out
    assert not list(tmp_path.glob("*journal*"))
    say("score", tmp_path / "answers.csv", "--out", tmp_path / "scored.csv")
    out = say("select", tmp_path / "scored.csv", "--method", "reweighting", "--out", tmp_path / "training.csv")
    assert "all answers, weighted by confidence: 48 of 48 answers, to 16 questions" in out
    more = ["--settings", "{quantile: 1.0, over: all}", "--out", tmp_path / "all.csv"]
    assert "48 of 48 answers" in say("select", tmp_path / "scored.csv", "--method", "filtering", *more)
    # The student, before and after.
    out = say("train", tmp_path / "training.csv", *strong, *teach, "--out", tmp_path / "student")
    assert "48 rows, 24 steps in " in out and f"adapter: {tmp_path / 'student' / 'adapter'}" in out
    student = ["--adapter", tmp_path / "student", "--out", tmp_path / "predictions.parquet"]
    found = json.loads(say("evaluate", *task, *strong, *student, "--json"))
    rows = read_table(tmp_path / "predictions.parquet").to_pylist()
    assert found["questions"] == len(rows) == 12 and found["unparsed"] == 0
    assert found["accuracy"] == pytest.approx(sum(row["correct"] for row in rows) / 12)
    assert found["accuracy_low"] <= found["accuracy"] <= found["accuracy_high"]
    assert re.match(r"accuracy 0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\] on 12 questions\n", say("evaluate", *task, *strong))


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_the_form_of_the_tables_changes_no_training_set(
    form: str, say: Say, tmp_path: Path, config: Path, tiny_llama: Path
) -> None:
    settings = json.loads(config.read_text())
    task = [word for name, value in settings["task"].items() for word in (f"--task.{name}", value)]
    for suffix in ("parquet", form):
        files = [tmp_path / f"{name}.{suffix}" for name in ("answers", "scored", "training")]
        say("label", *task, "--model.name", tiny_llama, "--out", files[0])
        say("score", files[0], "--out", files[1])
        say("select", files[1], "--method", "majority", "--out", files[2])
    columns = ["prompt", "completion", "weight", "question_id", "variation", "answer"]
    tables = [read_table(tmp_path / f"training.{suffix}").select(columns) for suffix in ("parquet", form)]
    assert tables[0].to_pylist() == tables[1].to_pylist() and tables[0].num_rows == 16
