"""A settings file of an experiment that takes seconds, and a run that would go through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.experiments import in_splits, questions, write_rows
from support.typed import here, no_page, own_plugins, say

__all__ = ["here", "no_page", "own_plugins", "say"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Path:
    """A settings file of an experiment that takes seconds."""
    folder = tmp_path_factory.mktemp("config")
    training = {"epochs": 1, "batch_size": 8, "learning_rate": 0.02, "lora": {"rank": 4, "alpha": 8}}
    settings = {
        "task": {
            "name": "file",
            "data": write_rows(folder / "questions.jsonl", in_splits(questions())),
            **{"weak_train": 8, "transfer": 16, "test": 12, "num_variations": 3},
        },
        "weak": {"name": str(tiny_llama), "dtype": "float32"},
        "strong": {"name": str(tiny_gemma), "dtype": "float32"},
        "methods": ["naive", "ceiling"],
        "weak_training": training,
        "student_training": training,
    }
    path = folder / "experiment.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> list[str]:
    """A run that would go through."""
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    models = [f"--{who}.name={tiny_llama}" for who in ("weak", "strong")]
    sizes = ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", "--task.num_variations=3"]
    return ["run", "--task.name=file", f"--task.data={data}", *sizes, *models]
