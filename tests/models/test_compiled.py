"""Compiled layers: the same training, and when it is worth the wait."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from support.tiny import load_tiny
from support.training import same, train
from w2s.config import AnsweringSpec
from w2s.environment import instructions
from w2s.models import compiled
from w2s.models.compiled import compiled_layers, is_worth_compiling
from w2s.models.load import LanguageModel
from w2s.supervisors.asking import answer_questions
from w2s.supervisors.local import LocalModel
from w2s.tasks import load_task, questions_of


@pytest.fixture
def lm(tiny_llama: Path) -> LanguageModel:
    return load_tiny(tiny_llama)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler")
def test_compiled_layers_train_the_same_adapter(lm: LanguageModel, tmp_path: Path) -> None:
    plain = train(lm, tmp_path / "plain", compile="off", batch_size=10)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    fast = train(lm, tmp_path / "fast", compile="on", batch_size=10)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > graphs, "nothing was compiled"
    assert fast.losses == pytest.approx(plain.losses, abs=1e-4)
    assert same(fast.adapter, plain.adapter, 1e-2)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler")
def test_what_was_compiled_is_kept_in_the_store_and_found_again(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setenv("W2S_HOME", str(tmp_path / "store"))
    counted = torch._dynamo.utils.counters
    torch._dynamo.reset()
    train(lm, tmp_path / "first", compile="on", batch_size=9)
    (folder,) = (tmp_path / "store" / ".compiled").iterdir()
    assert folder.name == instructions() and list(folder.rglob("*.so"))
    torch._dynamo.reset()
    hits = counted["aot_autograd"]["autograd_cache_hit"] + counted["inductor"]["fxgraph_cache_hit"]
    train(lm, tmp_path / "second", compile="on", batch_size=9)
    assert counted["aot_autograd"]["autograd_cache_hit"] + counted["inductor"]["fxgraph_cache_hit"] > hits


def test_the_layers_are_left_as_they_were(lm: LanguageModel) -> None:
    layers = lm.model.model.layers
    with compiled_layers(lm):
        assert all(layer._compiled_call_impl is not None for layer in layers)
    assert all(layer._compiled_call_impl is None for layer in layers)


@pytest.mark.parametrize("work", ["training", "scoring"])
def test_only_long_runs_on_a_cpu_with_a_compiler_are_compiled(
    lm: LanguageModel, work: compiled.Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled.shutil, "which", lambda name: f"/usr/bin/{name}")
    parameters = sum(parameter.numel() for parameter in lm.model.model.layers.parameters())
    enough = int(compiled._ENOUGH[work] * torch.get_num_threads() / parameters)
    assert is_worth_compiling(lm, work, enough + 1)
    assert not is_worth_compiling(lm, work, enough)
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    assert not is_worth_compiling(lm, work, 10 * enough)


def test_auto_asks_whether_it_is_worth_it_for_all_epochs(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("w2s.training.student.is_worth_compiling", lambda *asks: bool(asked.append(asks[1:])))
    run = train(lm, tmp_path, epochs=2)
    assert asked == [("training", 2 * run.report.tokens)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler")
def test_long_scoring_is_compiled_and_gives_the_same_answers(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = load_task("geography", weak_train=0, transfer=12, test=0)
    questions = questions_of(task.splits().questions, "transfer")

    def answers() -> tuple[list[str], list[list[float]]]:
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name="tiny")
        table = answer_questions(supervisor, task, questions, num_variations=3, seed=0)
        return table["answer"].to_pylist(), table["choice_logprobs"].to_pylist()

    plain, plain_logprobs = answers()
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    monkeypatch.setitem(compiled._ENOUGH, "scoring", 0.0)
    fast, fast_logprobs = answers()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > graphs, "nothing was compiled"
    assert fast == plain
    for ours, theirs in zip(fast_logprobs, plain_logprobs, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
