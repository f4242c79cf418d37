"""A model ready to be loaded: its identity for the keys, and the step that converts it where one is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from w2s.config import ModelSpec
from w2s.models.source import resolve
from w2s.store import Build, Json, Step

if TYPE_CHECKING:
    from w2s.models.load import LanguageModel

__all__ = ["PreparedModel"]


class PreparedModel:
    """A model that was found.

    Args:
        spec: Its name, and how it is held in memory.

    Attributes:
        spec: The same.
        settings: What of it decides an outcome: its content, dtype and chat template, not its device.
        inputs: The step that converts it from GGUF, as `model`; empty for any other model.

    Raises:
        InputError: There is no such model.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._source = resolve(spec)
        self.settings: dict[str, Json] = {
            "identity": self._source.identity,
            "dtype": spec.dtype,
            "chat_template": spec.chat_template,
        }
        self.inputs: dict[str, Step] = {}
        if self._source.gguf:
            self.inputs["model"] = Step(
                kind="model",
                label=f"{spec.name}: conversion from GGUF",
                settings={"identity": self._source.identity},
                inputs={},
                build=self._convert,
            )

    def _convert(self, build: Build) -> None:
        from w2s.models.load import convert_gguf

        convert_gguf(self._source.gguf, build.out, sha256=self._source.sha256)

    def loaded(
        self, inputs: Mapping[str, Path], adapter: Path | None, say: Callable[[str], None]
    ) -> AbstractContextManager[LanguageModel]:
        """The model in memory, with a trained adapter on it, for as long as the block lasts.

        Args:
            inputs: The folders of the steps in `self.inputs`, by name; others are not looked at.
            adapter: A folder as peft saves it, or None for the model as it is.
            say: Is told the device and dtype.
        """
        from w2s.models.load import adapted, load_model

        location = inputs["model"] if self.inputs else self._source.location
        return adapted(load_model(location, self.spec, revision=self._source.revision, say=say), adapter)
