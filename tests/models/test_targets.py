"""LoRA's targets are checked by the names in a model's files, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from support.gguf import write_gguf
from support.tiny import load_tiny
from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.hub import without_hub
from w2s.models.source import Source, resolve
from w2s.models.targets import check_targets, module_names

NAMES = frozenset({"model", "model.layers", "model.layers.0", "model.layers.0.q_proj", "model.layers.0.v_proj"})
HUB = Source(identity="hub:owner/name@1", location="owner/name", revision="1")


def test_files_name_the_modules_that_the_loaded_model_has(tiny_llama: Path, tiny_gemma: Path) -> None:
    for folder in (tiny_llama, tiny_gemma):
        found = module_names(str(folder), resolve(ModelSpec(name=str(folder))))
        modules = {name for name, _ in load_tiny(folder).model.named_modules()}
        assert found <= modules and {"model.layers.0.self_attn.q_proj", "model.layers.0"} <= found


def test_a_gguf_file_names_its_projections_as_transformers_does(tiny_llama: Path, tmp_path: Path) -> None:
    file = write_gguf(tiny_llama, tmp_path / "tiny.gguf")
    found = module_names(str(file), resolve(ModelSpec(name=str(file))))
    assert found <= {name for name, _ in load_tiny(tiny_llama).model.named_modules()}
    assert {name.rpartition(".")[2] for name in found} >= {"q_proj", "o_proj", "down_proj"}


def test_the_hub_is_asked_where_it_may_be_and_nothing_is_known_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def metadata(self: object, name: str, *, revision: str) -> SimpleNamespace:
        asked.append((name, revision))
        return SimpleNamespace(weight_map={"model.layers.0.q_proj.weight": "a.safetensors"})

    monkeypatch.setattr(huggingface_hub.HfApi, "get_safetensors_metadata", metadata)
    with without_hub():
        assert module_names("owner/name", HUB) == frozenset()
    assert asked == []
    assert "model.layers.0.q_proj" in module_names("owner/name", HUB)
    assert asked == [("owner/name", "1")]


def test_a_hub_that_does_not_answer_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: object, name: str, *, revision: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(huggingface_hub.HfApi, "get_safetensors_metadata", fails)
    check_targets("it", module_names("owner/name", HUB), ["whatever"])


@pytest.mark.parametrize(
    "targets", ["all-linear", ["q_proj"], ["q_proj", "layers.0.v_proj"], ".*_proj", r"model\.layers.*q_proj"]
)
def test_targets_that_name_modules_pass(targets: str | list[str]) -> None:
    check_targets("it", NAMES, targets)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["q_proj", "q_prj"], "it has no module 'q_prj'; did you mean 'q_proj'?"),
        (["proj"], "it has no module 'proj'; did you mean"),
        (["zzz"], "it has no module 'zzz': expected some of q_proj, v_proj"),
        ("q_proj", "'q_proj' matches the full name of no module of it; did you mean the list [q_proj]?"),
        ("q_proj, v_proj", "did you mean the list [q_proj, v_proj]?"),
        ("(", "is no regular expression"),
    ],
)
def test_targets_that_name_none_are_refused_with_the_nearest_that_do(targets: str | list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        check_targets("it", NAMES, targets)
    assert said in str(refused.value)
