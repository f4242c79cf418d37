"""The `w2s` command: parse, call, print. What it does is elsewhere; here is how it is said."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command. Exit status: 0 done, 2 the user's mistake, 1 ours, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        from w2s.cli import entry  # here: an interrupt may well come while it is imported

        entry.run_words(words)
    except KeyboardInterrupt:
        if "--debug" in words:
            raise
        print("w2s: interrupted; what is finished is kept, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)
