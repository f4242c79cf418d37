"""A training that is begun anew, although it was begun before."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.training import settings, training_set
from w2s.config import ModelSpec
from w2s.pipeline import stages
from w2s.store import Store

MESSAGE = "has other weights than when this training was last broken off: it is begun anew"
CHECKPOINTS: dict[str, Any] = {"checkpoints": 4, "batch_size": 5, "epochs": 2}


def killed(model: Path, store: Path, out: Path, **changes: Any) -> None:
    def progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done == 3:
            raise KeyboardInterrupt

    spec = ModelSpec(name=str(model), dtype="float32")
    with pytest.raises(KeyboardInterrupt):
        stages.train(training_set(), spec, settings(**CHECKPOINTS | changes), out=out, store=Store(store),
                     progress=progress)  # fmt: skip


def trained(model: Path, store: Path, out: Path, caplog: pytest.LogCaptureFixture, **changes: Any) -> list[str]:
    """What is said of an earlier try."""
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="w2s.training"):
        spec = ModelSpec(name=str(model), dtype="float32")
        stages.train(training_set(), spec, settings(**CHECKPOINTS | changes), out=out, store=Store(store))
    return [line for line in caplog.messages if "anew" in line or "going on" in line]


def test_weights_that_were_replaced_in_place_begin_a_training_anew_and_that_is_said(
    tiny_llama: Path, tiny_qwen: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, store = tmp_path / "model", tmp_path / "store"
    shutil.copytree(tiny_llama, model)
    killed(model, store, tmp_path / "out")
    shutil.rmtree(model)
    shutil.copytree(tiny_qwen, model)
    assert trained(model, store, tmp_path / "out", caplog) == [f"{model} {MESSAGE}"]
    own = (tmp_path / "out/adapter/adapter_model.safetensors").read_bytes()
    trained(tiny_qwen, tmp_path / "other", tmp_path / "plain", caplog)
    assert own == (tmp_path / "plain/adapter/adapter_model.safetensors").read_bytes()
    assert not list((store / "training").glob("*/checkpoints"))


def test_what_goes_on_or_is_another_training_is_not_said_to_be_begun_anew(
    tiny_llama: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    killed(tiny_llama, store, tmp_path / "out")
    assert trained(tiny_llama, store, tmp_path / "other", caplog, learning_rate=2e-2) == []
    assert trained(tiny_llama, store, tmp_path / "out", caplog) == ["going on from step 2 of 4"]
