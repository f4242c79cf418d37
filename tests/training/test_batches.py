"""Batches: what shares a row, what is learned from, and how a batch is cut."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.training.batches import Collator, longest_of, micro_batches_of
from w2s.training.data import IGNORED, Example, TrainingRow


def alone(rows: Sequence[TrainingRow]) -> list[Example]:
    """Each row as an example."""
    return [(row,) for row in rows]


rows = st.lists(
    st.tuples(
        st.lists(st.integers(3, 99), min_size=1, max_size=9), st.lists(st.integers(3, 99), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=5,
)


@given(rows)
def test_a_batch_is_padded_on_the_right_and_learns_from_completions_alone(
    parts: list[tuple[list[int], list[int]]],
) -> None:
    batch = Collator(pad_token_id=0)(alone([TrainingRow(p + c, len(p), 0.1 * i) for i, (p, c) in enumerate(parts)]))
    width = max(len(p) + len(c) for p, c in parts)
    assert batch["input_ids"].shape == batch["labels"].shape == (len(parts), width)
    assert sorted(batch["row"][:, 0].tolist()) == list(range(len(parts)))
    for position, i in enumerate(batch["row"][:, 0].tolist()):
        p, c = parts[i]
        filling = width - len(p) - len(c)
        assert batch["input_ids"][position].tolist() == p + c + [0] * filling
        assert batch["labels"][position].tolist() == [IGNORED] * len(p) + c + [IGNORED] * filling
    assert batch["used"].tolist() == sorted((len(p) + len(c) for p, c in parts), reverse=True)
    assert batch["weight"].tolist() == pytest.approx([0.1 * i for i in range(len(parts))])
    assert "ends" not in batch


@given(rows)
def test_a_packed_batch_holds_each_example_whole_and_once(
    parts: list[tuple[list[int], list[int]]],
) -> None:
    examples = [TrainingRow(p + c, len(p), 0.1 * i) for i, (p, c) in enumerate(parts)]
    batch = Collator(pad_token_id=0, packs=True)(alone(examples))
    assert longest_of(batch) == max(len(row.ids) for row in examples) <= batch["input_ids"].shape[1]
    assert batch["input_ids"].shape[1] % 4 == 0
    if len(batch["input_ids"]) == len(alone(examples)):
        assert "ends" not in batch
        return
    found: dict[int, list[int]] = {}
    for position, (line, labels) in enumerate(zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)):
        start = 0
        while start < len(line) and line[start] != 0:
            index = int(batch["row"][position, start])
            row, end = examples[index], start + len(examples[index].ids)
            found[index] = line[start:end]
            assert labels[start:end] == [IGNORED] * row.start + row.ids[row.start :]
            assert batch["positions"][position, start:end].tolist() == list(range(end - start))
            assert batch["ends"][position, start:end].tolist() == [end] * (end - start)
            start = end
        assert labels[start:] == [IGNORED] * (len(line) - start)
        assert batch["ends"][position, start:].tolist() == list(range(start + 1, len(line) + 1))
    assert found == {index: row.ids for index, row in enumerate(examples)}
    assert batch["weight"].tolist() == pytest.approx([0.1 * i for i in range(len(parts))])


@given(rows, st.booleans(), st.integers(1, 60))
def test_parts_hold_all_that_is_learned_within_their_budget(
    pairs: list[tuple[list[int], list[int]]], packs: bool, tokens: int
) -> None:
    batch = Collator(pad_token_id=0, packs=packs)(alone([TrainingRow(p + c, len(p), 1.0) for p, c in pairs]))
    parts = list(micro_batches_of(batch, tokens=tokens))
    assert sum(len(part["input_ids"]) for part in parts) == len(batch["input_ids"])
    for part in parts:
        rows_here, width = part["input_ids"].shape
        assert rows_here == 1 or rows_here * width <= tokens
        assert part["used"].max() <= width <= batch["input_ids"].shape[1]
        assert part["weight"].tolist() == batch["weight"].tolist()
        assert {value.shape for value in part.values() if value.dim() == 2} == {(rows_here, width)}
    learned = [token for part in parts for token in part["labels"].flatten().tolist() if token != IGNORED]
    assert sorted(learned) == sorted(token for p, c in pairs for token in c)


def test_the_first_token_of_an_example_is_never_learned() -> None:
    batch = Collator(pad_token_id=0, packs=True)(
        alone([TrainingRow([5, 6, 7, 8], 1, 1.0), TrainingRow([9, 4], 0, 1.0), TrainingRow([3, 3], 0, 1.0)])
    )
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8], [9, 4, 3, 3]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, 8], [IGNORED, 4, IGNORED, 3]]


def test_packed_rows_are_of_few_widths_and_hold_little_padding() -> None:
    widths, filled = set(), []
    lengths = random.Random(0)
    for _ in range(50):
        batch = Collator(pad_token_id=0, packs=True)(
            alone([TrainingRow([5] * lengths.randint(60, 220), 50, 1.0) for _ in range(16)])
        )
        widths.add(batch["input_ids"].shape[1])
        filled.append(float(batch["used"].sum()) / batch["input_ids"].numel())
    assert widths <= {192, 224, 256}
    assert sum(filled) / len(filled) > 0.85


def test_rows_are_wider_than_256_only_for_an_example_that_is() -> None:
    def width(*lengths: int) -> int:
        rows = [TrainingRow([5] * length, 1, 1.0) for length in lengths]
        return int(Collator(pad_token_id=0, packs=True)(alone(rows))["input_ids"].shape[1])

    assert width(*[120] * 16) == 120
    assert width(200, *[50] * 15) == 256
    assert width(*[250] * 16) == 256
    assert width(300, *[20] * 15) == 320
    assert width(39) == 40
