"""What a weight means: against a loop written by hand, and the laws that follow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from torch import Tensor
from transformers import set_seed

from support.tiny import load_tiny
from support.training import CITIES, Run, loss_of, same, train, training_set
from w2s.engine.masks import attention_mask
from w2s.errors import InputError
from w2s.models.adapters import adapted
from w2s.models.load import LanguageModel
from w2s.training import weighted_trainer
from w2s.training.batches import Collator
from w2s.training.data import TrainingRow, encode_training_set

UNEVEN = [0.2, 1.0, 0.05, 0.7, 1.0, 0.4, 0.9, 0.3, 0.6, 0.8]


def rows_of(lm: LanguageModel, table: pa.Table) -> list[TrainingRow]:
    return encode_training_set(lm, table, max_length=512, end_of_text=True).rows


@contextmanager
def batches_seen(lm: LanguageModel, rows: list[TrainingRow]):  # type: ignore[no-untyped-def]
    """Notes which rows go through the model together."""
    seen: list[list[int]] = []

    def note(model: Any, args: Any, kwargs: dict[str, Tensor]) -> None:
        ids, mask = kwargs["input_ids"], kwargs.get("attention_mask")
        mask = mask["full_attention"] if isinstance(mask, dict) else mask
        visible = torch.ones(ids.shape[1], ids.shape[1]).tril().bool() if mask is None else mask.squeeze(1) == 0
        nodes = zip(ids, visible.expand(len(ids), -1, -1), strict=True)
        paths = [line[sees].tolist() for line, of_nodes in nodes for sees in of_nodes]
        seen.append([number for number, row in enumerate(rows) if row.ids[:-1] in paths])

    hook = lm.model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


@contextmanager
def shapes_seen(lm: LanguageModel):  # type: ignore[no-untyped-def]
    """Notes how many rows each pass has."""
    seen: list[int] = []
    hook = lm.model.register_forward_pre_hook(
        lambda model, args, kwargs: seen.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    try:
        yield seen
    finally:
        hook.remove()


def by_hand(
    lm: LanguageModel,
    rows: list[TrainingRow],
    batches: Sequence[Sequence[int]],
    *,
    weights: Sequence[float] | None = None,
    rate: float = 1e-2,
    seed: int = 0,
) -> tuple[list[float], dict[str, Tensor]]:
    """Plain supervised fine-tuning, one row at a time: the mean over the batch's completion tokens."""
    set_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", bias="none", task_type="CAUSAL_LM")
    model = get_peft_model(lm.model, config)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    losses = []
    for step, batch in enumerate(batches):
        each = [loss_of(lm, rows[row].ids, rows[row].start) for row in batch]
        share = [1.0 if weights is None else weights[row] for row in batch]
        tokens = sum(w * len(loss) for w, loss in zip(share, each, strict=True))
        loss = sum(w * loss.sum() for w, loss in zip(share, each, strict=True)) / tokens
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / len(batches))
        optimizer.step()
        losses.append(loss.item())
    adapter = {name: value.detach().clone() for name, value in get_peft_model_state_dict(model).items()}
    model.unload()
    lm.model.requires_grad_(False)
    return losses, adapter


@pytest.mark.parametrize("architecture", ["llama", "gemma"])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_equal_weights_are_plain_fine_tuning(
    weight: float, architecture: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model = load_tiny(request.getfixturevalue(f"tiny_{architecture}"))
    table = training_set([weight] * len(CITIES))
    rows = rows_of(model, table)
    with batches_seen(model, rows) as seen:
        run = train(model, tmp_path, table)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    assert seen[:3] != seen[3:] and sorted(row for batch in seen[:3] for row in batch) == list(range(len(CITIES)))
    losses, adapter = by_hand(model, rows, seen)
    assert run.losses == pytest.approx(losses, abs=2e-5)
    assert same(run.adapter, adapter, 1e-4)
    assert run.losses[-1] < run.losses[0] - 0.2, "nothing was learned: the comparison would say nothing"


def test_unequal_weights_are_a_mean_weighted_by_token(lm: LanguageModel, tmp_path: Path) -> None:
    table = training_set(UNEVEN)
    rows = rows_of(lm, table)
    with batches_seen(lm, rows) as seen:
        run = train(lm, tmp_path, table)
    losses, adapter = by_hand(lm, rows, seen, weights=UNEVEN)
    assert run.losses == pytest.approx(losses, abs=2e-5)
    assert same(run.adapter, adapter, 1e-4)
    assert not same(run.adapter, by_hand(lm, rows, seen)[1], 1e-2)


def test_twice_the_weights_change_nothing(lm: LanguageModel, tmp_path: Path) -> None:
    once = train(lm, tmp_path / "1", training_set(UNEVEN))
    twice = train(lm, tmp_path / "2", training_set([2 * weight for weight in UNEVEN]))
    assert same(once.adapter, twice.adapter) and once.losses == twice.losses


def test_a_row_of_no_weight_is_as_good_as_absent(lm: LanguageModel, tmp_path: Path) -> None:
    weights = [0.0 if number in (0, 3, 9) else weight for number, weight in enumerate(UNEVEN)]
    table = training_set(weights)
    absent = table.take(pa.array([number for number, weight in enumerate(weights) if weight]))
    one, other = train(lm, tmp_path / "1", table), train(lm, tmp_path / "2", absent)
    assert same(one.adapter, other.adapter) and one.losses == other.losses
    assert (one.report.rows, one.report.zero_weight) == (7, 3)


def test_a_row_of_more_weight_is_learned_better(lm: LanguageModel, tmp_path: Path) -> None:
    rows = [("Lyon", "France"), ("Lyon", "Norway")]
    for number, weights in enumerate(([1.0, 0.1], [0.1, 1.0])):
        run = train(lm, tmp_path / str(number), training_set(weights, rows), epochs=15, batch_size=2)
        with adapted(lm, run.out / "adapter") as tuned, torch.no_grad():
            losses = [loss_of(tuned, row.ids, row.start).sum() for row in rows_of(lm, training_set(rows=rows))]
        assert losses[number] < losses[1 - number]


@pytest.mark.parametrize("normalization", ["weights", "paper"])
@pytest.mark.parametrize("micro", [1, 2])
def test_micro_batches_do_not_change_the_outcome(
    lm: LanguageModel, tmp_path: Path, micro: int, normalization: str
) -> None:
    table = training_set(UNEVEN)
    common = {"batch_size": 8, "normalization": normalization}
    whole = train(lm, tmp_path / "whole", table, **common)
    parts = train(lm, tmp_path / "parts", table, micro_batch_size=micro, **common)
    # AdamW makes steps out of rounding, which depends on where tensors lie in memory: the losses are the sharper test.
    assert same(whole.adapter, parts.adapter, 1e-2)
    assert parts.losses == pytest.approx(whole.losses, abs=2e-5)
    assert len(parts.losses) == len(whole.losses) == 4  # ten rows in steps of eight and two, twice


@pytest.mark.parametrize("tokens", [1, 70])
@pytest.mark.parametrize("architecture", ["llama", "gemma"])
def test_a_step_in_parts_is_the_step_as_a_whole(
    architecture: str, tokens: int, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_tiny(request.getfixturevalue(f"tiny_{architecture}"))
    table = training_set(UNEVEN)
    prompts = [prompt.removeprefix("Which country is ") for prompt in table["prompt"].to_pylist()]
    table = table.set_column(0, "prompt", pa.array(prompts))
    monkeypatch.setattr("w2s.training.batches._WIDE", 1)  # nothing to share: a packed row each
    with shapes_seen(model) as wholes:
        whole = train(model, tmp_path / "whole", table)
    monkeypatch.setitem(weighted_trainer._TOKENS, "cpu", tokens)
    with shapes_seen(model) as pieces:
        parts = train(model, tmp_path / "parts", table)
    assert len(pieces) > len(wholes) and sum(pieces) == sum(wholes)
    assert same(whole.adapter, parts.adapter, 1e-3)
    assert parts.losses == pytest.approx(whole.losses, abs=2e-5)


@contextmanager
def memory_for(lm: LanguageModel, tokens: int):  # type: ignore[no-untyped-def]
    """A device whose memory ends at so many tokens."""
    sizes: list[int] = []

    def check(model: Any, args: Any, kwargs: dict[str, Tensor]) -> None:
        if kwargs["input_ids"].numel() > tokens:
            raise torch.OutOfMemoryError
        sizes.append(kwargs["input_ids"].numel())

    hook = lm.model.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield sizes
    finally:
        hook.remove()


def test_a_step_that_does_not_fit_into_memory_is_begun_anew_in_smaller_parts(lm: LanguageModel, tmp_path: Path) -> None:
    table = training_set(UNEVEN)
    whole = train(lm, tmp_path / "whole", table, batch_size=10)
    with memory_for(lm, 200) as sizes:
        parts = train(lm, tmp_path / "parts", table, batch_size=10)
    assert max(sizes) <= 200
    assert same(whole.adapter, parts.adapter, 1e-3)
    assert parts.losses == pytest.approx(whole.losses, abs=2e-5)


def test_the_gradients_of_a_step_that_broke_off_are_forgotten(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = training_set(UNEVEN)
    monkeypatch.setitem(weighted_trainer._TOKENS, "cpu", 200)
    whole = train(lm, tmp_path / "whole", table, batch_size=10)
    calls = 0

    def fail_once(model: Any, args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # the second part of the first step: the first has left its gradients
            raise torch.OutOfMemoryError

    hook = lm.model.register_forward_pre_hook(fail_once)
    try:
        again = train(lm, tmp_path / "again", table, batch_size=10)
    finally:
        hook.remove()
    assert calls > 4
    assert same(whole.adapter, again.adapter, 1e-3)


def test_a_row_that_does_not_fit_is_computed_with_checkpoints(lm: LanguageModel, tmp_path: Path) -> None:
    table = training_set(UNEVEN)
    whole = train(lm, tmp_path / "whole", table, batch_size=10)
    sizes: list[int] = []

    def fail_without(model: Any, args: Any, kwargs: dict[str, Tensor]) -> None:
        sizes.append(len(kwargs["input_ids"]))
        if not lm.model.is_activation_checkpointing:
            raise torch.OutOfMemoryError

    hook = lm.model.register_forward_pre_hook(fail_without, with_kwargs=True)
    try:
        saving = train(lm, tmp_path / "saving", table, batch_size=10)
    finally:
        hook.remove()
    assert sizes[0] > 1 and sizes[-1] == 1, "smaller parts come first"
    assert same(whole.adapter, saving.adapter, 1e-3)
    assert not lm.model.is_activation_checkpointing, "the model is handed on as it came"


def test_a_row_that_does_not_fit_into_memory_says_what_helps(lm: LanguageModel, tmp_path: Path) -> None:
    with memory_for(lm, 10), pytest.raises(InputError, match=r"one row of \d+ tokens.*expected a lower max_length"):
        train(lm, tmp_path, batch_size=10)
    assert not lm.model.is_activation_checkpointing


def test_micro_batches_that_do_not_fit_say_that_checkpoints_help(lm: LanguageModel, tmp_path: Path) -> None:
    with memory_for(lm, 10), pytest.raises(InputError, match=r"expected gradient_checkpointing: true, or a lower max_"):
        train(lm, tmp_path, batch_size=10, micro_batch_size=1)


def test_the_papers_loss_is_a_mean_over_every_position(lm: LanguageModel, tmp_path: Path) -> None:
    table = training_set(UNEVEN)
    rows = rows_of(lm, table)
    with torch.no_grad():
        each = [row.weight * loss_of(lm, row.ids, row.start).sum() for row in rows]
    positions = len(rows) * max(len(row.ids) for row in rows)
    run = train(lm, tmp_path, table, batch_size=len(rows), epochs=1, normalization="paper")
    assert run.losses == pytest.approx([sum(each).item() / positions], rel=1e-5)


def test_weights_of_the_papers_loss_are_a_learning_rate(lm: LanguageModel, tmp_path: Path) -> None:
    """Unlike those of the other: its loss shrinks with them. (Its step does not, for AdamW takes the scale off.)"""
    table = training_set([0.25] * len(CITIES))
    light = train(lm, tmp_path / "1", table, normalization="paper", epochs=1)
    heavy = train(lm, tmp_path / "2", normalization="paper", epochs=1)
    assert light.losses[0] == pytest.approx(heavy.losses[0] / 4, rel=1e-5)


def test_the_watched_loss_does_not_depend_on_the_size_of_the_weights(lm: LanguageModel, tmp_path: Path) -> None:
    def watched(run: Run) -> list[float]:
        return [entry["eval_loss"] for entry in run.log if "eval_loss" in entry]

    one = watched(train(lm, tmp_path / "1", eval_fraction=0.3))
    light = watched(train(lm, tmp_path / "2", training_set([0.25] * len(CITIES)), eval_fraction=0.3))
    assert one == pytest.approx(light, rel=1e-5) and len(one) == 2


def test_the_watched_loss_does_not_depend_on_how_a_batch_is_cut(lm: LanguageModel, tmp_path: Path) -> None:
    def watched(run: Run) -> list[float]:
        return [entry["eval_loss"] for entry in run.log if "eval_loss" in entry]

    table = training_set(UNEVEN)
    whole, cut = (
        watched(train(lm, tmp_path / str(micro), table, eval_fraction=0.5, micro_batch_size=micro)) for micro in (4, 1)
    )
    assert cut == pytest.approx(whole, rel=1e-5) and len(cut) == 2


def test_weights_that_could_not_count_are_refused(lm: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"batch_size is 1, and examples weigh 0\.\d+ to .*: expected more in a batch"):
        train(lm, tmp_path / "1", training_set(UNEVEN), batch_size=1)
    train(lm, tmp_path / "2", training_set([0.3] * len(CITIES)), batch_size=1, epochs=1)
    train(lm, tmp_path / "3", training_set(UNEVEN), batch_size=1, epochs=1, normalization="paper")


@pytest.mark.parametrize("architecture", ["llama", "qwen", "gemma"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_examples_that_share_a_row_do_not_see_each_other(
    architecture: str, attention: str, request: pytest.FixtureRequest
) -> None:
    model = load_tiny(request.getfixturevalue(f"tiny_{architecture}"))
    rows = [TrainingRow(list(range(10, 10 + length)), length - 3, 1.0) for length in (60, 42, 17, 7, 50)]
    rows += [TrainingRow([*range(10, 30), 90 + number, 7, 8], 21, 1.0) for number in range(3)]
    batch = Collator(pad_token_id=0, packs=True)([(row,) for row in rows])
    assert len(batch["input_ids"]) < len(rows)
    model.model.set_attn_implementation(attention)
    try:
        with torch.no_grad():
            logprobs = model.model(
                input_ids=batch["input_ids"],
                attention_mask=attention_mask(model, ends=batch["ends"], positions=batch["positions"]),
                position_ids=batch["positions"],
                use_cache=False,
            ).logits.log_softmax(-1)
        for index, row in enumerate(rows):
            here = batch["row"] == index
            found = -logprobs[batch["place"][index], batch["slot"][here], batch["target"][here]]
            with torch.no_grad():
                expected = loss_of(model, row.ids, row.start)
            assert torch.allclose(found, expected, atol=1e-5)
    finally:
        model.model.set_attn_implementation("sdpa")


@pytest.mark.parametrize("normalization", ["weights", "paper"])
def test_rows_shared_or_apart_train_the_same_adapter(
    lm: LanguageModel, normalization: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = training_set(UNEVEN)
    with shapes_seen(lm) as shared:
        together = train(lm, tmp_path / "together", table, normalization=normalization)
    monkeypatch.setattr("w2s.training.student.takes_masks", lambda lm: False)
    with shapes_seen(lm) as single:
        apart = train(lm, tmp_path / "apart", table, normalization=normalization)
    assert sum(shared) < sum(single)
    assert together.losses == pytest.approx(apart.losses, abs=2e-5)
    assert same(together.adapter, apart.adapter, 1e-4)


def test_in_the_order_of_questions_a_batch_holds_whole_ones_and_shares_their_beginning(
    lm: LanguageModel, tmp_path: Path
) -> None:
    cities = [("Lyon", "France"), ("Oslo", "Norway"), ("Lima", "Peru"), ("Vigo", "Spain"), ("Arica", "Chile")]
    asked = [(f"{city} (asked in way {number})", country) for city, country in cities for number in range(4)]
    table = training_set(rows=asked)
    ids = [f"q{number // 4}" for number in range(len(asked))]
    table = table.set_column(table.column_names.index("question_id"), "question_id", pa.array(ids))
    rows = rows_of(lm, table)
    with batches_seen(lm, rows) as seen:
        run = train(lm, tmp_path, table, order="questions")
    assert all(len(batch) == 4 and len({row // 4 for row in batch}) == 1 for batch in seen)
    assert sorted(row for batch in seen[:5] for row in batch) == list(range(20)) and seen[:5] != seen[5:]
    losses, adapter = by_hand(lm, rows, seen)
    assert run.losses == pytest.approx(losses, abs=2e-5)
    assert same(run.adapter, adapter, 1e-4)
