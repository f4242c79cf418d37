"""Job D: the paper's grid, dry; without a hub."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from w2s.cli import main

GRID = Path(__file__).parents[2] / "studies" / "paper.yaml"


def test_the_papers_grid_is_planned_from_its_file(
    here: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HOME", str(here / "hub"))
    text = GRID.read_text(encoding="utf-8")
    small = "\nbase:\n  task.weak_train: 40\n  task.transfer: 40\n  task.test: 40\n"
    assert "\nbase:\n" in text
    (here / "paper.yaml").write_text(text.replace("\nbase:\n", small).replace("seeds: [0, 1, 2]", "seeds: [0]"))
    with pytest.raises(SystemExit, match="0"):
        main(["study", "paper.yaml", "--dry-run"])
    said = capsys.readouterr().out
    assert all(task in said for task in ("hellaswag", "gsm8k", "mmlu", "ethics"))
    assert "null" not in said and "None" not in said
    assert re.search(r"^kind +to do +in all +rows +tokens +about$", said, re.MULTILINE)
    assert re.search(r"^training +[\d,]+ +[\d,]+ +[\d,]+ +[\d.,M]+ +[\d.,]+ (h|days)$", said, re.MULTILINE), said
    assert re.search(r"^time .*\n(.*\n)*memory .*\ndisk ", said, re.MULTILINE)
    assert "meta-llama/Llama-2-7b-chat-hf: 7.0B parameters by its name alone" in said
    assert "meta-llama/Llama-2-13b-chat-hf: 13.0B parameters by its name alone" in said
    assert "· not here: the hub is asked for it when it runs" in said
    assert not store.exists()
