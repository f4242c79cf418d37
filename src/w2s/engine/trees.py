"""Token sequences with common beginnings as one tree, in which each shared token stands once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Tree", "grow_tree", "shared_length"]


class Tree(NamedTuple):
    """Sequences that share their beginnings, flattened depth first.

    A node sees exactly the nodes on its path from the root: `j` is on the path of `i` where `j <= i < ends[j]`.

    Attributes:
        ids: (nodes,) the token of each node.
        positions: (nodes,) how many tokens come before it in its sequence.
        ends: (nodes,) one past the last node below it.
        paths: For each sequence, in the order given, the node of each of its tokens.
    """

    ids: list[int]
    positions: list[int]
    ends: list[int]
    paths: list[list[int]]

    @property
    def branches(self) -> bool:
        """Whether any two sequences part."""
        return self.ends != [len(self.ids)] * len(self.ids)


def shared_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    return next(index for index in range(length) if a[index] != b[index])


def grow_tree(sequences: Sequence[list[int]]) -> Tree:
    """The tree of some sequences of token ids."""
    ids: list[int] = []
    positions: list[int] = []
    ends: list[int] = []
    paths: list[list[int]] = [[] for _ in sequences]
    path: list[int] = []
    before: list[int] = []
    # In lexicographic order, what shares a beginning stands together: the tree is then flattened as it grows.
    for index in sorted(range(len(sequences)), key=sequences.__getitem__):
        tokens = sequences[index]
        shared = shared_length(before, tokens)
        for node in path[shared:]:
            ends[node] = len(ids)
        path = path[:shared]
        for position in range(shared, len(tokens)):
            path.append(len(ids))
            ids.append(tokens[position])
            positions.append(position)
            ends.append(0)
        paths[index] = path
        before = tokens
    for node in path:
        ends[node] = len(ids)
    return Tree(ids, positions, ends, paths)
