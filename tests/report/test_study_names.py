"""Experiments that are compared have a name each, whatever their folders are called: their files lie apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from made_up import write_run

from w2s.results.study import run_names


def named(folders: list[str], tmp_path: Path) -> list[str]:
    result = write_run(tmp_path)
    return run_names([dataclasses.replace(result, folder=Path(folder)) for folder in folders])


def test_runs_of_one_name_are_numbered(tmp_path: Path) -> None:
    assert named(["a/run", "b/run", "c/other", "d/run"], tmp_path) == ["run", "run (2)", "other", "run (4)"]


@given(st.lists(st.sampled_from(["run", "run (2)", "run (3)", "run (2) (4)", ""]), max_size=6))
def test_no_two_have_one_name_and_a_folder_of_its_own_name_keeps_it(folders: list[str]) -> None:
    names = run_names([_Named(Path("x") / folder if folder else Path("/")) for folder in folders])  # type: ignore[misc]
    assert len(set(names)) == len(names) == len(folders)
    assert all(
        name == folder for name, folder in zip(names, folders, strict=True) if folder and folders.count(folder) == 1
    )


@dataclasses.dataclass
class _Named:
    folder: Path
