"""Print the lowest version that `pyproject.toml` allows of each direct dependency, as constraints for pip.

Run as: `make lowest`, which installs these and runs the tests on them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["USER_EXTRAS", "lowest", "project"]

ROOT = Path(__file__).resolve().parents[2]
DEVELOPER_EXTRAS = frozenset({"benchmarks", "dev", "docs"})


def project() -> Mapping[str, Any]:
    """The table `project` of pyproject.toml."""
    found: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


USER_EXTRAS = sorted(set(project()["optional-dependencies"]) - DEVELOPER_EXTRAS)
"""The extras whose packages a user installs; those of developers are held by constraints.txt alone."""


def requirements() -> Sequence[str]:
    """What users install, with the bounds that are declared."""
    extras = project()["optional-dependencies"]
    return [*project()["dependencies"], *(one for extra in USER_EXTRAS for one in extras[extra])]


def lowest(requirement: str) -> tuple[str, str]:
    """The package and its lowest version, of a requirement such as `torch>=2.13` or `transformers>=5.23,<6`."""
    found = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?(?:>=|==)([\w.]+)(?:,<[\w.]+)?", requirement)
    if found is None:
        raise ValueError(f"pyproject.toml has the requirement {requirement!r}: expected a lowest version, >= or ==")
    return found[1], found[2]


if __name__ == "__main__":
    print("\n".join("==".join(lowest(one)) for one in requirements()))
