"""What the commands of the stages share: where their table goes, and what they print as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["named", "out_file", "print_json", "refuse_inputs", "said_unparsed", "said_where", "say"]


def say(text: object = "", end: str = "\n") -> None:
    """Print a text; names in it may come from anywhere, so what would command a terminal is made visible."""
    from w2s.report.words import visible

    print(visible(str(text)), end=end)


def out_file(path: str | None, *inputs: str | None) -> None:
    """Make sure, before an hour's work, that its result can be written; what a killed one left beside it goes.

    Args:
        path: The file of --out, if any.
        *inputs: The files that are read.

    Raises:
        InputError: The file is of no format, or one of those that are read.
    """
    from w2s.files import remove_left_behind
    from w2s.tables import check_suffix

    refuse_inputs("--out", path, *inputs)
    if path is not None:
        check_suffix(Path(path))
        remove_left_behind(Path(path).expanduser().parent)


def refuse_inputs(option: str, output: str | None, *inputs: str | None) -> None:
    """Make sure that nothing that is read is written over.

    Raises:
        InputError: It would be.
    """
    for given in inputs if output else ():
        path, out = Path(given or "").expanduser(), Path(output or "").expanduser()
        if given and path.is_file() and out.exists() and out.samefile(path):
            raise InputError(f"{option} is {output}, which is read as well: expected another file")


def named(settings: Mapping[Any, Any]) -> dict[str, Any]:
    """Settings by their names: what YAML takes for a number is the name of none, and refused as such."""
    return {str(name): value for name, value in settings.items()}


def said_where(out: str | None) -> str:
    """The file that a table went to."""
    return out or "not written (--out FILE writes them)"


def said_unparsed(table: pa.Table) -> str:
    """How many answers of a table are none that could be read, to follow on a count; empty where all are."""
    unparsed = table["answer"].null_count
    return f"; {unparsed} could not be parsed" if unparsed else ""


def print_json(found: Mapping[str, Any], out: str | None) -> None:
    """What a command found, and the file or folder that it wrote."""
    print(json.dumps({**found, "out": out}, indent=1, default=list))
