"""distilabel: a data set of what models generated: `instruction`, `generation`, `model_name`, `distilabel_metadata`.

With `group_generations`, `generation` and `model_name` are a list or a name for all; what `GroupColumns` joins is in
`generations` and `generation_models`, or in `grouped_generation` and `grouped_model_name`. `TextClassification`
writes `labels`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from w2s.reading.cells import text_of
from w2s.reading.exports.base import Export, File, Format, Given, Item, Wanted, one_of, reading_row, row_error, texts_in

__all__ = ["FORMAT"]

_MODELS: Mapping[str, tuple[str, ...]] = {
    "generation": ("model_name",),
    "generations": ("generation_models", "generation_model", "model_name"),
    "grouped_generation": ("grouped_model_name", "model_name"),
    "labels": ("model_name",),
}
"""The columns of answers, and where each has the names of the models: the first that is there."""

_METADATA = "distilabel_metadata"


def _recognizes(columns: Collection[str]) -> bool:
    answers = [name for name in _MODELS if name in columns]
    if _METADATA in columns:
        return bool(answers)
    return any(model in columns for name in answers if name != "labels" for model in _MODELS[name])


def _read(files: Sequence[File], wanted: Wanted) -> Export:
    rows = [row for file in files for row in file.rows.cells]
    there = [name for name in _MODELS if any(row.get(name) is not None for row in rows)]
    column = one_of(files, there, wanted.answer, what="columns of what was generated")
    items: list[Item] = []
    answers: list[Given] = []
    counts: Counter[str] = Counter()
    for file in files:
        of_models = [wanted.who] if wanted.who else [name for name in _MODELS[column] if name in file.rows.columns]
        for number, row in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                fields = _fields(row, {column, *of_models})
                own = next(
                    (fields[name] for name in ("instruction", "messages", "text") if name in fields), str(number)
                )
                items.append(Item(own=own, fields=fields))
                for text, model in _generations(file, number, row, column, of_models[0] if of_models else None):
                    counts["without a generation"] += text is None
                    answers.append(Given(len(items) - 1, model or file.name, text))
    return Export(items=items, answers=answers, counts=counts, written=column != "labels")


def _generations(
    file: File, number: int, row: Mapping[str, Any], column: str, of_models: str | None
) -> list[tuple[str | None, str | None]]:
    """Each generation of a row, and who made it."""
    texts = row.get(column)
    texts = texts if isinstance(texts, list) else [texts]
    models = row.get(of_models) if of_models else None
    models = models if isinstance(models, list) else [models] * len(texts)
    if len(models) != len(texts):
        raise row_error(file, number, f"a model for each of {len(texts)} generations, it has {len(models)}")
    return [(text_of(text), text_of(model)) for text, model in zip(texts, models, strict=True)]


def _fields(row: Mapping[str, Any], left_out: Collection[str]) -> dict[str, str]:
    fields = texts_in({name: cell for name, cell in row.items() if name not in left_out})
    turns = row.get("messages")
    if isinstance(turns, list) and turns and isinstance(turns[-1], dict) and isinstance(turns[-1].get("content"), str):
        fields["messages"] = turns[-1]["content"]
    return fields


FORMAT = Format(
    name="distilabel",
    title="a distilabel data set",
    asked="instructions",
    own="instruction",
    by_people=False,
    recognizes=_recognizes,
    read=_read,
    flat=lambda columns: not {"generations", "grouped_generation", "labels"} & set(columns),
)
