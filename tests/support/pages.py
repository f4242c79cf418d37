"""The commands and programs of a page of the documentation, as a reader would run them: in order, in one folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Block", "blocks_of"]

DOCS = Path(__file__).parents[2] / "docs"


class Block(NamedTuple):
    """What a page shows set off from its text.

    Attributes:
        kind: "command", or the language of a fence: "python", "yaml", "" for what a command prints.
        text: Its lines; of a command, one line.
    """

    kind: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of a command."""
        return shlex.split(self.text)


def blocks_of(page: str) -> Sequence[Block]:
    """The fences and the indented commands of a page below `docs/`, in their order."""
    return [*_blocks((DOCS / page).read_text(encoding="utf-8").splitlines())]


def _blocks(lines: list[str]) -> Iterator[Block]:
    fence: list[str] | None = None
    kind = command = ""
    for line in lines:
        if line.startswith("```"):
            if fence is None:
                fence, kind = [], line.removeprefix("```").strip()
            else:
                yield Block(kind, "\n".join(fence))
                fence = None
        elif fence is not None:
            fence.append(line)
        elif line.startswith("    "):
            command += re.sub(r"\s*\\$", " ", line.strip())
            if not line.endswith("\\"):
                yield Block("command", command)
                command = ""
    assert fence is None and not command, "a block of the page has no end"
