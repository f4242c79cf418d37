"""Losses that compare a question's options: their values and gradients by hand, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.training.losses import get_loss
from w2s.training.losses.auxiliary_confidence import hardened, mixed

OPTIONS = ["soft-cross-entropy", "auxiliary-confidence", "product-of-experts", "confidence-window"]
OPTIONS += ["reverse-kl", "reverse-cross-entropy"]

STUDENT = torch.tensor([[0.6, 0.3, 0.1], [0.25, 0.2, 0.55]], dtype=torch.float64)
WEAK = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.1, 0.9]], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 0.5], dtype=torch.float64)
INSIDE = torch.tensor([0.0, 1.0], dtype=torch.float64)


def loss_of(name: str, student: Tensor = STUDENT, weak: Tensor = WEAK, **settings: Any) -> Tensor:
    """(questions,) with log-probabilities that are not normalized over the options."""
    weights = WEIGHTS if len(weak) == len(WEIGHTS) else torch.ones(len(weak), dtype=weak.dtype)
    return get_loss(name).bind(settings)(student.log() - 3.0, weak, weights, 0.5)


def smoothed(weak: Tensor, smoothing: float) -> Tensor:
    return (1 - smoothing) * weak + smoothing / weak.shape[-1]


def slope_of_reverse(student: Tensor, marks: Tensor) -> Tensor:
    """Gradient by the logits of the mean of some marks under the student."""
    return student * (marks - (student * marks).sum(-1, keepdim=True))


BY_HAND: dict[str, tuple[dict[str, Any], Callable[[], Tensor], Callable[[], Tensor]]] = {
    "soft-cross-entropy": ({}, lambda: -(WEAK * STUDENT.log()).sum(-1), lambda: STUDENT - WEAK),
    "auxiliary-confidence": ({}, lambda: -(WEAK * STUDENT.log()).sum(-1), lambda: STUDENT - WEAK),
    "product-of-experts": (
        {"alpha": 2.0, "beta": 0.5},
        lambda: -(product(2.0, 0.5) * STUDENT.log()).sum(-1),
        lambda: STUDENT - product(2.0, 0.5),
    ),
    "confidence-window": (  # of three options below 1/3 + 2 (2/3) .19 = .587: the second question alone
        {"radius": 0.19},
        lambda: -INSIDE * (WEAK * STUDENT.log()).sum(-1),
        lambda: INSIDE[:, None] * (STUDENT - WEAK),
    ),
    "reverse-kl": (
        {"smoothing": 0.1},
        lambda: (STUDENT * (STUDENT / smoothed(WEAK, 0.1)).log()).sum(-1),
        lambda: slope_of_reverse(STUDENT, (STUDENT / smoothed(WEAK, 0.1)).log()),
    ),
    "reverse-cross-entropy": (
        {"smoothing": 0.1},
        lambda: -(STUDENT * smoothed(WEAK, 0.1).log()).sum(-1),
        lambda: -slope_of_reverse(STUDENT, smoothed(WEAK, 0.1).log()),
    ),
}


def product(alpha: float, beta: float) -> Tensor:
    together = WEAK**alpha * STUDENT**beta
    return together / together.sum(-1, keepdim=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_values_and_gradients_are_those_by_hand(name: str) -> None:
    settings, value, slope = BY_HAND[name]
    logprobs = (STUDENT.log() - 3.0).requires_grad_()
    losses = get_loss(name).bind(settings)(logprobs, WEAK, WEIGHTS, 0.5)
    assert losses.tolist() == pytest.approx((WEIGHTS * value()).tolist())
    (gradient,) = torch.autograd.grad(losses.sum(), logprobs)
    assert torch.allclose(gradient, WEIGHTS[:, None] * slope(), atol=1e-12)


def test_the_numbers_of_one_question() -> None:
    weak, student = torch.tensor([[0.8, 0.2]]).double(), torch.tensor([[0.5, 0.5]]).double()
    assert loss_of("soft-cross-entropy", student, weak).item() == pytest.approx(math.log(2))
    assert loss_of("product-of-experts", student, weak).item() == pytest.approx(math.log(2))
    assert loss_of("reverse-kl", student, weak, smoothing=1e-9).item() == pytest.approx(0.2231436, rel=1e-5)
    assert loss_of("reverse-cross-entropy", student, weak, smoothing=1e-9).item() == pytest.approx(0.9162907, rel=1e-5)
    assert loss_of("confidence-window", student, weak, radius=0.15).item() == pytest.approx(math.log(2))
    unsure, sure = torch.tensor([[0.64, 0.36]]).double(), torch.tensor([[0.66, 0.34]]).double()
    assert loss_of("confidence-window", unsure, weak, radius=0.15).item() > 0, "below .5 + .15, as in the source"
    assert loss_of("confidence-window", sure, weak, radius=0.15).item() == 0


@pytest.mark.parametrize("name", OPTIONS[:4])
def test_where_the_label_is_one_option_the_forward_losses_are_its_cross_entropy(name: str) -> None:
    settings = {"confidence-window": {"radius": 0.5}}.get(name, {})
    hard = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    expected = -WEIGHTS * torch.tensor([0.3, 0.55], dtype=torch.float64).log()
    assert loss_of(name, weak=hard, **settings).tolist() == pytest.approx(expected.tolist())


def test_with_nothing_of_their_own_they_are_the_soft_cross_entropy() -> None:
    plain = loss_of("soft-cross-entropy").tolist()
    assert loss_of("product-of-experts", beta=0.0).tolist() == pytest.approx(plain)
    assert loss_of("confidence-window", radius=0.5).tolist() == pytest.approx(plain)
    targets = mixed(STUDENT.log(), WEAK, WEAK.mean(0), 1.0, alpha=0.0, ramp=0.2)
    assert torch.equal(targets, WEAK)


def test_reverse_kl_is_reverse_cross_entropy_without_the_students_entropy_and_0_at_the_label() -> None:
    entropy = -(STUDENT * STUDENT.log()).sum(-1)
    difference = loss_of("reverse-cross-entropy") - loss_of("reverse-kl")
    assert difference.tolist() == pytest.approx((WEIGHTS * entropy).tolist())
    at_label = loss_of("reverse-kl", student=smoothed(WEAK, 0.01))
    assert at_label.tolist() == pytest.approx([0, 0], abs=1e-12)


def test_an_option_that_the_weak_label_rules_out_stays_ruled_out_by_the_product() -> None:
    sure_of_another = torch.tensor([[0.98, 0.01, 0.01], [1 - 2e-9, 1e-9, 1e-9]], dtype=torch.float64)
    logprobs = sure_of_another.log().requires_grad_()
    get_loss("product-of-experts")(logprobs, WEAK, WEIGHTS, 0.5).sum().backward()
    assert logprobs.grad is not None and bool(logprobs.grad.isfinite().all())
    assert logprobs.grad[1, 0] > 0, "the loss falls as that option loses probability"


# What the auxiliary confidence loss takes for the student's own class


def test_the_own_class_of_two_options_is_that_above_the_quantile_of_the_weak_share() -> None:
    first = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.55])
    own = hardened(torch.stack([first, 1 - first], -1).log(), torch.tensor([0.4, 0.6]))
    assert own[:, 0].tolist() == [1, 1, 0, 0, 0], "all prefer the first option, which two of five weak labels name"
    assert own.sum(-1).tolist() == [1] * 5


@given(
    first=st.lists(st.integers(1, 999), min_size=2, max_size=30, unique=True),
    share=st.floats(0.0, 1.0, allow_nan=False),
)
@example(first=[1, 2, 3, 4, 73, 90], share=0.2)
def test_two_options_follow_the_rule_of_the_source(first: list[int], share: float) -> None:
    probability = torch.tensor(first, dtype=torch.float64) / 1000
    shares = torch.tensor([share, 1 - share], dtype=torch.float64)
    own = hardened(torch.stack([probability, 1 - probability], -1).log(), shares)
    threshold = probability.quantile(shares[1])
    clear = (probability - threshold).abs() > 1e-9
    assert torch.equal(own[clear, 0].bool(), (probability > threshold)[clear])


def test_equal_shares_and_a_student_without_a_preference_give_the_likeliest_option() -> None:
    rotations = torch.stack([torch.tensor([0.7, 0.2, 0.1]).roll(turn) for turn in range(3)] * 2)
    assert torch.equal(hardened(rotations.log(), torch.full((3,), 1 / 3)).argmax(-1), rotations.argmax(-1))


def test_the_own_class_comes_in_by_a_ramp() -> None:
    def own_part(progress: float, **settings: float) -> float:
        label = torch.tensor([[1.0, 0.0]] * 2)
        student = torch.tensor([[0.1, 0.9], [0.9, 0.1]])
        made = mixed(
            student.log(), label, torch.tensor([0.5, 0.5]), progress, **{"alpha": 0.6, "ramp": 0.2, **settings}
        )
        assert made.sum(-1).tolist() == pytest.approx([1, 1])
        assert made[1].tolist() == [1, 0], "student and label agree"
        return float(made[0, 1])

    assert [own_part(progress) for progress in (0, 0.1, 0.2, 0.9)] == pytest.approx([0, 0.3, 0.6, 0.6])
    assert own_part(0.0, ramp=0.0) == pytest.approx(0.6)


def batches(options: int) -> st.SearchStrategy[tuple[Tensor, Tensor]]:
    """Log-probabilities and soft labels of some questions."""
    marks = st.lists(st.lists(st.floats(-6, 0), min_size=options, max_size=options), min_size=1, max_size=6)
    return marks.flatmap(
        lambda rows: st.lists(
            st.lists(st.floats(-4, 0), min_size=options, max_size=options), min_size=len(rows), max_size=len(rows)
        ).map(lambda more: (torch.tensor(rows).double(), torch.tensor(more).double().softmax(-1)))
    )


@pytest.mark.parametrize("name", OPTIONS)
@given(batch=st.integers(2, 4).flatmap(batches), random=st.randoms(use_true_random=False))
def test_the_order_of_questions_and_the_names_of_options_change_nothing(
    name: str, batch: tuple[Tensor, Tensor], random: Any
) -> None:
    logprobs, weak = batch
    questions, options = list(range(len(weak))), list(range(weak.shape[1]))
    random.shuffle(questions)
    random.shuffle(options)
    loss, ones = get_loss(name), torch.ones(len(weak), dtype=weak.dtype)
    assert torch.allclose(
        loss(logprobs, weak, ones, 0.5)[questions],
        loss(logprobs[questions][:, options], weak[questions][:, options], ones, 0.5),
    )
    if loss.relabel is not None:
        shares = weak.mean(0)
        own = hardened(logprobs, shares)
        apart = hardened(logprobs[questions][:, options], shares[options])
        clear = apart == own[questions][:, options]
        margins = logprobs.softmax(-1) - torch.stack(
            [column.quantile(1 - share) for column, share in zip(logprobs.softmax(-1).T, shares, strict=True)]
        )
        top = margins.topk(2, -1).values
        tied = (top[:, 0] - top[:, 1] < 1e-9)[questions]
        assert bool((clear.all(-1) | tied).all())


# Settings


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("auxiliary-confidence", {"alpha": 1.5}, "alpha of the loss 'auxiliary-confidence' is 1.5: expected"),
        ("auxiliary-confidence", {"ramp": -0.1}, "ramp of the loss 'auxiliary-confidence' is -0.1: expected"),
        ("product-of-experts", {"beta": -1}, "beta of the loss 'product-of-experts' is -1.0: expected"),
        ("confidence-window", {"radius": 0.0}, "radius of the loss 'confidence-window' is 0.0: expected"),
        ("confidence-window", {"radius": 0.6}, "radius of the loss 'confidence-window' is 0.6: expected"),
        ("reverse-kl", {"smoothing": 0.0}, "smoothing of a reverse loss is 0.0: expected"),
        ("reverse-cross-entropy", {"smoothing": 1}, "smoothing of a reverse loss is 1.0: expected"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        get_loss(name).bind(settings)
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", OPTIONS[1:])
def test_a_method_has_the_settings_of_its_loss(name: str) -> None:
    assert METHODS[name].settings == get_loss(name).settings != {}


def test_a_question_that_stands_alone_has_its_likeliest_option_for_the_own_class() -> None:
    logprobs = torch.tensor([[0.02, 0.08, 0.9]]).log()
    for shares in ([1 / 3, 1 / 3, 1 / 3], [0.8, 0.1, 0.1]):
        assert hardened(logprobs, torch.tensor(shares)).tolist() == [[0, 0, 1]]
    label = mixed(logprobs, torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([0.5, 0.25, 0.25]), 1.0, alpha=0.75, ramp=0.2)
    assert label.tolist() == [[0, 0, 1]]
