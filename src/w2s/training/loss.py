"""What a loss is, and the losses by name. No torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from w2s.errors import InputError, unknown_name
from w2s.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSSES", "Loss", "OptionLoss", "Relabel", "TokenLoss", "get_loss", "register_loss"]

_KINDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}


class TokenLoss(Protocol):
    """A loss of each supervised token; the rows of a group are so many weighted rows."""

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """The weighted loss of each token; a step's loss is their sum, over the step's denominator.

        Args:
            logits: (tokens, vocabulary), in the dtype that the model computes in.
            targets: (tokens,) the token that should have been predicted.
            weights: (tokens,) the weight of the token's row.
            progress: Share of the training that is done, from 0 to 1.

        Returns:
            (tokens,)
        """
        ...


class OptionLoss(Protocol):
    """A loss of each question, from its options' whole completions."""

    def __call__(self, logprobs: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """The weighted loss of each question; a step's loss is their sum, over the step's denominator.

        It is asked once for all questions with the same number of options, so each question's loss must not depend
        on the others.

        Args:
            logprobs: (questions, options) log-probability of the completion, summed over its tokens, in nats.
            targets: (questions, options) the soft label; sums to one over the options.
            weights: (questions,) what the weights of the question's rows sum to.
            progress: Share of the training that is done, from 0 to 1.

        Returns:
            (questions,)
        """
        ...


class Relabel(Protocol):
    """What the soft labels of a batch become, before a loss is taken of them. No gradient flows through it."""

    def __call__(self, logprobs: Tensor, targets: Tensor, shares: Tensor, progress: float) -> Tensor:
        """The soft labels that are learned in place of the given ones.

        It is asked once for all questions of an optimizer step with the same number of options, however the step is
        cut into parts, so a question's label may depend on the others.

        Args:
            logprobs: (questions, options) what the student itself says of each option, in nats, without dropout.
            targets: (questions, options) the soft label; sums to one over the options.
            shares: (options,) mean of the soft labels of the whole training set, by the option's row in its group.
            progress: Share of the training that is done, from 0 to 1.

        Returns:
            (questions, options), which sum to one over the options.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss under its name, with its settings.

    Attributes:
        name: As `loss` in the settings of a training names it.
        version: Goes up when the same settings begin to give other numbers: it is part of a result's identity.
        summary: One line for lists.
        form: "tokens" where the function is a `TokenLoss`, "options" where it is an `OptionLoss`.
        function: The loss itself; its settings follow as keyword arguments.
        settings: Of the function, by name. Their types are those that a user's values must have.
        relabel: A `Relabel` with the same settings, of a loss of form "options" that changes the soft labels.
        check: Refuses settings of values that the loss cannot use; they are its keyword arguments.
    """

    name: str
    version: int
    summary: str
    form: Literal["tokens", "options"]
    function: Callable[..., Tensor]
    settings: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    relabel: Callable[..., Tensor] | None = None
    check: Callable[..., object] = dict

    def bind(self, settings: Mapping[str, Any]) -> Loss:
        """This loss with other values for some of its settings.

        Raises:
            InputError: A name is not that of a setting, or a value not of its type or out of range.
        """
        values = dict(self.settings)
        for name, value in settings.items():
            if not values:
                raise InputError(f"loss_settings has {name!r}: the loss {self.name!r} has no settings")
            if name not in values:
                raise unknown_name(f"setting of the loss {self.name!r}", name, values)
            values[name] = _as_type(value, type(values[name]), f"loss_settings.{name}")
        self.check(**values)
        return replace(self, settings=values)

    def __call__(self, predicted: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """The function's losses, as `TokenLoss` or `OptionLoss` describes them.

        Raises:
            InputError: The function returned another shape than one loss for each weight.
        """
        losses = self.function(predicted, targets, weights, progress, **self.settings)
        if losses.shape != weights.shape:
            raise InputError(
                f"the loss {self.name!r} returned a tensor of shape {tuple(losses.shape)}: expected "
                f"{tuple(weights.shape)}, one for each {'token' if self.form == 'tokens' else 'question'}"
            )
        return losses


def _as_type(value: Any, kind: type, where: str) -> Any:
    """A value of that type; a whole number is as good as one with a fraction, and true is no number."""
    if kind is float and type(value) is int:
        with suppress(OverflowError):
            value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{where} is {value!r}: expected {_KINDS[kind]}")
    return value


LOSSES: Registry[Loss] = Registry("loss")
"""The losses by name; those of the package are there once `w2s.training.losses` is imported, which needs torch."""


def register_loss(loss: Loss) -> Loss:
    """Let trainings name this loss.

    Raises:
        InputError: Another loss has the name already, a default is of a type that settings cannot have, or soft labels
            are to be changed that the loss never sees.
    """
    for name, value in loss.settings.items():
        if type(value) not in _KINDS:
            raise InputError(f"loss {loss.name!r}, setting {name!r} is {value!r}: expected a text, a number or a bool")
    if loss.relabel is not None and loss.form != "options":
        raise InputError(f"loss {loss.name!r} has a relabel and form {loss.form!r}: expected form 'options'")
    LOSSES.add(loss)
    return loss


def get_loss(name: str) -> Loss:
    """The loss of a name, with its own settings.

    Raises:
        InputError: There is none.
    """
    return LOSSES.find(name)
