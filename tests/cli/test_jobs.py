"""Jobs from beginning to end, as the documentation tells them, with models of no size."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from w2s.cli import main
from w2s.tables import read_table, write_table

LABELS = ("billing", "shipping", "other")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tickets that nobody knows the right labels of, and what three people said; one of them guesses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_HOME", str(tmp_path / "store"))
    dice = random.Random(0)
    tickets = [{"id": f"t{n:02}", "text": f"Ticket number {n}."} for n in range(60)]
    write_table(pa.Table.from_pylist(tickets), tmp_path / "tickets.csv")
    rows = []
    for n, ticket in enumerate(tickets):
        for who, skill in (("ann", 0.95), ("bob", 0.9), ("carl", 0.0)):
            label = LABELS[n % 3] if dice.random() < skill else dice.choice(LABELS)
            rows.append({"item": ticket["id"], "worker": who, "label": label.title() if who == "bob" else label})
    write_table(pa.Table.from_pylist(rows), tmp_path / "labels.csv")
    return tmp_path


def test_labels_of_three_people_become_a_student(
    here: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = "{question_id: item, annotator: worker, answer: label}"
    main(["score", "labels.csv", "--columns", columns, "--normalize", "[space, case]"])
    said = capsys.readouterr().out
    assert "verdict: trust ann" in said and "rather than carl" in said

    settings = f"{{answers: labels.csv, columns: {columns}, normalize: [space, case]}}"
    texts = ["--task.name=classification", "--task.data=tickets.csv", "--task.labels=[billing, shipping, other]"]
    sizes = ["--task.weak_train=0", "--task.transfer=all", "--task.test=0"]
    main(["label", *texts, *sizes, "--model.source=table", "--model.settings", settings, "--out=answers.parquet"])
    answers = read_table("answers.parquet")
    assert answers.num_rows == 180 and set(answers["supervisor"].to_pylist()) == {"ann", "bob", "carl"}

    main(["score", "answers.parquet", "--estimator=dawid-skene", "--out=scored.parquet"])
    main(["select", "scored.parquet", "--method=confident-majority", "--out=train.jsonl"])
    kept = read_table("train.jsonl").to_pylist()
    right = {f"t{n:02}": LABELS[n % 3] for n in range(60)}
    share = sum(row["answer"] == right[row["question_id"]] for row in kept) / len(kept)
    assert 20 <= len(kept) <= 40 and share > 0.95 and len({row["question_id"] for row in kept}) == len(kept)
    assert {row["completion"] for row in kept} <= {" A", " B", " C"} and "Ticket number" in kept[0]["prompt"]

    main(["train", "train.jsonl", f"--model.name={tiny_llama}", "--training.epochs=1", "--out=student"])
    assert (here / "student" / "adapter" / "adapter_model.safetensors").is_file()
