"""A training set in tokens: what is cut, what is left out, what is refused."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.training import CITIES, training_set
from w2s.engine.encoding import encode_pairs
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training.data import IGNORED, Collator, TrainingRow, encode_training_set, longest_of, micro_batches_of

LONGEST = 24  # tokens of the longest completion here, with its end; see the test of that


def pairs_of(lm: LanguageModel) -> list[tuple[list[int], list[int]]]:
    table = training_set()
    end = [lm.tokenizer.eos_token_id]
    pairs = encode_pairs(lm, table["prompt"].to_pylist(), table["completion"].to_pylist())
    return [(pair.prompt, pair.completion + end) for pair in pairs]


def test_a_row_is_prompt_completion_and_end_of_text(lm: LanguageModel) -> None:
    tokens = encode_training_set(lm, training_set(), max_length=512, end_of_text=True)
    assert [(row.ids[: row.start], row.ids[row.start :]) for row in tokens.rows] == pairs_of(lm)
    assert tokens.question_ids == [f"q{number}" for number in range(len(CITIES))]
    assert (tokens.truncated, tokens.zero_weight) == (0, 0)


def test_without_end_of_text_the_completion_ends_with_its_words(lm: LanguageModel) -> None:
    rows = encode_training_set(lm, training_set(), max_length=512, end_of_text=False).rows
    assert [row.ids[row.start :] for row in rows] == [completion[:-1] for _, completion in pairs_of(lm)]


@settings(max_examples=40)
@given(length=st.integers(LONGEST + 1, 60))
def test_a_long_row_loses_the_beginning_of_its_prompt_and_nothing_else(lm: LanguageModel, length: int) -> None:
    tokens = encode_training_set(lm, training_set(), max_length=length, end_of_text=True)
    truncated = 0
    for row, (prompt, completion) in zip(tokens.rows, pairs_of(lm), strict=True):
        kept = row.ids[: row.start]
        assert row.ids[row.start :] == completion
        assert len(row.ids) == min(length, len(prompt) + len(completion))
        assert kept[0] == lm.tokenizer.bos_token_id
        assert kept[1:] == prompt[len(prompt) - len(kept) + 1 :]
        truncated += len(kept) < len(prompt)
    assert tokens.truncated == truncated


def test_the_tests_of_length_do_shorten_and_do_not(lm: LanguageModel) -> None:
    sizes = [len(prompt) + len(completion) for prompt, completion in pairs_of(lm)]
    assert max(len(completion) for _, completion in pairs_of(lm)) <= LONGEST
    assert LONGEST + 10 < max(sizes) < 60


def test_a_completion_may_fill_all_there_is(lm: LanguageModel) -> None:
    table = training_set().slice(2, 1)
    completion = pairs_of(lm)[2][1]
    row = encode_training_set(lm, table, max_length=len(completion) + 1, end_of_text=True).rows[0]
    assert row.ids == [lm.tokenizer.bos_token_id, *completion]


def test_a_completion_longer_than_max_length_is_refused_with_its_question(lm: LanguageModel) -> None:
    completion = pairs_of(lm)[2][1]
    with pytest.raises(InputError, match=rf"'q2'.*{len(completion)} tokens, max_length is {len(completion)}"):
        encode_training_set(lm, training_set(), max_length=len(completion), end_of_text=True)


@pytest.mark.parametrize(("chat", "text"), [(False, ""), (True, " ")])
def test_a_completion_without_a_token_is_refused_with_its_question(lm: LanguageModel, chat: bool, text: str) -> None:
    table = training_set(rows=CITIES[:3])
    table = table.set_column(1, "completion", [[" France", text, " Peru"]])
    with pytest.raises(InputError, match="'q1': its completion has no token"):
        encode_training_set(replace(lm, chat_template=chat), table, max_length=512, end_of_text=True)


def test_rows_of_no_weight_are_left_out_and_counted(lm: LanguageModel) -> None:
    weights = [1.0, 0.0, 0.5, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    tokens = encode_training_set(lm, training_set(weights), max_length=512, end_of_text=True)
    assert tokens.question_ids == ["q0", "q2", "q4"] and tokens.zero_weight == 7
    assert [row.weight for row in tokens.rows] == [1.0, 0.5, 2.0]


def test_a_training_set_without_any_weight_is_refused(lm: LanguageModel) -> None:
    with pytest.raises(InputError, match="no row with a weight above 0"):
        encode_training_set(lm, training_set([0.0] * len(CITIES)), max_length=512, end_of_text=True)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_a_weight_that_is_none_is_refused_with_its_row(lm: LanguageModel, weight: float) -> None:
    weights = [1.0] * len(CITIES)
    weights[3] = weight
    with pytest.raises(InputError, match=f"row 4: weight is {weight}"):
        encode_training_set(lm, training_set(weights), max_length=512, end_of_text=True)


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
    batch = Collator(pad_token_id=0)([TrainingRow(p + c, len(p), 0.1 * i) for i, (p, c) in enumerate(parts)])
    width = max(len(p) + len(c) for p, c in parts)
    assert batch["input_ids"].shape == batch["labels"].shape == (len(parts), width)
    assert sorted(batch["example"][:, 0].tolist()) == list(range(len(parts)))
    for position, i in enumerate(batch["example"][:, 0].tolist()):
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
    batch = Collator(pad_token_id=0, packs=True)(examples)
    assert longest_of(batch) == max(len(row.ids) for row in examples) <= batch["input_ids"].shape[1]
    assert batch["input_ids"].shape[1] % 4 == 0
    if len(batch["input_ids"]) == len(examples):
        assert "ends" not in batch
        return
    found: dict[int, list[int]] = {}
    for position, (line, labels) in enumerate(zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)):
        start = 0
        while start < len(line) and line[start] != 0:
            index = int(batch["example"][position, start])
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
    batch = Collator(pad_token_id=0, packs=packs)([TrainingRow(p + c, len(p), 1.0) for p, c in pairs])
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
        [TrainingRow([5, 6, 7, 8], 1, 1.0), TrainingRow([9, 4], 0, 1.0), TrainingRow([3, 3], 0, 1.0)]
    )
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8], [9, 4, 3, 3]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, 8], [IGNORED, 4, IGNORED, 3]]


def test_packed_rows_are_of_few_widths_and_hold_little_padding() -> None:
    widths, filled = set(), []
    lengths = random.Random(0)
    for _ in range(50):
        batch = Collator(pad_token_id=0, packs=True)(
            [TrainingRow([5] * lengths.randint(60, 220), 50, 1.0) for _ in range(16)]
        )
        widths.add(batch["input_ids"].shape[1])
        filled.append(float(batch["used"].sum()) / batch["input_ids"].numel())
    assert widths <= {192, 224, 256}
    assert sum(filled) / len(filled) > 0.85


def test_rows_are_wider_than_256_only_for_an_example_that_is() -> None:
    def width(*lengths: int) -> int:
        rows = [TrainingRow([5] * length, 1, 1.0) for length in lengths]
        return int(Collator(pad_token_id=0, packs=True)(rows)["input_ids"].shape[1])

    assert width(*[120] * 16) == 120
    assert width(200, *[50] * 15) == 256
    assert width(*[250] * 16) == 256
    assert width(300, *[20] * 15) == 320
    assert width(39) == 40
