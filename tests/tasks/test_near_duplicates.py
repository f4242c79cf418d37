from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.tasks import Question
from w2s.tasks.near_duplicates import repeats, shingles_of

Shingles = frozenset[tuple[str, ...]]
# Few words, so that many sets are similar.
SETS = st.lists(st.frozensets(st.tuples(st.sampled_from("abcdefghijkl")), max_size=12), max_size=14)


def similarity(one: Shingles, other: Shingles) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def first_repeated(items: list[Shingles], groups: list[int], threshold: float) -> list[bool]:
    kept: list[int] = []
    found = []
    for index, item in enumerate(items):
        found.append(any(groups[index] != groups[k] and similarity(item, items[k]) >= threshold - 1e-9 for k in kept))
        if not found[-1]:
            kept.append(index)
    return found


@given(items=SETS, data=st.data(), threshold=st.sampled_from([0.3, 0.5, 0.75, 0.9, 1.0]))
def test_the_index_finds_what_comparing_all_with_all_finds(
    items: list[Shingles], data: st.DataObject, threshold: float
) -> None:
    groups = data.draw(st.lists(st.integers(0, 2), min_size=len(items), max_size=len(items)))
    for of in (groups, list(range(len(items)))):
        found = repeats(items, of, threshold)
        assert [other is not None for other in found] == first_repeated(items, of, threshold)
        for index, other in enumerate(found):
            if other is not None:
                assert other < index and similarity(items[index], items[other]) >= threshold - 1e-9
    assert repeats(items, None, threshold) == repeats(items, range(len(items)), threshold)


def question(text: str, *choices: str) -> Question:
    return Question(id=text, text=text, choices=choices)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (question("Who wrote it?"), question('who wrote "it"'), True),
        (question("Is café open?"), question("Is cafe\u0301 open?"), True),
        (question("Who wrote it?"), question("Who read it?"), False),
        (question("What is 3 + 4?"), question("What is 3 - 4?"), False),
        (question("Which is true?", "tin", "iron"), question("Which is true?", "iron", "tin"), True),
        (question("Which is true?", "tin", "iron"), question("Which is true?", "gold", "lead"), False),
        (question("法国的首都在哪里"), question("德国的首都在哪里"), False),
        (
            question(" ".join("abcdefghijklmnopqrstuvwxyz" * 2)),
            question(" ".join("abcdefghijklmnopqrstuvwxyz" * 3)),
            True,
        ),
        (question("?"), question("!"), False),
    ],
)
def test_questions_are_near_duplicates_by_their_runs_of_words(one: Question, other: Question, near: bool) -> None:
    assert repeats([shingles_of(one), shingles_of(other)]) == [None, 0 if near else None]
