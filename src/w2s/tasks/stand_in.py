"""Made-up rows for a plan, where a data set is on the hub and the hub is not asked: as many and as long as its own."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s.config import TaskSpec
from w2s.tasks.drawing import DEFAULT_SIZES
from w2s.tasks.questions import Pool
from w2s.tasks.records import Hub, Record

__all__ = ["is_cached", "stand_in"]

_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "xe", "zu")
_WORDS = ["".join(pair) for pair in itertools.product(_SYLLABLES, repeat=2)]  # one for each byte
_UNLIKE = 6
_OPTIONS = 4
_SHORT = 0.54  # of the stories of ETHICS

Row = dict[str, Any]


@dataclass(frozen=True)
class _Shape:
    """How many rows the splits of a data set have, and how one looks; lengths are means of the real ones, in words."""

    rows: Mapping[str, int]
    row: Callable[[random.Random], Row]


def _words(rng: random.Random, count: int) -> str:
    """A text of so many words, unlike any other at its beginning."""
    return " ".join([_WORDS[byte] for byte in rng.randbytes(_UNLIKE)]) + " word" * (count - _UNLIKE)


def _hellaswag(rng: random.Random) -> Row:
    endings = [_words(rng, 14) for _ in range(_OPTIONS)]
    return {"ctx": _words(rng, 24), "endings": endings, "label": rng.randrange(_OPTIONS), "activity_label": "Activity"}


def _gsm8k(rng: random.Random) -> Row:
    return {"question": _words(rng, 45), "answer": "#### 1"}


def _mmlu(rng: random.Random) -> Row:
    choices = [_words(rng, 7) for _ in range(_OPTIONS)]
    return {"question": _words(rng, 47), "choices": choices, "answer": rng.randrange(_OPTIONS), "subject": "a subject"}


def _ethics(rng: random.Random) -> Row:
    return {"input": _words(rng, 12 if rng.random() < _SHORT else 325), "label": rng.randrange(2)}


_SHAPES: Mapping[str, _Shape] = {
    "Rowan/hellaswag": _Shape({"train": 39_905, "validation": 10_042}, _hellaswag),
    "openai/gsm8k": _Shape({"train": 7_473, "test": 1_319}, _gsm8k),
    "cais/mmlu": _Shape({"test": 14_042, "validation": 1_531, "dev": 285}, _mmlu),
    "hendrycks/ethics": _Shape({"train": 13_910, "test": 3_885}, _ethics),
}


def stand_in(hub: Hub, pools: Mapping[str, Pool], spec: TaskSpec) -> list[Record] | None:
    """Rows in place of a data set's own; None where its size and looks are not known.

    Args:
        hub: The data set.
        pools: The splits that are read, and where each may go.
        spec: Of the sizes: no more rows are made than these ask for.
    """
    shape = _SHAPES.get(hub.id)
    if shape is None:
        return None
    rng = random.Random(0)
    return [
        Record(row=shape.row(rng), source=f"{hub.id}, made up", number=number, pool=pool)
        for number, pool in enumerate(_pools(shape, pools, spec), start=1)
    ]


def _pools(shape: _Shape, pools: Mapping[str, Pool], spec: TaskSpec) -> Iterator[Pool]:
    """The pool of each row."""
    left = {pool: sum(shape.rows[split] for split in pools if pools[split] == pool) for pool in set(pools.values())}
    sizes = {name: size if (size := getattr(spec, name)) is not None else DEFAULT_SIZES[name] for name in DEFAULT_SIZES}
    learned, test = (sizes["weak_train"], sizes["transfer"]), sizes["test"]
    for pool in sorted(left):
        asked = {"train": learned, "test": (test,)}.get(pool, (*learned, test))
        needed = [size for size in asked if isinstance(size, int)]
        yield from itertools.repeat(pool, min(left[pool], sum(needed)) if len(needed) == len(asked) else left[pool])


def is_cached(hub: Hub) -> bool:
    """Whether anything of a data set is in the local cache, where the hub's libraries keep it by default."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    datasets = Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")).expanduser()
    files = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    owner, name = hub.id.split("/")
    return (datasets / f"{owner}___{name}").is_dir() or (files / f"datasets--{owner}--{name}").is_dir()
