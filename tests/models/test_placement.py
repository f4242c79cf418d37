"""Which device a model is put on, one spread over several, and weights in 4 bits. Whether a GPU is here is faked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import ModuleSpec as ImportSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from support.experiments import questions as rows
from support.experiments import small_experiment, write_rows
from support.tiny import load_tiny
from support.training import same, train
from w2s.config import ModelSpec, WeakSpec
from w2s.engine.choose import choose_batches, score_choices
from w2s.errors import InputError
from w2s.models.adapters import adapted
from w2s.models.compiled import is_worth_compiling
from w2s.models.device import choose_device
from w2s.models.load import LanguageModel, load_model
from w2s.models.placement import check_placement, devices_of, loading_options, return_to
from w2s.models.prepared import PreparedModel
from w2s.pipeline.graph import Graph
from w2s.runners import local, processes
from w2s.store import Store
from w2s.training.student import _put_on

Gpus = Callable[[int], None]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Gpus:
    """Lets torch say that so many GPUs are here."""

    def have(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return have


def launch(monkeypatch: pytest.MonkeyPatch, *, rank: int, world: int) -> None:
    for name, value in {"RANK": rank, "WORLD_SIZE": world, "LOCAL_RANK": rank}.items():
        monkeypatch.setenv(name, str(value))


# Devices


def test_a_gpu_is_chosen_by_its_number(gpus: Gpus) -> None:
    gpus(2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    assert choose_device("cuda") == choose_device("auto") == torch.device("cuda", 0)
    with pytest.raises(InputError, match="'cuda:2': it is not here: this machine has 2 GPUs, cuda:0 to cuda:1"):
        choose_device("cuda:2")
    with pytest.raises(InputError, match="device 'cpu:1': expected cpu, of which there is one"):
        choose_device("cpu:1")
    gpus(1)
    with pytest.raises(InputError, match="'cuda:1': it is not here: this machine has 1 GPU, cuda:0"):
        choose_device("cuda:1")


def test_each_launched_process_has_a_gpu_of_its_own(gpus: Gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(2)
    launch(monkeypatch, rank=1, world=3)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="'cuda:1' in 3 launched processes: expected cuda, for a GPU each"):
        choose_device("cuda:1")
    launch(monkeypatch, rank=2, world=3)
    with pytest.raises(InputError, match="process 3 of 3 has no GPU: expected as many processes as GPUs, and this"):
        choose_device("auto")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="'cuda' is not here: accelerate launch --cpu lets a process use cpu"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CUDA", "cpu:0", ""])
def test_the_name_of_no_device_is_refused_when_it_is_given(name: str) -> None:
    for spec in (ModelSpec, WeakSpec):
        with pytest.raises(InputError, match="expected auto, cuda, cuda:1 "):
            spec(device=name)
    with pytest.raises(InputError, match="device is 'cuda:1' and device_map auto, which takes all GPUs"):
        ModelSpec(device="cuda:1", device_map="auto")


def test_a_training_is_on_the_gpu_that_the_model_is_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from accelerate import Accelerator
    from transformers import TrainingArguments

    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    arguments = TrainingArguments(output_dir=str(tmp_path))
    usual = arguments.device
    try:
        _put_on(arguments, torch.device("cuda", 1))
        assert arguments.device == Accelerator().device == torch.device("cuda", 1) == current[-1]
    finally:
        assert TrainingArguments(output_dir=str(tmp_path)).device == usual  # which begins anew


@pytest.mark.parametrize(
    ("held", "jobs", "said"),
    [
        ({"device": "cuda:3"}, 1, "device 'cuda:3': it is not here: this machine has 2 GPUs"),
        ({"device": "cuda:1"}, 2, "device 'cuda:1' with --jobs 2, each with a GPU of its own: expected cuda"),
        ({"device_map": "auto"}, 2, "device_map auto with --jobs 2, each with a GPU of its own: expected cuda"),
    ],
)
def test_a_device_that_is_not_here_is_refused_before_anything_is_computed(
    tiny_llama: Path, tmp_path: Path, gpus: Gpus, held: dict[str, Any], jobs: int, said: str
) -> None:
    gpus(2)
    data = write_rows(tmp_path / "rows.jsonl", rows())
    experiment = small_experiment(data, tiny_llama, tiny_llama)
    experiment.strong = replace(experiment.strong, **held)
    store = Store(tmp_path / "store")
    run = local.run if jobs == 1 else processes.runner_of(jobs)
    with pytest.raises(InputError, match=said):
        run(Graph(experiment).targets(), store, on_event=lambda event: pytest.fail(str(event)))
    assert not store.root.exists()


# Spread over several


def test_a_model_is_spread_over_gpus_or_refused(gpus: Gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModelSpec(device_map="auto", dtype="float32")
    gpus(0)
    with pytest.raises(InputError, match="device_map auto spreads a model over GPUs, and cpu is none: expected single"):
        check_placement(spec)
    gpus(2)
    assert check_placement(spec) == torch.device("cuda", 0)
    assert loading_options(spec, torch.device("cuda", 0), torch.float32) == {"device_map": "auto"}
    launch(monkeypatch, rank=0, world=2)
    for quantization in ("none", "4bit"):
        with pytest.raises(InputError, match="device_map auto in 2 launched processes: expected a model spread over"):
            check_placement(replace(spec, quantization=quantization))  # type: ignore[arg-type]


def test_a_model_that_no_gpus_have_room_for_is_not_trained(tiny_llama: Path, tmp_path: Path) -> None:
    assert devices_of({"model.embed_tokens": 0, "model.layers.0": 0, "model.layers.1": 1, "lm_head": "cpu"}) == [
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    lm = replace(load_tiny(tiny_llama), spread_over=("cuda:0", "cpu"))
    assert str(lm).endswith("float32 on cuda:0, cpu")
    with pytest.raises(InputError, match="too large for the GPUs here, cuda:0, cpu hold it: to be trained it needs"):
        train(lm, tmp_path)


def test_what_the_last_layer_gives_comes_back_to_where_the_inputs_are(tiny_llama: Path) -> None:
    body = load_tiny(tiny_llama).model.base_model
    ids = torch.tensor([[1, 5, 7]])
    assert body(input_ids=ids).last_hidden_state.device.type == "cpu"
    return_to(torch.device("meta"), body)
    try:
        assert body(input_ids=ids).last_hidden_state.device.type == "meta"
    finally:
        body._forward_hooks.clear()


# 4 bits


def four_bits(folder: Path, **fields: Any) -> LanguageModel:
    given = {"device": "cpu", "dtype": "float32", "quantization": "4bit", **fields}
    return load_model(folder, ModelSpec(name="mine", **given))


def scores(lm: LanguageModel) -> list[float]:
    (batch,) = choose_batches(lm, ["Which country is Lyon in?"], [[" France", " Norway", " Peru"]], tokens=4096)
    return score_choices(lm, batch)[0]


def unpacked(lm: LanguageModel, folder: Path) -> LanguageModel:
    """The same weights, held plainly."""
    from bitsandbytes.functional import dequantize_4bit

    plain = load_tiny(folder)
    plain = replace(plain, model=type(plain.model).from_pretrained(folder, dtype=torch.float32).requires_grad_(False))
    for name, module in lm.model.named_modules():
        if (state := getattr(getattr(module, "weight", None), "quant_state", None)) is not None:
            plain.model.get_submodule(name).weight.data = dequantize_4bit(module.weight.data, state)
    plain.model.eval()
    return plain


def test_a_model_in_4_bits_computes_with_the_weights_that_it_holds(tiny_llama: Path) -> None:
    pytest.importorskip("bitsandbytes")
    lm = four_bits(tiny_llama)
    packed = dict(lm.model.named_modules())["model.layers.1.mlp.up_proj"].weight
    assert packed.dtype == torch.uint8 and packed.quant_state.quant_type == "nf4" and packed.quant_state.nested
    assert lm.quantized and "M parameters · 4 bits, float32 on cpu" in str(lm)
    assert not is_worth_compiling(lm, "training", 10**15)
    said = scores(lm)
    assert scores(unpacked(lm, tiny_llama)) == pytest.approx(said, abs=1e-3)
    assert scores(load_tiny(tiny_llama)) != pytest.approx(said, abs=1e-2)


def test_a_student_learns_on_a_base_in_4_bits_as_on_the_same_weights_held_plainly(
    tiny_llama: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    lm = four_bits(tiny_llama)
    before, plain = scores(lm), unpacked(lm, tiny_llama)
    run = train(lm, tmp_path / "packed", micro_batch_size=2)
    expected = train(plain, tmp_path / "plain", micro_batch_size=2)
    assert run.losses == pytest.approx(expected.losses, rel=1e-3) and same(run.adapter, expected.adapter, 1e-2)
    with adapted(lm, tmp_path / "packed" / "adapter") as tuned:
        answered = scores(tuned)
    with adapted(plain, tmp_path / "packed" / "adapter") as tuned:
        assert scores(tuned) == pytest.approx(answered, abs=1e-2)
    assert answered != pytest.approx(before, abs=0.1) and scores(lm) == before  # the base is left as it was


def test_without_bitsandbytes_4_bits_are_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModelSpec(device="cpu", dtype="float32", quantization="4bit")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(InputError, match=r"needs bitsandbytes: pip install 'w2s\[4bit\]'"):
        check_placement(spec)


def test_where_bitsandbytes_cannot_run_4_bits_are_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_kernel(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel\nfor this machine")

    package, functional = ModuleType("bitsandbytes"), ModuleType("bitsandbytes.functional")
    package.__spec__ = ImportSpec("bitsandbytes", None)
    vars(functional).update(quantize_4bit=no_kernel, dequantize_4bit=no_kernel)
    monkeypatch.setitem(sys.modules, "bitsandbytes", package)
    monkeypatch.setitem(sys.modules, "bitsandbytes.functional", functional)
    with pytest.raises(InputError, match="bitsandbytes cannot run on cpu here: no kernel for this machine"):
        check_placement(ModelSpec(device="cpu", dtype="float32", quantization="4bit"))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(InputError, match="quantization 4bit on mps: bitsandbytes computes on cuda and cpu"):
        check_placement(ModelSpec(device="mps", dtype="float32", quantization="4bit"))


def test_4_bits_are_part_of_a_key_and_where_the_layers_are_is_not(tiny_llama: Path) -> None:
    plain = ModelSpec(name=str(tiny_llama), dtype="float32")
    settings = PreparedModel(plain).settings
    assert set(settings) == {"identity", "dtype", "chat_template"}  # as before there was a choice
    assert PreparedModel(replace(plain, device_map="auto")).settings == settings
    packed = PreparedModel(replace(plain, quantization="4bit")).settings
    assert packed == {**settings, "quantization": {"type": "nf4", "double": True}}
