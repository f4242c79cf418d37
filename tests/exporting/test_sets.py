"""Training sets as other trainers read them."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import load_dataset

from support.commands import refused
from support.training import training_set
from w2s.cli import main
from w2s.errors import InputError
from w2s.exporting.sets import FORMS, export_training_set
from w2s.tables import write_table

TWO = pa.table({"prompt": ["2+2=", "3+3="], "completion": [" 4", " 6"]})


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def test_each_form_is_that_of_its_trainer(tmp_path: Path) -> None:
    found = {}
    for form in FORMS:
        export_training_set(TWO, tmp_path / f"{form}.jsonl", form=form)
        found[form] = rows_of(tmp_path / f"{form}.jsonl")[0]
    assert found == {
        "trl": {"prompt": "2+2=", "completion": " 4"},
        "openai": {"messages": [{"role": "user", "content": "2+2="}, {"role": "assistant", "content": "4"}]},
        "alpaca": {"instruction": "2+2=", "input": "", "output": "4"},
    }


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@pytest.mark.parametrize("form", FORMS)
def test_datasets_load_every_row_again(form: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"set{suffix}"
    written = export_training_set(training_set(), file, form=form)
    loaded = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == rows_of(file)
    assert written.rows == written.rows_in == len(loaded) == 10 and not written.drawn and written.left_out == 0


def test_weights_that_differ_are_refused_or_drawn(tmp_path: Path) -> None:
    weights = [0.5, 2.0, 0.0, 1, 1, 1, 1, 1, 1, 1]
    table, file = training_set(weights), tmp_path / "set.jsonl"
    with pytest.raises(InputError, match=r"weights from 0\.5 to 2, which other trainers do not read"):
        export_training_set(table, file, form="trl")
    assert not file.exists()
    written = export_training_set(table, file, form="trl", weights="draw", rows=19, seed=3)
    counts = Counter(row["prompt"] for row in rows_of(file))
    assert [counts[prompt] for prompt in table["prompt"].to_pylist()] == [1, 4, 0, 2, 2, 2, 2, 2, 2, 2]
    assert written.drawn and written.rows == 19 and written.left_out == 1
    first = file.read_bytes()
    export_training_set(table, file, form="trl", weights="draw", rows=19, seed=3)
    assert file.read_bytes() == first


def test_weights_that_are_all_the_same_are_none(tmp_path: Path) -> None:
    written = export_training_set(training_set([0.25] * 9 + [0]), tmp_path / "set.jsonl", form="trl", weights="draw")
    assert written.rows == 9 and not written.drawn


@pytest.mark.parametrize(
    ("table", "name", "form", "message"),
    [
        (TWO, "set.csv", "trl", r"expected a file named \*\.jsonl"),
        (TWO, "set.jsonl", "tlr", "did you mean 'trl'"),
        (TWO.drop_columns(["prompt"]), "set.jsonl", "trl", "has no column 'prompt'"),
        (pa.table({"prompt": ["a"], "completion": [" "]}), "set.jsonl", "trl", "row 1, column 'completion'"),
        (training_set([0.0] * 10), "set.jsonl", "trl", "no row with a weight above 0"),
        (training_set([-1.0] * 10), "set.jsonl", "trl", "row 1: weight is -1"),
    ],
)
def test_what_is_no_training_set_is_refused(
    table: pa.Table, name: str, form: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        export_training_set(table, tmp_path / name, form=form)


def test_the_command_says_what_it_wrote_and_never_overwrites_the_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(training_set([1.0] * 9 + [3]), given := tmp_path / "train.jsonl")
    main(["export", str(given), "--for", "trl", "--weights", "draw", "--seed", "1", "--out", str(tmp_path / "a.jsonl")])
    assert "10 rows for trl, drawn in proportion to the weights with seed 1" in capsys.readouterr().out
    before = given.read_bytes()
    for words, message in (
        (["--for", "trl", "--out", str(given)], "which is read as well: expected another file"),
        (["--out", str(tmp_path / "b.jsonl")], "expected --for with one of trl, openai, alpaca"),
        (["--for", "trl", "--seed", "1", "--out", str(tmp_path / "b.jsonl")], "--seed is 1, and nothing is drawn"),
        (["--merge", "--for", "trl", "--out", str(tmp_path / "b.jsonl")], "--merge is for a student"),
    ):
        assert message in refused(["export", str(given), *words], capsys)
    assert given.read_bytes() == before


@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed")
def test_trl_learns_from_the_completions_and_from_nothing_else(tiny_llama: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    export_training_set(training_set(), tmp_path / "set.jsonl", form="trl")
    rows = load_dataset(
        "json", data_files=str(tmp_path / "set.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    settings = SFTConfig(
        output_dir=str(tmp_path / "sft"), max_steps=1, save_strategy="no", report_to="none", bf16=False, use_cpu=True,
        per_device_train_batch_size=10, gradient_checkpointing=False, disable_tqdm=True,
    )  # fmt: skip
    trainer = SFTTrainer(model=str(tiny_llama), train_dataset=rows, args=settings)
    (batch,) = trainer.get_train_dataloader()
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    supervised = {
        tokenizer.decode([token for token in labels.tolist() if token >= 0], skip_special_tokens=True)
        for labels in batch["labels"]
    }
    assert supervised == set(training_set()["completion"].to_pylist())
