"""Soft labels: rows of one group are the options of one prompt, and one example."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from support.tiny import load_tiny
from support.training import loss_of, same, train, training_set
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training import student, weighted_trainer
from w2s.training.batches import Collator, micro_batches_of
from w2s.training.data import TrainingRow, encode_training_set
from w2s.training.losses import LOSSES, Loss, register_loss

OPTIONS = {"choice": "France", "other": "Norway, a country by the sea"}
CITY = [("Lyon", 0.7), ("Bergen", 0.1), ("Nice, which is in the south", 1.0), ("Oslo", 0.25), ("Lille", 0.5)]


def soft_set(cities: Sequence[tuple[str, float]] = CITY, **columns: Sequence[Any]) -> pa.Table:
    """Two options for each city, the first with the weight given and the second with the rest of 1."""
    rows = [(city, OPTIONS[name]) for city, _ in cities for name in ("choice", "other")]
    table = training_set([weight for _, share in cities for weight in (share, 1 - share)], rows)
    numbers = [number for number in range(len(cities)) for _ in range(2)]
    table = table.set_column(
        table.column_names.index("question_id"), "question_id", pa.array([f"q{number}" for number in numbers])
    )
    columns = {"group": [10 * number for number in numbers], **columns}
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def option_loss_of(lm: LanguageModel, table: pa.Table) -> list[float]:
    """Each group's cross-entropy of its soft label, one row at a time, with torch's own functions."""
    tokens = encode_training_set(lm, table, max_length=512, end_of_text=True, whole_groups=True)
    found = []
    with torch.no_grad():
        for example in tokens.examples:
            logprobs = torch.stack([-loss_of(lm, row.ids, row.start).sum() for row in example])
            soft = torch.tensor([row.weight for row in example])
            found.append(torch.nn.functional.cross_entropy(logprobs[None], soft[None]).item())
    return found


def test_a_group_of_one_certain_option_is_the_plain_row_to_the_token_loss(lm: LanguageModel, tmp_path: Path) -> None:
    table = soft_set([(city, 1.0) for city, _ in CITY])
    plain = table.filter(pa.compute.greater(table["weight"], 0)).drop_columns(["group"])
    grouped, alone = train(lm, tmp_path / "1", table), train(lm, tmp_path / "2", plain)
    assert same(grouped.adapter, alone.adapter) and grouped.losses == alone.losses
    assert (grouped.report.rows, grouped.report.zero_weight) == (5, 5)


def test_a_group_is_one_example_of_a_batch(lm: LanguageModel, tmp_path: Path) -> None:
    run = train(lm, tmp_path, soft_set(), batch_size=2, epochs=1)
    assert run.report.steps == 3 and run.report.rows == 9


def test_rows_of_a_group_are_weighted_rows_to_the_token_loss(lm: LanguageModel, tmp_path: Path) -> None:
    """A batch that holds everything does not depend on what is an example in it."""
    table = soft_set()
    grouped = train(lm, tmp_path / "1", table, batch_size=10, epochs=1)
    alone = train(lm, tmp_path / "2", table.drop_columns(["group"]), batch_size=10, epochs=1)
    assert grouped.losses == pytest.approx(alone.losses, rel=1e-5)
    assert same(grouped.adapter, alone.adapter, 1e-4)


def test_two_options_of_07_and_03_are_as_computed_by_hand(lm: LanguageModel, tmp_path: Path) -> None:
    table = soft_set([("Lyon", 0.7)])
    (expected,) = option_loss_of(lm, table)
    run = train(lm, tmp_path, table, loss="soft-cross-entropy", epochs=1)
    assert run.losses == pytest.approx([expected], rel=1e-5)


@pytest.mark.parametrize("architecture", ["llama", "gemma"])
@pytest.mark.parametrize("normalization", ["weights", "paper"])
def test_questions_count_by_what_their_weights_sum_to(
    architecture: str, normalization: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model = load_tiny(request.getfixturevalue(f"tiny_{architecture}"))
    table = soft_set()
    each = option_loss_of(model, table)
    trust = [1.0, 0.5, 2.0, 0.1, 1.0]
    scaled = [weight * trust[row // 2] for row, weight in enumerate(table["weight"].to_pylist())]
    table = table.set_column(2, "weight", pa.array(scaled, pa.float32()))
    divisor = sum(trust) if normalization == "weights" else len(trust)
    expected = sum(share * loss for share, loss in zip(trust, each, strict=True)) / divisor
    run = train(model, tmp_path, table, loss="soft-cross-entropy", epochs=1, batch_size=5, normalization=normalization)
    assert run.losses == pytest.approx([expected], rel=1e-4)


def test_the_option_loss_teaches_the_soft_label(lm: LanguageModel, tmp_path: Path) -> None:
    table = soft_set([("Lyon", 0.7), ("Oslo", 0.2)])
    run = train(lm, tmp_path, table, loss="soft-cross-entropy", epochs=80, batch_size=2)
    least = -sum(p * torch.tensor(p).log().item() for p in (0.7, 0.3, 0.2, 0.8)) / 2
    assert least - 1e-3 <= run.losses[-1] < least + 0.05 < run.losses[0]


@pytest.mark.parametrize("normalization", ["weights", "paper"])
@pytest.mark.parametrize("loss", ["cross-entropy", "soft-cross-entropy"])
def test_micro_batches_and_parts_change_nothing_of_groups(
    lm: LanguageModel, tmp_path: Path, loss: str, normalization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = {"loss": loss, "batch_size": 4, "normalization": normalization, "eval_fraction": 0.2}
    whole = train(lm, tmp_path / "whole", soft_set(), **common)
    micro = train(lm, tmp_path / "micro", soft_set(), micro_batch_size=1, **common)
    monkeypatch.setitem(weighted_trainer._TOKENS, "cpu", 30)
    parts = train(lm, tmp_path / "parts", soft_set(), **common)
    for other in (micro, parts):
        assert same(whole.adapter, other.adapter, 1e-3)
        assert other.losses == pytest.approx(whole.losses, abs=2e-5)


def test_groups_of_any_size_share_a_batch(lm: LanguageModel, tmp_path: Path) -> None:
    two = soft_set()
    three = soft_set([("Lima", 0.5), ("Vigo", 0.2)])
    three = three.take(pa.array([0, 1, 1, 2, 3, 3]))
    three = three.set_column(1, "completion", pa.array([" Peru", " Spain", " not Kenya"] * 2))
    three = three.set_column(three.column_names.index("group"), "group", pa.array([1, 1, 1, 2, 2, 2]))
    table = pa.concat_tables([two, three])
    expected = option_loss_of(lm, table)
    shares = [1.0] * 5 + [0.5 + 0.5 + 0.5, 0.2 + 0.8 + 0.8]
    run = train(lm, tmp_path, table, loss="soft-cross-entropy", epochs=1, batch_size=7)
    by_hand = sum(share * loss / share for share, loss in zip(shares, expected, strict=True)) / sum(shares)
    assert run.losses == pytest.approx([by_hand], rel=1e-4)


def test_an_option_loss_gets_the_soft_label_of_each_question(lm: LanguageModel, tmp_path: Path) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def noting(logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        seen.append((targets, weights))
        return -weights * (targets * logprobs).sum(-1)

    before = dict(LOSSES)
    register_loss(Loss(name="noting", version=1, summary="", form="options", function=noting))
    try:
        train(lm, tmp_path, soft_set(), loss="noting", epochs=1, batch_size=5)
    finally:
        LOSSES.clear()
        LOSSES.update(before)
    ((targets, weights),) = seen
    assert sorted(targets[:, 0].tolist()) == pytest.approx(sorted(share for _, share in CITY))
    assert targets.sum(-1).tolist() == pytest.approx([1.0] * 5) and weights.tolist() == pytest.approx([1.0] * 5)


def test_options_of_a_group_lose_the_same_beginning(lm: LanguageModel) -> None:
    table = soft_set([("Nice, which is in the south", 0.9)])
    whole = encode_training_set(lm, table, max_length=45, end_of_text=True, whole_groups=True)
    assert whole.truncated > 0
    for example in whole.examples:
        assert len({tuple(row.ids[: row.start]) for row in example}) == 1
    apart = encode_training_set(lm, table, max_length=45, end_of_text=True)
    assert any(len({tuple(row.ids[: row.start]) for row in example}) == 2 for example in apart.examples)


def test_questions_of_groups_are_held_out_whole(lm: LanguageModel) -> None:
    tokens = encode_training_set(lm, soft_set(), max_length=512, end_of_text=True, whole_groups=True)
    trained, held = student._hold_out(tokens, 0.4, seed=0)
    assert [len(tokens.examples[index]) for index in trained] == [2, 2, 2]
    assert [len(tokens.examples[index]) for index in held] == [2, 2]


def test_rows_without_a_group_stand_alone_beside_groups(lm: LanguageModel) -> None:
    table = soft_set(group=[None, None, 3, 3, None, None, 4, 4, 5, 5])
    tokens = encode_training_set(lm, table, max_length=512, end_of_text=True)
    assert [len(example) for example in tokens.examples] == [1, 1, 2, 1, 2, 2]


REFUSED: dict[str, tuple[dict[str, list[Any]], bool, str]] = {
    "alone": ({"group": [None, 1, 1, 1]}, True, "row 1: group is null, expected a number"),
    "single": ({"group": [1, 1, 2, 3]}, True, "row 3: group 2 has no other row"),
    "prompt": ({"prompt": ["a", "a", "b", "c"]}, False, "row 4, column 'prompt': 'c', expected 'b' as in row 3"),
    "question": ({"question_id": ["a", "b", "c", "c"]}, False, "row 2, column 'question_id': 'b', expected 'a'"),
    "type": ({"group": ["x", "y", "z", "z"]}, False, "column 'group': expected whole numbers"),
    "fraction": ({"group": [0.5, 0.5, 1.0, 1.0]}, False, "column 'group': expected whole numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_group_is_refused_with_its_row(lm: LanguageModel, case: str) -> None:
    columns, whole, message = REFUSED[case]
    table = soft_set([("Lyon", 0.7), ("Oslo", 0.4)], **columns)
    with pytest.raises(InputError) as caught:
        encode_training_set(lm, table, max_length=512, end_of_text=True, whole_groups=whole)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_an_option_loss_needs_groups(lm: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 1: group is null"):
        train(lm, tmp_path, loss="soft-cross-entropy")


@given(
    examples=st.lists(st.lists(st.integers(2, 40), min_size=1, max_size=5), min_size=1, max_size=7),
    packs=st.booleans(),
    tokens=st.integers(1, 300),
)
def test_no_part_of_a_batch_has_a_part_of_a_group(examples: list[list[int]], packs: bool, tokens: int) -> None:
    rows = [tuple(TrainingRow([5] * length, 1, 1.0) for length in lengths) for lengths in examples]
    batch = Collator(pad_token_id=0, packs=packs)(rows)
    seen: list[int] = []
    for part in micro_batches_of(batch, tokens=tokens):
        here = ((part["place"] >= 0) & (part["place"] < len(part["used"]))).nonzero().squeeze(-1)
        questions = set(part["example"][here].tolist())
        assert here.tolist() == [row for row, number in enumerate(part["example"].tolist()) if number in questions]
        assert len(part["block"].unique()) == 1 or part["input_ids"].shape[0] * batch["input_ids"].shape[1] <= tokens
        seen += here.tolist()
    assert sorted(seen) == list(range(sum(map(len, examples))))
