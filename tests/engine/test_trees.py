"""Sequences as one tree: each keeps its own path, and shared beginnings stand once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from w2s.engine.trees import grow_tree, shared_length

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=8)


@given(SEQUENCES)
def test_a_path_spells_its_sequence_and_each_node_sees_its_path_alone(sequences: list[list[int]]) -> None:
    tree = grow_tree(sequences)
    for sequence, path in zip(sequences, tree.paths, strict=True):
        assert [tree.ids[node] for node in path] == sequence
        assert [tree.positions[node] for node in path] == list(range(len(sequence)))
        for depth, node in enumerate(path):
            assert [seen for seen in range(node + 1) if node < tree.ends[seen]] == path[: depth + 1]


@given(SEQUENCES)
def test_the_nodes_are_the_distinct_beginnings(sequences: list[list[int]]) -> None:
    beginnings = {tuple(sequence[: end + 1]) for sequence in sequences for end in range(len(sequence))}
    assert len(grow_tree(sequences).ids) == len(beginnings)


@given(SEQUENCES)
def test_it_branches_unless_each_sequence_begins_the_longest(sequences: list[list[int]]) -> None:
    longest = max(sequences, key=len)
    assert grow_tree(sequences).branches == any(longest[: len(sequence)] != sequence for sequence in sequences)


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_shared_length_ends_at_the_first_difference(a: list[int], b: list[int]) -> None:
    length = shared_length(a, b)
    assert a[:length] == b[:length]
    assert length == min(len(a), len(b)) or a[length] != b[length]
