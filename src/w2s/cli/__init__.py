"""The `w2s` command: parse, call, print. What it does is elsewhere; here is how it is said."""

from w2s.cli.entry import main

__all__ = ["main"]
