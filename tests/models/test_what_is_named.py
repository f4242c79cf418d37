"""What is loaded is what was named, whole and as it is now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.experiments import SIZES, in_splits, questions, write_rows
from support.gguf import write_gguf
from w2s.config import ModelSpec, TaskSpec
from w2s.errors import InputError
from w2s.models.gguf import convert_gguf
from w2s.pipeline import stages
from w2s.store import Store


@pytest.mark.parametrize("without", ["blk.1", "output_norm", "blk.0.attn_q"])
def test_the_first_part_of_a_split_gguf_is_refused(without: str, tiny_llama: Path, tmp_path: Path) -> None:
    part = write_gguf(tiny_llama, tmp_path / "tiny-00001-of-00002.gguf", without=without)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"00001-of-00002\.gguf.* missing, and would be random numbers") as caught:
        convert_gguf((part,), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_model_that_is_replaced_in_its_place_is_asked_anew(tiny_llama: Path, tiny_qwen: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    task, store = TaskSpec(name="file", data=data, num_variations=2, **SIZES), Store(tmp_path / "store")
    place = tmp_path / "model"

    def logprobs(folder: Path) -> list[list[float]]:
        table = stages.label(task, ModelSpec(name=str(folder), dtype="float32"), store=store)
        found: list[list[float]] = table["choice_logprobs"].to_pylist()
        return found

    shutil.copytree(tiny_llama, place)
    first = logprobs(place)
    shutil.rmtree(place)
    shutil.copytree(tiny_qwen, place)
    assert logprobs(place) == logprobs(tiny_qwen) != first
