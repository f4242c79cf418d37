"""A model ready to be loaded: its identity for the keys, and the step that converts it where one is needed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.config import ModelSpec
from w2s.models.source import resolve
from w2s.models.targets import check_targets, module_names
from w2s.step import Context, Json, Step

if TYPE_CHECKING:
    from w2s.models.load import LanguageModel

__all__ = ["CONVERSION", "PreparedModel", "convert", "loaded"]

logger = logging.getLogger(__name__)

CONVERSION = 1  # version of the conversion from GGUF


class PreparedModel:
    """A model that was found.

    Args:
        spec: Its name, and how it is held in memory.

    Attributes:
        name: As the user calls it.
        settings: What of it decides an outcome: its content, the dtype that it is computed in, its chat template.
        execution: Where it is and how it is held; no part of any key.
        inputs: The step that converts it from GGUF, as `model`; empty for any other model.

    Raises:
        InputError: There is no such model, or no such device.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._source = source = resolve(spec)
        dtype: str = spec.dtype
        if dtype == "auto":  # which means another one on another machine
            from w2s.models.device import choose_device, choose_dtype

            dtype = str(choose_dtype(spec.dtype, choose_device(spec.device))).removeprefix("torch.")
        fields = {name: value for name, value in asdict(spec).items() if name in ModelSpec.__dataclass_fields__}
        self.name = spec.name
        self.settings: dict[str, Json] = {
            "identity": source.identity,
            "dtype": dtype,
            "chat_template": spec.chat_template,
        }
        if spec.quantization == "4bit":
            from w2s.models.placement import FOUR_BITS

            self.settings["quantization"] = dict(FOUR_BITS)
        self.execution: dict[str, Json] = {
            "spec": fields,
            "location": source.location,
            "revision": source.revision,
        }
        self.inputs: dict[str, Step] = {}
        if source.gguf:
            self.inputs["model"] = Step(
                kind="model",
                label=f"{spec.name}: conversion from GGUF",
                settings={"identity": source.identity},
                inputs={},
                versions={"model": CONVERSION},
                execution={"parts": [str(part) for part in source.gguf], "sha256": source.sha256},
            )

    def check_targets(self, targets: str | Sequence[str]) -> None:
        """Make sure, as far as the model's files tell, that LoRA's targets name modules of it.

        Raises:
            InputError: One names none.
        """
        check_targets(f"model {self.name!r}", self._modules, targets)

    @cached_property
    def _modules(self) -> frozenset[str]:
        return module_names(self.name, self._source)


def convert(settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context) -> None:
    """Builds a step of kind `model`."""
    from w2s.models.gguf import convert_gguf

    parts = tuple(Path(part) for part in context.execution["parts"])
    convert_gguf(parts, out, sha256=settings["identity"].removeprefix("sha256:"))


def loaded(
    settings: Mapping[str, Any], execution: Mapping[str, Any], inputs: Mapping[str, Path], adapter: Path | None
) -> AbstractContextManager[LanguageModel]:
    """A prepared model in memory, with a trained adapter on it, for as long as the block lasts.

    Args:
        settings: `PreparedModel.settings`.
        execution: `PreparedModel.execution`.
        inputs: The folders of a step's inputs; `model` is the converted one, where the model is converted.
        adapter: A folder as peft saves it, or None for the model as it is.

    Raises:
        InputError: What lies there is no longer what was named.
    """
    from w2s.models.adapters import adapted
    from w2s.models.load import load_model

    spec = ModelSpec(**{**execution["spec"], "dtype": settings["dtype"], "chat_template": settings["chat_template"]})
    location = inputs["model"] if "model" in inputs else execution["location"]
    identity = None if "model" in inputs else settings["identity"]
    return adapted(load_model(location, spec, revision=execution["revision"], identity=identity), adapter)
