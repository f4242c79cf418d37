"""Batches: what shares a row, what is learned from, and how a batch is cut."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from w2s.training.batches import Collator, QuestionSampler, longest_of, micro_batches_of
from w2s.training.data import Example, TrainingRow


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


def assert_each_learned_token_sees_its_own_row(batch: dict[str, Tensor], rows: Sequence[TrainingRow]) -> None:
    """Where a token is predicted, exactly the tokens before it in its training row are seen, in their order."""
    ids = batch["input_ids"]
    positions = batch.get("positions", torch.arange(ids.shape[1]).repeat(len(ids), 1))
    ends = batch.get("ends", torch.full_like(ids, ids.shape[1]))
    learned: list[tuple[int, int]] = []
    for index, slot, target in zip(*(batch[name].tolist() for name in ("row", "slot", "target")), strict=True):
        place = batch["place"][index]
        assert slot < batch["used"][place]
        seen = [node for node in range(slot + 1) if slot < ends[place, node]]
        count = len(seen)
        assert ids[place, seen].tolist() == rows[index].ids[:count] and target == rows[index].ids[count]
        assert positions[place, seen].tolist() == list(range(count))
        learned.append((index, count))
    assert sorted(learned) == [
        (index, count) for index, row in enumerate(rows) for count in range(max(row.start, 1), len(row.ids))
    ]


@given(rows)
def test_a_batch_is_padded_on_the_right_and_learns_from_completions_alone(
    parts: list[tuple[list[int], list[int]]],
) -> None:
    training_rows = [TrainingRow(p + c, len(p), 0.1 * i) for i, (p, c) in enumerate(parts)]
    batch = Collator(pad_token_id=0)(alone(training_rows))
    width = max(len(row.ids) for row in training_rows) - 1
    assert batch["input_ids"].shape == (len(parts), width)
    assert sorted(batch["place"].tolist()) == list(range(len(parts)))
    for index, place in enumerate(batch["place"].tolist()):
        read = training_rows[index].ids[:-1]
        assert batch["input_ids"][place].tolist() == read + [0] * (width - len(read))
        assert batch["used"][place] == len(read)
    assert batch["used"].tolist() == sorted(batch["used"].tolist(), reverse=True)
    assert batch["weight"].tolist() == pytest.approx([0.1 * i for i in range(len(parts))])
    assert "ends" not in batch
    assert_each_learned_token_sees_its_own_row(batch, training_rows)


@given(st.lists(rows, min_size=1, max_size=4), st.lists(st.integers(3, 99), max_size=12))
def test_a_packed_batch_learns_each_row_whole_and_once(
    groups: list[list[tuple[list[int], list[int]]]], beginning: list[int]
) -> None:
    examples = [
        tuple(TrainingRow(beginning + p + c, len(beginning + p), 0.1 * i) for i, (p, c) in enumerate(group))
        for group in groups
    ]
    together = [row for example in examples for row in example]
    batch = Collator(pad_token_id=0, packs=True)(examples)
    assert longest_of(batch) == max(len(row.ids) for row in together)
    assert batch["input_ids"].shape[1] % 4 == 0
    assert ("ends" in batch) == (len(batch["input_ids"]) < len(together))
    assert batch["weight"].tolist() == pytest.approx([row.weight for row in together])
    assert_each_learned_token_sees_its_own_row(batch, together)


@given(rows, st.booleans(), st.integers(1, 60))
def test_parts_hold_all_that_is_learned_within_their_budget(
    pairs: list[tuple[list[int], list[int]]], packs: bool, tokens: int
) -> None:
    batch = Collator(pad_token_id=0, packs=packs)(alone([TrainingRow(p + c, len(p), 1.0) for p, c in pairs]))
    parts = list(micro_batches_of(batch, tokens=tokens))
    assert sum(len(part["input_ids"]) for part in parts) == len(batch["input_ids"])
    learned = []
    for part in parts:
        rows_here, width = part["input_ids"].shape
        assert rows_here == 1 or rows_here * width <= tokens
        assert part["used"].max() <= width <= batch["input_ids"].shape[1]
        assert part["weight"].tolist() == batch["weight"].tolist()
        assert {value.shape for value in part.values() if value.dim() == 2} == {(rows_here, width)}
        place = part["place"][part["row"]]
        assert ((place >= 0) & (place < rows_here)).all() and (part["slot"] < part["used"][place]).all()
        learned += part["target"].tolist()
    assert sorted(learned) == sorted(token for p, c in pairs for token in c)


def test_the_first_token_of_an_example_is_never_learned() -> None:
    rows = [TrainingRow([5, 6, 7, 8], 1, 1.0), TrainingRow([9, 4], 0, 1.0), TrainingRow([3, 3], 0, 1.0)]
    batch = Collator(pad_token_id=0, packs=True)(alone(rows))
    learned = sorted(zip(batch["row"].tolist(), batch["target"].tolist(), strict=True))
    assert learned == [(0, 6), (0, 7), (0, 8), (1, 4), (2, 3)]


def test_what_rows_begin_with_in_common_stands_once() -> None:
    stem = list(range(100, 130))
    options = tuple(TrainingRow([*stem, 5, number, 3], 31, 0.25) for number in range(10, 14))
    batch = Collator(pad_token_id=0, packs=True)([options])
    assert batch["input_ids"].shape == (1, 36)  # the stem, 5, and each option's first token
    assert len(batch["target"]) == 8 and len({*batch["slot"].tolist()}) == 5

    few_shot = [(TrainingRow([*range(200), 500 + number, 3], 201, 1.0),) for number in range(16)]
    batch = Collator(pad_token_id=0, packs=True)(few_shot)
    assert batch["input_ids"].shape == (1, 224)


def row_of(length: int, number: int) -> tuple[TrainingRow]:
    """A training row that begins like no other."""
    return (TrainingRow([number + 3] * (length + 1), 1, 1.0),)


def test_packed_rows_are_of_few_widths_and_hold_little_padding() -> None:
    widths, filled = set(), []
    lengths = random.Random(0)
    for _ in range(50):
        batch = Collator(pad_token_id=0, packs=True)([row_of(lengths.randint(60, 220), number) for number in range(16)])
        widths.add(batch["input_ids"].shape[1])
        filled.append(float(batch["used"].sum()) / batch["input_ids"].numel())
    assert widths <= {192, 224, 256}
    assert sum(filled) / len(filled) > 0.85


def test_rows_are_wider_than_256_only_for_an_example_that_is() -> None:
    def width(*lengths: int) -> int:
        rows = [row_of(length, number) for number, length in enumerate(lengths)]
        return int(Collator(pad_token_id=0, packs=True)(rows)["input_ids"].shape[1])

    assert width(*[120] * 16) == 120
    assert width(200, *[50] * 15) == 256
    assert width(*[250] * 16) == 256
    assert width(300, *[20] * 15) == 320
    assert width(39) == 40


def test_whole_questions_are_shuffled_anew_in_each_epoch() -> None:
    questions = [name for name in "abcdefgh" for _ in range(3)]
    sampler = QuestionSampler(questions, seed=0)
    first, again = list(sampler), list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first == again != second and sorted(first) == sorted(second) == list(range(len(sampler)))
    for order in (first, second, list(QuestionSampler(questions, seed=1))):
        assert all(len({questions[index] for index in order[start : start + 3]}) == 1 for start in range(0, 24, 3))
    assert list(QuestionSampler(questions, seed=1)) != first
