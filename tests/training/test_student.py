"""A training run: what it leaves, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import Tensor

from support.tiny import load_tiny, texts_after
from support.training import CITIES, same, settings, train, training_set
from w2s.engine.choose import choose_batches, score_choices
from w2s.errors import InputError
from w2s.models.adapters import adapted
from w2s.models.load import LanguageModel
from w2s.training import student
from w2s.training.student import train_student

# The trainer's first version gave these; one that gives others trains differently.
GOLDEN = [6.52154, 6.89556, 7.0794, 6.48143, 6.20534, 5.50492, 5.77575, 5.32983, 5.69103]


def scores(lm: LanguageModel) -> list[list[float]]:
    (batch,) = choose_batches(lm, ["Which country is Lyon in?"], [[" France", " Norway"]], tokens=4096)
    return score_choices(lm, batch)


def state(lm: LanguageModel) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in lm.model.state_dict().items()}


def assert_as_it_came(lm: LanguageModel, before: dict[str, Tensor]) -> None:
    after = lm.model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in lm.model.parameters())
    assert not any(module.training for module in lm.model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in lm.model.modules())
    assert not lm.model.is_activation_checkpointing


def test_losses_are_those_of_the_first_version(lm: LanguageModel, tmp_path: Path) -> None:
    weights = [0.2, 1.0, 0.05, 0.7, 1.0, 0.4, 0.9, 0.3, 0.6, 0.8]
    run = train(lm, tmp_path, training_set(weights), epochs=3, schedule="cosine", warmup_ratio=0.2, weight_decay=0.1)
    assert run.losses == pytest.approx(GOLDEN, abs=2e-4)


def test_a_constant_rate_rises_to_itself_in_the_warm_up(lm: LanguageModel, tmp_path: Path) -> None:
    run = train(lm, tmp_path, schedule="constant", warmup_ratio=0.5)
    assert [entry["learning_rate"] for entry in run.log] == pytest.approx([0, 1e-2 / 3, 2e-2 / 3, 1e-2, 1e-2, 1e-2])
    plain = train(lm, tmp_path / "plain", schedule="constant")
    assert [entry["learning_rate"] for entry in plain.log] == pytest.approx([1e-2] * 6)


def test_a_small_share_that_is_held_out_is_one_question_at_least(lm: LanguageModel, tmp_path: Path) -> None:
    assert train(lm, tmp_path, eval_fraction=0.04, epochs=1).report.eval_rows == 1


def test_a_run_leaves_an_adapter_a_log_and_a_report(lm: LanguageModel, tmp_path: Path) -> None:
    progress: list[tuple[int, int, str, int]] = []
    run = train(lm, tmp_path, progress=lambda *step: progress.append(step))
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "log.jsonl", "training.json"}
    assert json.loads((tmp_path / "training.json").read_text()) == asdict(run.report)
    assert (run.report.rows, run.report.eval_rows, run.report.steps) == (len(CITIES), 0, 6)
    assert [entry["step"] for entry in run.log] == [1, 2, 3, 4, 5, 6]
    assert [step[:3] for step in progress] == [(step, 6, "steps") for step in range(1, 7)]
    assert progress[-1][3] == pytest.approx(2 * run.report.tokens, abs=1)
    assert [entry["learning_rate"] for entry in run.log] == pytest.approx([1e-2 * (1 - step / 6) for step in range(6)])
    assert run.report.loss == run.losses[-1] and run.said == []


def test_a_run_teaches(lm: LanguageModel, tmp_path: Path) -> None:
    run = train(lm, tmp_path, training_set(rows=CITIES[:2]), epochs=20, batch_size=2, learning_rate=3e-2)
    with adapted(lm, tmp_path / "adapter") as tuned:
        asked = [f"Which country is {city} in?\nAnswer:" for city, _ in CITIES[:2]]
        assert texts_after(tuned, asked, max_new_tokens=12) == [" France", " Norway"]
    assert run.losses[-1] < 0.3


@pytest.mark.parametrize("architecture", ["llama", "qwen", "gemma"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_model_is_handed_on_as_it_came(
    architecture: str, checkpointing: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model = load_tiny(request.getfixturevalue(f"tiny_{architecture}"))
    before, scored = state(model), scores(model)
    train(model, tmp_path, gradient_checkpointing=checkpointing)
    assert_as_it_came(model, before)
    assert scores(model) == scored


def test_the_same_run_gives_the_same_adapter_and_another_seed_another(lm: LanguageModel, tmp_path: Path) -> None:
    one, again, other = (train(lm, tmp_path / str(n), seed=seed) for n, seed in enumerate((5, 5, 6)))
    assert same(one.adapter, again.adapter) and one.losses == again.losses
    assert not same(one.adapter, other.adapter, 0.1)


def test_gradient_checkpointing_computes_twice_and_changes_nothing(lm: LanguageModel, tmp_path: Path) -> None:
    passes = 0

    def count(*args: object) -> None:
        nonlocal passes
        passes += 1

    hook = lm.model.model.layers[0].mlp.act_fn.register_forward_hook(count)
    try:
        plain = train(lm, tmp_path / "1")
        once, passes = passes, 0
        saving = train(lm, tmp_path / "2", gradient_checkpointing=True)
    finally:
        hook.remove()
    assert once == 6 and passes == 12
    assert same(plain.adapter, saving.adapter, 1e-6)


def test_dropout_is_left_to_peft_and_is_off_afterwards(lm: LanguageModel, tmp_path: Path) -> None:
    plain, dropped = train(lm, tmp_path / "1"), train(lm, tmp_path / "2", lora={"dropout": 0.3})
    assert not same(plain.adapter, dropped.adapter, 0.05)


def test_a_bfloat16_model_trains_float32_adapters_to_the_same_losses(tiny_llama: Path, tmp_path: Path) -> None:
    full = train(load_tiny(tiny_llama), tmp_path / "1")
    half = train(load_tiny(tiny_llama, dtype="bfloat16"), tmp_path / "2")
    assert half.losses == pytest.approx(full.losses, abs=0.1)
    assert {value.dtype for value in half.adapter.values()} == {torch.float32}


def test_named_targets_are_the_only_ones_adapted(lm: LanguageModel, tmp_path: Path) -> None:
    run = train(lm, tmp_path, lora={"targets": ["q_proj", "v_proj"]})
    assert {name.split(".")[-3] for name in run.adapter} == {"q_proj", "v_proj"}


def test_shortened_prompts_are_counted_and_said(lm: LanguageModel, tmp_path: Path) -> None:
    run = train(lm, tmp_path, max_length=28)
    assert run.report.truncated > 0
    assert run.said == [f"{run.report.truncated} of 10 prompts lost their beginning to fit 28 tokens"]


def test_rows_of_one_question_are_held_out_together(lm: LanguageModel, tmp_path: Path) -> None:
    table = pa.concat_tables([training_set(), training_set(), training_set()])
    run = train(lm, tmp_path, table, eval_fraction=0.3, epochs=1)
    assert (run.report.rows, run.report.eval_rows) == (21, 9)
    tokens = student.encode_training_set(lm, table, max_length=512, end_of_text=True)
    trained, held = student._hold_out(tokens, 0.3, seed=0)
    assert sorted(trained + held) == list(range(30)) and set(held) != set(student._hold_out(tokens, 0.3, seed=1)[1])
    assert not {tokens.question_ids[index] for index in trained} & {tokens.question_ids[index] for index in held}
    assert [entry["step"] for entry in run.log if "eval_loss" in entry] == [6]


def test_watching_changes_nothing_of_the_training(lm: LanguageModel, tmp_path: Path) -> None:
    tokens = student.encode_training_set(lm, training_set(), max_length=512, end_of_text=True)
    trained, _ = student._hold_out(tokens, 0.3, seed=0)
    dropout = {"lora": {"dropout": 0.1}}  # draws random numbers, as an evaluation should not
    watched = train(lm, tmp_path / "1", eval_fraction=0.3, **dropout)
    alone = train(lm, tmp_path / "2", training_set().take(pa.array(trained)), **dropout)
    assert same(watched.adapter, alone.adapter)


def refused(lm: LanguageModel, out: Path, **changes: Any) -> str:
    """The one line that says why a run is refused; the model is as before, and can be trained."""
    before = state(lm)
    with pytest.raises(InputError) as caught:
        train(lm, out, **changes)
    assert_as_it_came(lm, before)
    assert type(lm.model).__name__ == "LlamaForCausalLM" and not hasattr(lm.model, "peft_config")
    assert not (out / "adapter").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


REFUSED: dict[str, tuple[dict[str, Any], Callable[[str], bool]]] = {
    "micro batch": ({"micro_batch_size": 3}, lambda text: text == "micro_batch_size 3 does not divide batch_size 4"),
    "targets": ({"lora": {"targets": ["nonsense"]}}, lambda text: "lora.targets" in text and "'nonsense'" in text),
    "target": ({"lora": {"targets": "nonsense"}}, lambda text: "lora.targets 'nonsense'" in text),
    "one target of two": (
        {"lora": {"targets": ["q_proj", "v_porj"]}},
        lambda text: "no module 'v_porj'" in text and "did you mean 'v_proj'" in text,
    ),
    "rate": ({"learning_rate": 1e30}, lambda text: "nan" in text and "1e+30" in text and "learning_rate" in text),
    "eval": ({"eval_fraction": 0.97}, lambda text: "eval_fraction 0.97 of 10 questions leaves none" in text),
    "share": ({"eval_fraction": 1.0}, lambda text: "eval_fraction is 1.0" in text),
    "length": ({"max_length": 5}, lambda text: "max_length is 5" in text),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_refused_in_one_line_and_the_model_is_as_before(
    tiny_llama: Path, tmp_path: Path, case: str
) -> None:
    changes, says = REFUSED[case]
    model = load_tiny(tiny_llama)
    text = refused(model, tmp_path, **changes)
    assert says(text), text
    train(model, tmp_path / "afterwards", epochs=1)


def test_a_loss_that_is_lost_ends_the_run_at_once(lm: LanguageModel, tmp_path: Path) -> None:
    steps: list[int] = []
    with pytest.raises(InputError, match="nan"):
        train(
            lm, tmp_path, epochs=50, learning_rate=1e30, progress=lambda done, total, unit, tokens: steps.append(done)
        )
    assert len(steps) < 6


def test_a_table_needs_no_more_than_the_named_columns(lm: LanguageModel, tmp_path: Path) -> None:
    table = training_set().select(["prompt", "completion", "weight", "question_id"])
    report = train_student(lm, table, settings(epochs=1), seed=0, out=tmp_path)
    assert report.rows == len(CITIES)


def test_how_it_computes_is_told_and_long_rows_keep_the_attention_of_the_model(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(lm, tmp_path / "short", compile="off").how == "eager attention, adapters as one operation"
    monkeypatch.setattr("w2s.training.student._SHORT", 5)
    assert train(lm, tmp_path / "long", compile="off").how == "sdpa attention, adapters as one operation"
    assert lm.model.config._attn_implementation == "sdpa"
