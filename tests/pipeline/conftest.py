"""An experiment with every method, to lay steps of."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.experiments import (
    in_splits,
    questions,
    small_experiment,
    write_rows,
)
from w2s.config import Experiment
from w2s.methods import METHODS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))


@pytest.fixture(scope="module")
def base(data: str, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    return small_experiment(data, tiny_llama, tiny_gemma, methods=list(METHODS))
