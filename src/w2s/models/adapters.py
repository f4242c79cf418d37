"""A model with a trained adapter on it, which is one of this model, whole, or refused."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from w2s.errors import InputError
from w2s.models.bundled import BUNDLED
from w2s.models.checks import check_depth, check_finite, check_same_tensors
from w2s.models.load import LanguageModel

__all__ = ["adapted"]

logger = logging.getLogger(__name__)


@contextmanager
def adapted(base: LanguageModel, adapter: Path | None) -> Iterator[LanguageModel]:
    """The model with a trained adapter on it, for as long as the block lasts; the base stays loaded.

    Args:
        base: The model.
        adapter: A folder as peft saves it, or None for the model as it is.

    Raises:
        InputError: The adapter is damaged, or was trained on another model.
    """
    if adapter is None:
        yield base
        return
    from peft import PeftConfig, get_peft_model
    from peft.utils import get_peft_model_state_dict

    own = set(base.model.parameters())
    wrong = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
    try:
        with warnings.catch_warnings(record=True) as said:  # of settings that this version of peft does not know
            warnings.simplefilter("always")
            config = PeftConfig.from_pretrained(str(adapter))
        for warning in said:
            logger.warning("adapter %s: %s", adapter, " ".join(str(warning.message).split())[:300])
        config.inference_mode = True
        _check_base(adapter, config, base)
        config.base_model_name_or_path = None  # checked: peft would warn of the name of any other folder
        tuned = get_peft_model(base.model, config, autocast_adapter_dtype=False)
    except wrong as error:
        raise _unfit(adapter, error) from None
    try:
        try:
            given = load_file(adapter / "adapter_model.safetensors")
        except wrong as error:
            raise _unfit(adapter, error) from None
        expected = {name: tensor.shape for name, tensor in get_peft_model_state_dict(tuned).items()}
        what = f"adapter {adapter}"
        check_same_tensors({name: tensor.shape for name, tensor in given.items()}, expected, what)
        check_finite(given.items(), what)
        if config.layers_to_transform is None and not isinstance(config.target_modules, str):
            check_depth(given, base.model, what)
        try:
            tuned.load_adapter(str(adapter), "default", autocast_adapter_dtype=False)
        except wrong as error:
            raise _unfit(adapter, error) from None
        for parameter in tuned.parameters():
            if parameter not in own:  # the model's may be packed; of one that is spread, each layer has its device
                parameter.data = parameter.data.to(None if base.spread_over else base.device, base.dtype)
        tuned.eval()
        yield replace(base, model=tuned)
    finally:
        tuned.unload()


def _check_base(adapter: Path, config: Any, base: LanguageModel) -> None:
    """Make sure that an adapter is of this model, where both have a name that others know them by."""
    of = config.base_model_name_or_path
    of_folder = of not in BUNDLED and "/" not in str(of)
    if not of or base.public_name is None or of_folder or Path(of).is_absolute() or of.startswith(("~", ".")):
        return  # a folder may hold anything; names, shapes and depth are compared below
    if of != base.public_name:
        raise InputError(f"adapter {adapter} was trained on {of!r}, not on {base.public_name!r}: expected that model")


def _unfit(adapter: Path, error: Exception) -> InputError:
    return InputError(f"adapter {adapter} cannot be put on this model: {' '.join(str(error).split())[:300]}")
