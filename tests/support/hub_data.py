"""The paper's four data sets as they lie on the hub: its names, splits and columns, with a few made-up rows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import datasets

from support.hub import Repository, dataset

__all__ = ["ROWS", "paper_data_sets"]

ROWS = 8  # of each split
_CHOICES = ("red", "green", "blue", "black")
_TEXT, _WHOLE = datasets.Value("string"), datasets.Value("int64")
_LETTER = datasets.ClassLabel(names=["A", "B", "C", "D"])
_HELLASWAG = ("activity_label", "ctx_a", "ctx_b", "ctx", "source_id", "split", "split_type", "label")

_FEATURES: Mapping[str, Mapping[str, Any]] = {
    "hellaswag": {"ind": datasets.Value("int32"), **dict.fromkeys(_HELLASWAG, _TEXT), "endings": [_TEXT]},
    "mmlu": {"question": _TEXT, "subject": _TEXT, "choices": [_TEXT], "answer": _LETTER},
    "gsm8k": {"question": _TEXT, "answer": _TEXT},
    "ethics": {"label": _WHOLE, "input": _TEXT},
}


def paper_data_sets() -> list[Repository]:
    """HellaSwag, MMLU, GSM8K and ETHICS.

    Every text begins with its split and number in brackets; what must not be read lies beside what must.
    """
    return [
        dataset("Rowan/hellaswag", _hellaswag()),
        dataset("cais/mmlu", _mmlu()),
        dataset("openai/gsm8k", _gsm8k()),
        dataset("hendrycks/ethics", _ethics(), branch="refs/convert/parquet", main={"ethics.py": b"raise SystemExit"}),
    ]


def _hellaswag() -> dict[str, bytes]:
    def row(split: str, number: int) -> dict[str, Any]:
        text = f"[{split} {number}] A painter mixes"
        return {
            "ind": number,
            "activity_label": "Painting",
            "ctx_a": text,
            "ctx_b": "",
            "ctx": text,
            "endings": list(_CHOICES),
            "source_id": f"activitynet~{split}{number}",
            "split": "val" if split == "validation" else split,
            "split_type": "indomain",
            "label": "" if split == "test" else str(number % 4),
        }

    splits = ("train", "validation", "test")
    files = {f"data/{split}-00000-of-00001.parquet": _parquet("hellaswag", split, row) for split in splits}
    return {**files, "README.md": _card({"default": {split: f"data/{split}-*" for split in splits}})}


def _mmlu() -> dict[str, bytes]:
    def row(split: str, number: int) -> dict[str, Any]:
        subject = "" if split == "auxiliary_train" else "anatomy"
        question = f"[{split} {number}] Which colour?"
        return {"question": question, "subject": subject, "choices": list(_CHOICES), "answer": number % 4}

    configs = {"all": ("auxiliary_train", "test", "validation", "dev"), "anatomy": ("test", "validation", "dev")}
    files = {
        f"{config}/{split}-00000-of-00001.parquet": _parquet("mmlu", split, row)
        for config, splits in configs.items()
        for split in splits
    }
    card = {config: {split: f"{config}/{split}-*" for split in splits} for config, splits in configs.items()}
    return {**files, "README.md": _card(card)}


def _gsm8k() -> dict[str, bytes]:
    configs, splits = ("main", "socratic"), ("train", "test")

    def row(split: str, number: int) -> dict[str, Any]:
        return {
            "question": f"[{split} {number}] How many?",
            "answer": f"It is <<{number}+1={number + 1}>>.\n#### {number + 1}",
        }

    files = {
        f"{config}/{split}-00000-of-00001.parquet": _parquet("gsm8k", split if config == "main" else config, row)
        for config in configs
        for split in splits
    }
    return {**files, "README.md": _card({one: {split: f"{one}/{split}-*" for split in splits} for one in configs})}


def _ethics() -> dict[str, bytes]:
    """The branch that the hub itself writes: the authors' cm_test is validation there, and cm_test_hard is test."""

    def row(split: str, number: int) -> dict[str, Any]:
        return {"label": number % 2, "input": f"[{split} {number}] I painted the door."}

    there = {"train": "train", "validation": "cm_test", "test": "cm_test_hard"}
    files = {f"commonsense/{split}/0000.parquet": _parquet("ethics", text, row) for split, text in there.items()}
    return {**files, "justice/train/0000.parquet": _parquet("ethics", "justice", row)}


def _parquet(name: str, split: str, row: Any) -> bytes:
    table = datasets.Dataset.from_list(
        [row(split, number) for number in range(ROWS)], features=datasets.Features(_FEATURES[name])
    )
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def _card(configs: Mapping[str, Mapping[str, str]]) -> bytes:
    """A card that says which files belong to which split of which configuration."""
    lines = ["---", "configs:", *_lines(configs.items()), "---", "# A data set", ""]
    return "\n".join(lines).encode()


def _lines(configs: Iterable[tuple[str, Mapping[str, str]]]) -> Sequence[str]:
    return [
        line
        for name, splits in configs
        for line in (
            f"- config_name: {name}",
            "  data_files:",
            *(f"  - split: {split}\n    path: {path}" for split, path in splits.items()),
        )
    ]
