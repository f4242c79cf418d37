"""Losses by name: their settings, and what is refused of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from support.training import same, train, training_set
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training.losses import LOSSES, Loss, get_loss, register_loss, token_cross_entropy


def scaled(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    progress: float,
    *,
    factor: float,
    ramp: bool,
    name: str,
    steps: int,
) -> Tensor:
    """Cross-entropy times a factor, and times how much of the training is left."""
    return weights * token_cross_entropy(logits, targets) * factor * (1 - progress if ramp else 1.0)


SCALED = Loss(
    name="scaled",
    version=3,
    summary="for tests",
    form="tokens",
    function=scaled,
    settings={"factor": 1.0, "ramp": False, "name": "a", "steps": 1},
)


@pytest.fixture(autouse=True)
def own_losses() -> Iterator[None]:
    """Losses that a test registers are gone after it."""
    before = dict(LOSSES)
    register_loss(SCALED)
    yield
    LOSSES.clear()
    LOSSES.update(before)


def test_an_unknown_loss_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"unknown loss 'crossentropy'.*did you mean 'cross-entropy'"):
        get_loss("crossentropy")


def test_settings_that_are_not_given_are_the_losss_own() -> None:
    bound = SCALED.bind({"factor": 3})
    assert bound.settings == {"factor": 3.0, "ramp": False, "name": "a", "steps": 1}
    assert type(bound.settings["factor"]) is float
    assert SCALED.settings["factor"] == 1.0 and bound.version == 3


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"setting of the loss 'scaled' 'factr'.*did you mean 'factor'"):
        SCALED.bind({"factr": 1.0})
    with pytest.raises(InputError, match="'cross-entropy' has no settings"):
        get_loss("cross-entropy").bind({"factor": 1.0})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("factor", "2", "a finite number"),
        ("factor", math.nan, "a finite number"),
        ("factor", True, "a finite number"),
        ("factor", 10**400, "a finite number"),
        ("ramp", 1, "true or false"),
        ("name", 7, "a text"),
        ("steps", 1.5, "a whole number"),
        ("steps", True, "a whole number"),
    ],
)
def test_a_setting_of_another_type_is_refused(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        SCALED.bind({name: value})
    assert str(caught.value) == f"loss_settings.{name} is {value!r}: expected {expected}"


def test_two_losses_cannot_have_one_name() -> None:
    with pytest.raises(InputError, match="loss 'scaled' is there already"):
        register_loss(SCALED.bind({"factor": 2.0}))


def test_a_loss_of_a_users_own_trains_with_its_settings(lm: LanguageModel, tmp_path: Path) -> None:
    plain = train(lm, tmp_path / "1")
    own = train(lm, tmp_path / "2", loss="scaled")
    tenfold = train(lm, tmp_path / "3", loss="scaled", loss_settings={"factor": 10})
    assert same(plain.adapter, own.adapter)
    assert tenfold.losses[0] == pytest.approx(10 * plain.losses[0], rel=1e-5)


def test_a_loss_is_told_the_share_of_the_training_that_is_done(lm: LanguageModel, tmp_path: Path) -> None:
    seen: list[float] = []

    def noting(logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        seen.append(progress)
        return weights * token_cross_entropy(logits, targets)

    register_loss(Loss(name="noting", version=1, summary="", form="tokens", function=noting))
    run = train(lm, tmp_path, loss="noting")
    assert seen == pytest.approx([step / 6 for step in range(6)]) and run.report.steps == 6


def test_a_loss_of_the_wrong_shape_is_refused(lm: LanguageModel, tmp_path: Path) -> None:
    def mean(logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        return token_cross_entropy(logits, targets).mean()

    register_loss(Loss(name="mean", version=1, summary="", form="tokens", function=mean))
    with pytest.raises(
        InputError, match=r"the loss 'mean' returned a tensor of shape \(\): expected \(\d+,\), one for"
    ):
        train(lm, tmp_path, loss="mean")


@pytest.mark.parametrize("changes", [{"loss": "mse"}, {"loss_settings": {"factor": 2.0}}])
def test_a_loss_that_cannot_be_is_refused_before_the_training(
    lm: LanguageModel, tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        train(lm, tmp_path / "out", training_set(), **changes)
    assert not (tmp_path / "out").exists()


def test_soft_cross_entropy_by_hand() -> None:
    """Two options with probabilities 1/4 and 3/4 of those two, and a soft label of .7 and .3."""
    loss = get_loss("soft-cross-entropy")
    logprobs = torch.tensor([[0.01, 0.03], [0.5, 0.5]]).log()
    targets = torch.tensor([[0.7, 0.3], [1.0, 0.0]])
    found = loss(logprobs, targets, torch.tensor([1.0, 2.0]), 0.0)
    assert found.tolist() == pytest.approx([-(0.7 * math.log(0.25) + 0.3 * math.log(0.75)), 2 * math.log(2)], rel=1e-5)
