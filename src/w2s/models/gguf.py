"""A GGUF file as a folder of safetensors, which loads like any other model."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from functools import cache
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging as transformers_logging

from w2s.errors import InputError
from w2s.models.checks import check_finite, check_whole

__all__ = ["convert_gguf"]

transformers_logging.disable_progress_bar()


def convert_gguf(parts: tuple[Path, ...], out: Path, *, sha256: str | None = None) -> None:
    """Turn a GGUF file into a folder that loads like any other: safetensors in bfloat16, config, tokenizer.

    Args:
        parts: The file, in parts that are joined in this order.
        out: An existing folder to write into.
        sha256: What the joined file's hash must be, where it is known.

    Raises:
        InputError: The file is damaged, or not one that transformers can convert.
    """
    joined = out / "model.gguf"
    digest = hashlib.sha256()
    with joined.open("wb") as target:
        for part in parts:
            with part.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
                    target.write(block)
    if sha256 is not None and digest.hexdigest() != sha256:
        joined.unlink()
        raise InputError(
            f"{parts[0]} is damaged: expected sha256 {sha256}, found {digest.hexdigest()}; install it again"
        )
    try:
        # Its bars have no switch, and would break into the lines of progress.
        with redirect_stderr(io.StringIO()), _quick_gguf():
            tokenizer = AutoTokenizer.from_pretrained(out, gguf_file=joined.name)
            # Without dequantize=True the model is dense but marked as quantized, and cannot be saved or trained.
            model, info = AutoModelForCausalLM.from_pretrained(
                out,
                gguf_file=joined.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.bfloat16,
                output_loading_info=True,
            )
        check_whole(info, str(parts[0]))
        check_finite(model.named_parameters(), str(parts[0]))
    except InputError:
        raise
    except Exception as error:  # the reader of a damaged file may fail in any way
        raise InputError(f"{parts[0]} cannot be converted: {' '.join(str(error).split())}") from None
    finally:
        joined.unlink()
    model.config._name_or_path = ""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


@contextmanager
def _quick_gguf() -> Iterator[None]:
    """Let transformers parse a file's header once and not three times, and name its tensors once, not per module."""
    import gguf

    class Reader(gguf.GGUFReader):
        # Every slice of a memmap runs Python code, and a header is read in slices by the million.
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, np.asarray(value) if isinstance(value, np.memmap) else value)

    # transformers looks both up in the module at each call; should it no longer, this changes nothing.
    quick = {"GGUFReader": cache(Reader), "get_tensor_name_map": cache(gguf.get_tensor_name_map)}
    usual = {name: getattr(gguf, name) for name in quick}
    vars(gguf).update(quick)
    try:
        yield
    finally:
        vars(gguf).update(usual)
