"""Soft labels that the student has a say in, over a whole step: what the log shows, and what changes nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import torch
from torch import Tensor

from support.training import loss_of, same, train, training_set
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training import weighted_trainer
from w2s.training.data import TrainingRow, encode_training_set
from w2s.training.losses import Loss, register_loss
from w2s.training.losses.auxiliary_confidence import hardened, mixed
from w2s.training.relabel import shares_of

CITIES = [("Lyon", 0.7), ("Bergen", 0.1), ("Nice, which is in the south", 1.0), ("Oslo", 0.25), ("Lille", 0.5)]
LOSS = {"loss": "auxiliary-confidence", "loss_settings": {"alpha": 0.8, "ramp": 0.5}}


def soft_set() -> pa.Table:
    """Two options for each city, the first with the weight given and the second with the rest of 1."""
    rows = [(city, country) for city, _ in CITIES for country in ("France", "Norway, a country by the sea")]
    table = training_set([weight for _, share in CITIES for weight in (share, 1 - share)], rows)
    numbers = [number for number in range(len(CITIES)) for _ in range(2)]
    table = table.set_column(3, "question_id", pa.array([f"q{number}" for number in numbers]))
    return table.set_column(table.column_names.index("group"), "group", pa.array(numbers, pa.int64()))


def said_by(lm: LanguageModel, table: pa.Table) -> Tensor:
    """(questions, options) log-probabilities, one row at a time."""
    tokens = encode_training_set(lm, table, max_length=512, end_of_text=True, whole_groups=True)
    with torch.no_grad():
        rows = [[-loss_of(lm, row.ids, row.start).sum() for row in example] for example in tokens.examples]
    return torch.tensor(rows)


def test_the_log_shows_the_ramp(lm: LanguageModel, tmp_path: Path) -> None:
    """A student that stands still has the same losses at each step but for what its own class counts."""
    table = soft_set()
    run = train(lm, tmp_path, table, **LOSS, epochs=8, batch_size=5, learning_rate=1e-12, lora={"dropout": 0.0})
    said, weak = said_by(lm, table), torch.tensor([[share, 1 - share] for _, share in CITIES])
    own = hardened(said, weak.mean(0))
    assert not torch.equal(own.argmax(-1), said.argmax(-1)), "the prior must matter, or the test says nothing"
    towards_weak, towards_own = (-(label * said.log_softmax(-1)).sum(-1).mean().item() for label in (weak, own))
    strengths = [0.8 * min(1.0, step / 8 / 0.5) for step in range(8)]
    expected = [(1 - strength) * towards_weak + strength * towards_own for strength in strengths]
    assert run.losses == pytest.approx(expected, rel=1e-4)
    assert abs(towards_weak - towards_own) > 0.1


def test_micro_batches_and_parts_change_nothing(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = {**LOSS, "batch_size": 5, "epochs": 4, "eval_fraction": 0.2, "lora": {"dropout": 0.0}}
    whole = train(lm, tmp_path / "whole", soft_set(), **common)
    micro = train(lm, tmp_path / "micro", soft_set(), micro_batch_size=1, **common)
    monkeypatch.setitem(weighted_trainer._TOKENS, "cpu", 30)
    parts = train(lm, tmp_path / "parts", soft_set(), **common)
    for other in (micro, parts):
        assert same(whole.adapter, other.adapter, 1e-3)
        assert other.losses == pytest.approx(whole.losses, abs=2e-5)


def test_without_a_say_it_is_the_soft_cross_entropy(lm: LanguageModel, tmp_path: Path) -> None:
    none = train(lm, tmp_path / "1", soft_set(), loss="auxiliary-confidence", loss_settings={"alpha": 0.0})
    plain = train(lm, tmp_path / "2", soft_set(), loss="soft-cross-entropy")
    assert same(none.adapter, plain.adapter, 1e-4) and none.losses == pytest.approx(plain.losses, rel=1e-5)


def test_the_shares_are_those_of_each_place_by_weight() -> None:
    def example(*weights: float) -> tuple[TrainingRow, ...]:
        return tuple(TrainingRow([1, 2], 1, weight) for weight in weights)

    found = shares_of([example(0.5, 0.5), example(1.0, 0.0), example(0.2, 0.3, 0.5), example(0.0, 2.0)])
    assert found[2].tolist() == pytest.approx([1.5 / 4, 2.5 / 4])
    assert found[3].tolist() == pytest.approx([0.2, 0.3, 0.5])


def test_a_loss_of_tokens_has_no_soft_labels_to_change() -> None:
    loss = Loss(name="odd", version=1, summary="", form="tokens", function=mixed, relabel=mixed)
    with pytest.raises(InputError, match="loss 'odd' has a relabel and form 'tokens': expected form 'options'"):
        register_loss(loss)
