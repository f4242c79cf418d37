"""Many questions, asked in several steps: which of them each step asks. Arithmetic alone.

Questions are cut in the order in which a split was drawn. A larger split of the same data begins with the smaller one,
so all of its shards but the last are the same ones, and their answers are in the store.
"""

from __future__ import annotations

from typing import NamedTuple

from w2s.step import Json

__all__ = ["Shard", "shards_of"]


class Shard(NamedTuple):
    """Some of the questions of a split or a fold, one after the other.

    Attributes:
        number: Which of its shards this is, from 0.
        start: Its first question, from 0.
        stop: The question after its last.
        whole: Whether it is all of them.
    """

    number: int
    start: int
    stop: int
    whole: bool

    def label(self, of: str) -> str:
        """What a step of the shard is called, from what one of all questions is."""
        return of if self.whole else f"{of} · questions {self.start + 1:,} to {self.stop:,}"

    @property
    def rows(self) -> dict[str, Json]:
        """Its place, as a step names it; nothing where it is the whole."""
        return {} if self.whole else {"rows": [self.start, self.stop]}


def shards_of(count: int, size: int) -> list[Shard]:
    """Cut so many questions in shards of a size, the last of which may be smaller; one shard where they are few."""
    starts = range(0, max(count, 1), size)
    return [Shard(number, start, min(start + size, count), count <= size) for number, start in enumerate(starts)]
