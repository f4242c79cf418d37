"""What pyproject.toml asks for has a lowest version, and the versions that are tested satisfy it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lowest import lowest, project, requirements
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
PINNED = {canonicalize_name(name): version for name, version in PINS.items()}


@pytest.mark.parametrize("text", requirements())
def test_what_users_install_has_a_lowest_version_that_is_allowed(text: str) -> None:
    name, version = lowest(text)
    assert canonicalize_name(Requirement(text).name) == canonicalize_name(name)
    assert Requirement(text).specifier.contains(version)


EVERYTHING = [
    *project()["dependencies"],
    *(one for extra in project()["optional-dependencies"].values() for one in extra),
]


@pytest.mark.parametrize("text", sorted(set(EVERYTHING)))
def test_the_pinned_version_of_each_dependency_satisfies_its_bound(text: str) -> None:
    requirement = Requirement(text)
    pinned = PINNED.get(canonicalize_name(requirement.name))
    assert pinned is not None, f"constraints.txt pins no version of {requirement.name}"
    assert requirement.specifier.contains(pinned), f"constraints.txt has {pinned}: expected {requirement.specifier}"


def test_a_requirement_without_a_lowest_version_is_refused() -> None:
    with pytest.raises(ValueError, match="'torch': expected a lowest version"):
        lowest("torch")
    assert lowest("jsonargparse[signatures]>=4.53,<6") == ("jsonargparse", "4.53")
