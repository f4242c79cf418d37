"""The command, a settings file of an experiment that takes seconds, and a folder of a test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import Say
from support.experiments import in_splits, questions, without_pages, write_rows
from support.registries import no_plugin_loaded
from w2s.cli import main


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; what it printed on standard output."""

    def run(*words: object) -> str:
        capsys.readouterr()
        main([str(word) for word in words])
        return capsys.readouterr().out

    return run


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


@pytest.fixture
def no_page() -> Iterator[None]:
    with without_pages():
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own: nothing that is refused may leave anything there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> list[str]:
    """A run that would go through."""
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    models = [f"--{who}.name={tiny_llama}" for who in ("weak", "strong")]
    sizes = ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", "--task.num_variations=3"]
    return ["run", "--task.name=file", f"--task.data={data}", *sizes, *models]


@pytest.fixture(autouse=True)
def own_plugins() -> Iterator[None]:
    """What a plug-in brings is gone with the test."""
    with no_plugin_loaded():
        yield
