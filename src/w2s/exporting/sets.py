"""A training set in the form of another trainer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from w2s.errors import InputError, unknown_name
from w2s.exporting.draws import drawn_counts
from w2s.files import written_beside
from w2s.tables import TRAINING_SET, check

__all__ = ["FORMS", "ExportedSet", "Weights", "export_training_set"]

Weights = Literal["refuse", "draw"]
_SUFFIXES = (".jsonl", ".json")


@dataclass(frozen=True, kw_only=True)
class ExportedSet:
    """What was written.

    Attributes:
        file: The file.
        rows: Rows in it.
        rows_in: Rows of the training set.
        drawn: Whether weights became repeated rows.
        left_out: Rows of the training set of which there is none in the file.
    """

    file: Path
    rows: int
    rows_in: int
    drawn: bool
    left_out: int


def _trl(prompt: str, completion: str) -> dict[str, Any]:
    """Prompt and completion of TRL: two texts, of which the second begins with its own space."""
    return {"prompt": prompt, "completion": completion}


def _openai(prompt: str, completion: str) -> dict[str, Any]:
    """A chat of two messages, the form that OpenAI fine-tunes on and that many trainers take for a chat model."""
    answer = {"role": "assistant", "content": completion.lstrip()}
    return {"messages": [{"role": "user", "content": prompt}, answer]}


def _alpaca(prompt: str, completion: str) -> dict[str, Any]:
    """Stanford Alpaca's three fields; whoever reads them puts a template of their own around."""
    return {"instruction": prompt, "input": "", "output": completion.lstrip()}


FORMS: Mapping[str, Callable[[str, str], dict[str, Any]]] = {"trl": _trl, "openai": _openai, "alpaca": _alpaca}
"""A row of a training set in the form of other trainers, by name."""


def export_training_set(
    training_set: pa.Table,
    out: str | Path,
    *,
    form: str,
    weights: Weights = "refuse",
    rows: int | None = None,
    seed: int = 0,
) -> ExportedSet:
    """Write a training set as another trainer reads it: a row a line, or a JSON array where the name ends in .json.

    Other trainers read no weights. Where they differ, the set is refused, or its rows are repeated in proportion to
    them (`draws.drawn_counts`): on average over seeds, the plain loss of such rows is the weighted loss of the set.

    Args:
        training_set: With `prompt` and `completion`; `weight` is 1 where it is missing.
        out: The file: .jsonl or .json.
        form: One of `FORMS`.
        weights: Weights that differ are a reason to refuse ("refuse"), or become repeated rows ("draw").
        rows: How many rows are drawn; by default as many as have a weight above 0.
        seed: Of the draw.

    Raises:
        InputError: The training set is none, its weights differ and are not to be drawn, or the form is unknown.
    """
    if form not in FORMS:
        raise unknown_name("form of a training set", form, FORMS)
    file = Path(out).expanduser()
    if file.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{file}: expected a file named {' or '.join(f'*{suffix}' for suffix in _SUFFIXES)}")
    prompts, completions, given = _columns(training_set)
    used = given > 0
    if not used.any():
        raise InputError(f"the training set has no row with a weight above 0 (of {len(given)} rows)")
    lowest, highest = float(given[used].min()), float(given[used].max())
    differ = not np.isclose(lowest, highest, rtol=1e-6, atol=0)
    if differ and weights == "refuse":
        raise InputError(
            f"the training set has weights from {lowest:g} to {highest:g}, which other trainers do not read: expected "
            "--weights draw, which repeats its rows in proportion to them"
        )
    drawn = differ or rows is not None
    if drawn and weights == "refuse":
        raise InputError(f"rows is {rows}, and nothing is drawn: expected --weights draw with it")
    counts = drawn_counts(given, int(used.sum()) if rows is None else rows, seed=seed) if drawn else used.astype(int)
    written = [
        FORMS[form](prompt, completion)
        for prompt, completion, count in zip(prompts, completions, counts.tolist(), strict=True)
        for _ in range(count)
    ]
    _write(written, file)
    return ExportedSet(file=file, rows=len(written), rows_in=len(given), drawn=drawn, left_out=int((counts == 0).sum()))


def _columns(table: pa.Table) -> tuple[list[str], list[str], np.ndarray[Any, np.dtype[np.float64]]]:
    """Prompts, completions and weights.

    Raises:
        InputError: A column is missing or of another type, or a value is missing.
    """
    table = check(table, TRAINING_SET, name="training set", required=["prompt", "completion"])
    weights = table["weight"].to_pylist() if table["weight"].null_count < table.num_rows else [1.0] * table.num_rows
    prompts, completions = table["prompt"].to_pylist(), table["completion"].to_pylist()
    for name, values in (("prompt", prompts), ("completion", completions), ("weight", weights)):
        for row, value in enumerate(values):
            if value is None or (name == "completion" and not value.strip()):
                raise InputError(f"training set, row {row + 1}, column {name!r}: expected a value")
            if name == "weight" and not 0 <= value < np.inf:
                raise InputError(f"training set, row {row + 1}: weight is {value}, expected a number of 0 or more")
    return prompts, completions, np.array(weights, np.float64)


def _write(rows: list[dict[str, Any]], file: Path) -> None:
    """Write rows; the file is whole at once, or stays as it was."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    array = file.suffix.lower() == ".json"
    with written_beside(file) as target:
        target.write(
            ("[\n" + ",\n".join(lines) + "\n]\n" if array else "".join(f"{line}\n" for line in lines)).encode()
        )
