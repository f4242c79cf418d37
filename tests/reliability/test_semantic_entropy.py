"""Votes for meanings: which answers mean the same, values by hand, and an encoder that tells them apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.methods.majority import confident_majority, majority
from w2s.reliability import score_answers
from w2s.reliability import semantic_entropy as module
from w2s.reliability.encoder import embed, find_encoder
from w2s.reliability.semantic_entropy import normal_form
from w2s.tables import ANSWERS


def answers(*given_answers: str | None, choices: list[str] | None = None, question: str = "q") -> pa.Table:
    rows = [
        {"question_id": question, "variation": number, "answer": answer, "choices": choices}
        for number, answer in enumerate(given_answers)
    ]
    schema = pa.schema([ANSWERS.field(name) for name in ("question_id", "variation", "answer", "choices")])
    return pa.Table.from_pylist(rows, schema=schema)


def scored(table: pa.Table, **given_settings: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = score_answers(table, estimator="semantic-entropy", **given_settings).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", "paris."),
        ("The Eiffel Tower", "Eiffel  tower!"),
        ("twenty-one", "Twenty one"),
        ("1,000", "1000.00"),
        ("$1,000", "$1000.00"),
        ("3½", "3.5"),
        ("５", "5"),
        ("H₂O", "H2O"),
        ("don’t", "dont"),
        ("ﬁve", "five"),
        ("Café", "Cafe\u0301"),
        ("–5 degrees", "-5 degrees"),
        ("−5 °C", "-5 °C"),
        ("'Paris'", "Paris"),
        ("‘don’t’", "dont"),
        ("f’(x)", "f'(x)"),
    ],
)
def test_what_tells_no_meaning_does_not_count(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C", "C++"),
        ("5", "-5"),
        ("-5 degrees", "5 degrees"),
        ("3.5 metres", "35 metres"),
        ("vitamin A", "vitamin"),
        ("3½", "15.5"),
        ("3½ cups", "31/2 cups"),
        ("10²", "102"),
        ("x²", "x2"),
        ("5!", "5"),
        ("5!!", "5!"),
        ("10-5", "10 5"),
        ("$5", "€5"),
        ("$5", "5"),
        ("USD 5", "EUR 5"),
        ("A-", "A"),
        ("A–", "A"),
        ("A-", "A+"),
        ("AB-", "AB"),
        (".5 cups", "5 cups"),
        ("-.5 m", "-5 m"),
        ("-.5 m", ".5 m"),
        ("$.5 million", "$5 million"),
        ("x != 5", "x = 5"),
        ("!x", "x"),
        ("5'", '5"'),
        ("f'(x)", "f(x)"),
        ("–5 degrees", "5 degrees"),
    ],
)
def test_what_tells_meaning_counts(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


WORDS = st.lists(st.sampled_from(["river", "Älv", "C++", "42nd", "don't", "mañana"]), min_size=1, max_size=4)


@given(WORDS, st.sampled_from(["", "the ", "A ", "“"]), st.sampled_from(["", ".", "!", " ", "”."]))
def test_case_spacing_and_what_stands_around_an_answer_tell_no_meaning(
    words: list[str], before: str, after: str
) -> None:
    plain = " ".join(words)
    assert normal_form(f"{before}{'  '.join(words).upper()}{after}") == normal_form(plain)
    assert normal_form(plain) != normal_form(f"{plain} not")


@given(st.text(min_size=1, max_size=30))
def test_nothing_but_space_has_an_empty_form(text: str) -> None:
    assert bool(normal_form(text)) == bool(text.split())


def test_the_entropy_of_meanings_by_hand() -> None:
    rows = scored(answers("Paris", "paris.", "Rome", None))
    assert [row["confidence"] for row in rows] == [0.5, 0.5, 0.25, 0.25]
    entropy = 0.5 * math.log(2) + 2 * 0.25 * math.log(4)
    assert [row["uncertainty"] for row in rows] == pytest.approx([entropy] * 4)
    assert [row["vote_share"] for row in rows] == [0.5, 0.5, 0.25, 0.25], "votes are for meanings"
    assert rows[0]["entropy"] == pytest.approx(entropy)
    assert [row["answer"] for row in rows] == ["Paris", "paris.", "Rome", None], "no answer is rewritten"


@pytest.mark.parametrize("select", [majority, confident_majority])
def test_the_majority_is_that_of_meanings(select: Any) -> None:
    table = answers("Lyon", "Paris", "paris.", "PARIS", "Lyon")
    scored = score_answers(table.append_column("prompt", pa.array(list("abcde"))), estimator="semantic-entropy")
    assert select(scored).table["answer"].to_pylist() == ["Paris"]


def test_the_same_words_to_two_questions_are_no_vote_for_each_other() -> None:
    rows = scored(pa.concat_tables([answers("Paris", "Rome"), answers("paris", question="r")]))
    assert [row["confidence"] for row in rows] == [0.5, 0.5, 1]


def test_an_option_means_itself_whatever_it_looks_like() -> None:
    rows = scored(answers("Aa", "aa", "Aa", choices=["Aa", "aa", "AA"]))
    assert [row["confidence"] for row in rows] == pytest.approx([2 / 3, 1 / 3, 2 / 3])


def vectors(monkeypatch: pytest.MonkeyPatch, angles: dict[str, float]) -> None:
    """An encoder that gives each text a direction, in degrees."""
    turned = {text: (math.cos(math.radians(angle)), math.sin(math.radians(angle))) for text, angle in angles.items()}
    monkeypatch.setattr(module, "embed", lambda texts, encoder: np.array([turned[text] for text in texts]))


def test_an_encoder_joins_answers_of_which_any_two_are_similar(monkeypatch: pytest.MonkeyPatch) -> None:
    # The cosine of 10 degrees is .985, of 20 .94, of 30 .866: three in a row are no cluster at .95, two are.
    vectors(monkeypatch, {"big": 0, "large": 10, "huge": 30, "small": 180})
    table = answers("big", "Large", "huge", "small")
    by_similarity = {
        similarity: [row["confidence"] for row in scored(table, encoder="any", similarity=similarity)]
        for similarity in (0.999, 0.95, 0.85)
    }
    assert by_similarity == {0.999: [0.25] * 4, 0.95: [0.5, 0.5, 0.25, 0.25], 0.85: [0.75, 0.75, 0.75, 0.25]}


@given(st.permutations(range(4)))
def test_the_order_of_answers_is_nothing_to_the_clusters(order: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        vectors(patch, {"big": 0, "large": 20, "huge": 40, "small": 60})  # ties in all distances
        table = answers("big", "large", "huge", "small")
        settings: dict[str, Any] = {"encoder": "any", "similarity": 0.9}
        before = {row["answer"]: row["confidence"] for row in scored(table, **settings)}
        assert {row["answer"]: row["confidence"] for row in scored(table.take(order), **settings)} == before


def test_vectors_of_a_real_encoder_are_the_means_of_its_states(tiny_llama: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["Paris", "a much longer text than the first", "Rome"]
    found = embed(texts, str(tiny_llama))
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_llama), AutoModel.from_pretrained(tiny_llama, dtype="float32")
    for text, vector in zip(texts, found, strict=True):
        with torch.no_grad():
            state = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert vector == pytest.approx((state / state.norm()).numpy(), abs=1e-4), "padding counts for nothing"
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3))


def test_a_real_encoder_joins_what_is_the_same_to_it(tiny_llama: Path) -> None:
    rows = scored(answers("Paris", "paris.", "Rome"), encoder=str(tiny_llama), similarity=1.0)
    assert [row["confidence"] for row in rows] == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_an_encoder_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = {"no-such": "unknown model 'no-such'", str(tmp_path / "none"): "no such file or folder"}
    cases |= {str(tmp_path / "empty"): "has no config.json", "owner/name@main": "the hub cannot be reached"}
    for encoder, expected in cases.items():
        with pytest.raises(InputError, match=expected) as refused:
            scored(answers("a", "b"), encoder=encoder)
        assert "\n" not in str(refused.value)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="is a GGUF file: expected a folder"):
        find_encoder(str(tmp_path / "model.gguf"))


@pytest.mark.parametrize("similarity", [0.0, -1.0, 1.1, math.nan])
def test_a_similarity_that_is_none_is_refused(similarity: float) -> None:
    with pytest.raises(InputError, match=r"similarity .*: expected a number above 0 and at most 1"):
        scored(answers("a"), similarity=similarity)
