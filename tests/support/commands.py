"""Commands: what one prints, and how one ends that refuses what it was given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from w2s.cli import main

__all__ = ["Say", "refused"]


Say = Callable[..., str]


def refused(words: list[str], capsys: pytest.CaptureFixture[str], *, status: int = 2) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert ended.value.code == status, err
    # What the library has to say of the data may come first, indented.
    *said, last = err.splitlines(keepends=True)
    assert all(line.startswith("    ") for line in said), err
    assert last.endswith("\n") and last.startswith("w2s: "), err
    assert "Traceback" not in err and "<class" not in err and "typing." not in err
    assert out == ""
    return last.removeprefix("w2s: ").rstrip("\n")
