"""How large a model is, from the headers of its files or its name alone. No weights are read, no torch, no hub."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["ModelSize", "size_of", "tensor_shapes"]

_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight", "token_embd.weight")
_HEADS = ("lm_head.weight", "embed_out.weight")
_GGUF_HEAD = "output.weight"
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|blk)\.(\d+)\.")
_GGUF_HEADER = 64 << 20  # bytes: the vocabulary is in it
_IN_NAME = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """How large a model is.

    Attributes:
        total: Parameters.
        head: Those of the output head, which only the positions go through that are read.
        layers: Those that every token goes through: all but head and embedding.
        depth: Layers; 0 if that is not known.
        width: Of a layer; 0 if that is not known.
        source: Where this is known from: the files, the configuration, or only the name.
    """

    total: int
    head: int
    layers: int
    depth: int = 0
    width: int = 0
    source: Literal["files", "config", "name"]


def size_of(name: str, *, folder: Path | None = None, gguf: Sequence[Path] = ()) -> ModelSize | None:
    """The size of a model.

    Args:
        name: As the user calls it.
        folder: Where its files are, if they are here: a model as `save_pretrained` writes it.
        gguf: Its GGUF file, in parts.

    Returns:
        From the headers of safetensors or GGUF where these are here, else from `config.json`, else from the name
        ("7b", "270m"); None where none of them tells.
    """
    shapes = tensor_shapes(folder=folder, gguf=gguf)
    return _of_shapes(shapes) or (_of_config(folder) if folder is not None else None) or _of_name(name)


def tensor_shapes(*, folder: Path | None = None, gguf: Sequence[Path] = ()) -> Shapes:
    """The shapes of a model's tensors by their names, from the headers of its files; empty where these are damaged.

    Args:
        folder: Of safetensors.
        gguf: A GGUF file, in parts; a folder counts first.
    """
    if folder is not None:
        return _safetensors_shapes(folder)
    return _gguf_shapes(tuple(gguf)) if gguf else {}


def _of_shapes(shapes: Shapes) -> ModelSize | None:
    if not shapes:
        return None
    total = sum(math.prod(shape) for shape in shapes.values())
    embedding = next((shape for name, shape in shapes.items() if name.endswith(_EMBEDDINGS)), None)
    own_head = [shape for name, shape in shapes.items() if name.endswith(_HEADS) or name == _GGUF_HEAD]
    embedded = math.prod(embedding) if embedding else 0
    head = math.prod(own_head[0]) if own_head else embedded
    numbers = {int(found[1]) for name in shapes if (found := _LAYER.search(name))}
    return ModelSize(
        total=total,
        head=head,
        layers=total - embedded - (head if own_head else 0),
        depth=len(numbers),
        width=min(embedding) if embedding else 0,
        source="files",
    )


def _safetensors_shapes(folder: Path) -> dict[str, list[int]]:
    shapes: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(length, 100 << 20)))
            shapes |= {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}
        except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
            return {}  # a damaged file is refused where it is loaded
    return shapes


@lru_cache(maxsize=8)
def _gguf_shapes(parts: tuple[Path, ...]) -> dict[str, list[int]]:
    """The tensors' shapes in the header of a GGUF file (version 2 or 3 of the format), in parts; empty if damaged."""
    try:
        return _GgufHeader(_first_bytes(parts, _GGUF_HEADER)).shapes()
    except (OSError, struct.error, ValueError, KeyError, OverflowError):
        return {}


def _first_bytes(parts: Sequence[Path], count: int) -> bytes:
    found = b""
    for part in parts:
        with part.open("rb") as file:
            found += file.read(count - len(found))
    return found


class _GgufHeader:
    """Walks a header: counts, then metadata to be skipped, then a name, shape, type and offset for each tensor."""

    _SIZES: Mapping[int, int] = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    _STRING, _ARRAY = 8, 9

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def shapes(self) -> dict[str, list[int]]:
        if self._data[:4] != b"GGUF":
            raise ValueError("no GGUF file")
        self._at = 8
        tensors, entries = self._number("<Q"), self._number("<Q")
        for _ in range(entries):
            self._skip_text()
            self._skip_value(self._number("<I"))
        found = {}
        for _ in range(tensors):
            name = self._text()
            found[name] = [self._number("<Q") for _ in range(self._number("<I"))]
            self._at += 12
        return found

    def _number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def _text(self) -> str:
        length = self._number("<Q")
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def _skip_text(self) -> None:
        length = self._number("<Q")
        self._at += length

    def _skip_value(self, kind: int) -> None:
        if kind == self._STRING:
            self._skip_text()
        elif kind == self._ARRAY:
            inner, count = self._number("<I"), self._number("<Q")
            if inner in self._SIZES:
                self._at += count * self._SIZES[inner]
            else:
                for _ in range(count):
                    self._skip_value(inner)
        else:
            self._at += self._SIZES[kind]


def _of_config(folder: Path) -> ModelSize | None:
    """What a configuration of Llama's kind comes to: four projections of attention, three of the gated layer."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = config.get("text_config", config)
        width, depth, vocabulary = config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]
        heads = config["num_attention_heads"]
        size = config.get("head_dim") or width // heads
        attention = 2 * width * size * (heads + (config.get("num_key_value_heads") or heads))
        layers = depth * (attention + 3 * width * config["intermediate_size"])
        head = vocabulary * width
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None
    embedded = head if config.get("tie_word_embeddings") else 2 * head
    return ModelSize(total=layers + embedded, head=head, layers=layers, depth=depth, width=width, source="config")


def _of_name(name: str) -> ModelSize | None:
    """What a name says: "7b" is 7e9, "270m" 270e6, "8x7b" eight times 7e9. The embedding in it is not known."""
    found = _IN_NAME.search(name.split("/")[-1])
    if found is None:
        return None
    total = round(int(found[1] or 1) * float(found[2]) * (1e9 if found[3].lower() == "b" else 1e6))
    return ModelSize(total=total, head=0, layers=total, source="name") if total else None
