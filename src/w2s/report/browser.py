"""The questions, answers and selections of a run as data for the page's question browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

import numpy as np

from w2s.gold import Gold, are_right
from w2s.report.reading import Run, SeedFiles
from w2s.report.words import visible

__all__ = ["MAX_BYTES", "Browser", "browser_data"]

MAX_BYTES = 9_000_000  # of the data in a page: opens at once, and can still be sent by mail
MAX_CHARACTERS = 4_000  # of a single text; one endless prompt must not push out a thousand questions

_COLUMNS = ["question_id", "variation", "prompt", "response", "answer", "entropy", "confidence", "vote_share"]


@dataclass(frozen=True, kw_only=True)
class Browser:
    """What the question browser shows.

    Attributes:
        json: The data, safe inside a `<script>` element.
        shown: Questions in it.
        total: Questions there are.
        truncated: Texts that were cut.
        methods: Those that kept a selection of questions, in the order of the bits of `kept`.
    """

    json: str
    shown: int
    total: int
    truncated: int
    methods: Sequence[str]


def browser_data(run: Run, *, max_bytes: int = MAX_BYTES) -> Browser:
    """Collect questions until the data is as large as a page can be; drawn blindly, but always the same.

    Args:
        run: The run.
        max_bytes: How large the data may become.
    """
    # A bound keeps none of the answers: it learns from ground truth.
    names = [record.method for record in run.result.pooled if record.role not in ("bound", "supervisor")]
    methods = [name for name in names if any(name in seed.training_sets for seed in run.seeds)]
    texts = run.texts
    writers = [_SeedWriter(seed, methods, run.gold) for seed in run.seeds]
    ids = list(dict.fromkeys(id for writer in writers for id in writer.rows))
    pieces: dict[int, str] = {}
    size = truncated = 0
    for index in np.random.default_rng(0).permutation(len(ids)).tolist():
        id = ids[index]
        clip = _Clip()
        question = {
            "id": clip(id),
            "text": clip(texts.get(id) or ""),
            "gold": clip(run.gold.get(id)),
            "runs": [writer.question(id, clip) for writer in writers],
        }
        piece = _dumps(question)
        size += len(piece.encode())
        if size > max_bytes:
            break
        pieces[index] = piece
        truncated += clip.count
    head = _dumps({"seeds": [seed.seed for seed in run.seeds], "methods": [visible(name) for name in methods]})
    body = ",\n".join(piece for _, piece in sorted(pieces.items()))
    return Browser(
        json=f'{head[:-1]},"questions":[\n{body}\n]}}',
        shown=len(pieces),
        total=len(ids),
        truncated=truncated,
        methods=methods,
    )


class _SeedWriter:
    """One seed's rows by question, and which methods kept them."""

    def __init__(self, seed: SeedFiles, methods: Sequence[str], gold: Gold) -> None:
        self.gold = gold
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for row in seed.scored.select(_COLUMNS).to_pylist():
            self.rows.setdefault(row["question_id"], []).append(row)
        self.kept: dict[tuple[str, int | None], int] = {}  # bits of the methods, by question and variation
        for bit, name in enumerate(methods):
            table = seed.training_sets.get(name)
            if table is None:
                continue
            for id, variation in zip(table["question_id"].to_pylist(), table["variation"].to_pylist(), strict=True):
                for key in ((id, variation), (id, None)):
                    self.kept[key] = self.kept.get(key, 0) | 1 << bit

    def question(self, id: str, clip: _Clip) -> dict[str, Any] | None:
        """What one question shows; the parts that its prompts share are there once."""
        rows = self.rows.get(id)
        if rows is None:
            return None
        prompts = [clip(row["prompt"] or "") or "" for row in rows]
        start = _shared(prompts)
        rests = [prompt[len(start) :] for prompt in prompts]
        end = _shared([rest[::-1] for rest in rests])[::-1]
        truth = self.gold.get(id)
        return {
            "entropy": round(rows[0]["entropy"], 4) + 0.0,
            "kept": self.kept.get((id, None), 0),
            "start": start,
            "end": end,
            "answers": [
                {
                    "n": row["variation"],
                    "prompt": rest[: len(rest) - len(end)],
                    "said": clip(row["response"]),
                    "answer": clip(row["answer"]),
                    "right": None if truth is None else are_right([id], [row["answer"]], self.gold)[0],
                    "r": round(row["confidence"], 4),
                    "share": round(row["vote_share"], 4),
                    "kept": self.kept.get((id, row["variation"]), 0),
                }
                for row, rest in zip(rows, rests, strict=True)
            ],
        }


class _Clip:
    """Cuts long texts, makes control characters visible, and counts the cuts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, text: str | None) -> str | None:
        if text is None:
            return None
        if len(text) > MAX_CHARACTERS:
            self.count += 1
            text = f"{text[:MAX_CHARACTERS]}… ({len(text) - MAX_CHARACTERS:,} more characters)"
        return visible(text)


def _shared(texts: list[str]) -> str:
    """What all texts begin with; nothing for a single one."""
    return commonprefix(texts) if len(texts) > 1 else ""  # noqa: RUF071 - of texts, not of paths


def _dumps(value: Any) -> str:
    # An escaped `<` can neither end the script element nor open a comment in it.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
