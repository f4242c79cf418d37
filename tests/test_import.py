"""The public face: light to import, complete, and the same to a type checker as at run time."""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

import w2s

HEAVY = ["torch", "transformers", "pyarrow", "numpy", "peft", "datasets", "matplotlib", "rich"]


def loaded_after(code: str) -> list[str]:
    """The heavy packages that a program has loaded at its end."""
    report = f"import json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: list[str] = json.loads(out.splitlines()[-1])
    return found


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import w2s; dir(w2s)") == []


@pytest.mark.parametrize("words", [["--help"], ["methods"], ["tasks"], ["score", "--help"], ["store"]])
def test_help_and_lists_load_no_torch(words: list[str]) -> None:
    code = f"from w2s.cli import main\ntry: main({words})\nexcept SystemExit: pass"
    assert not {"torch", "transformers", "peft", "datasets"} & set(loaded_after(code))


def test_an_experiment_is_planned_without_transformers() -> None:
    code = "import w2s.study.running, w2s.pipeline.graph as graph; from w2s.config import *; graph.Graph(Experiment())"
    assert not {"transformers", "peft", "datasets"} & set(loaded_after(code))


def test_a_pgr_needs_no_torch_and_is_right() -> None:
    assert "torch" not in loaded_after("import w2s; w2s.pgr(weak=0.68, student=0.80, ceiling=0.94)")
    assert w2s.pgr(weak=0.68, student=0.80, ceiling=0.94) == pytest.approx(0.12 / 0.26)
    assert math.isnan(w2s.pgr(weak=0.7, student=0.8, ceiling=0.7))


def test_every_public_name_is_there_and_sorted() -> None:
    for name in w2s.__all__:
        assert getattr(w2s, name).__name__ == name
    assert w2s.__all__ == sorted(w2s.__all__) == dir(w2s)


def test_a_type_checker_sees_what_is_there() -> None:
    tree = ast.parse(Path(w2s.__file__).read_text(encoding="utf-8"))
    conditions = [node for node in tree.body if isinstance(node, ast.If)]
    (guarded,) = [node for node in conditions if ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {
        (node.module, alias.name) for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    homes = {(module, name) for module, names in w2s._HOMES.items() for name in names}
    assert seen == homes
    assert {name for _, name in homes} == set(w2s.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'scores'"):
        w2s.scores  # noqa: B018
    assert not hasattr(w2s, "cli_main")


def test_the_package_tells_type_checkers_that_it_has_types() -> None:
    assert (Path(w2s.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_threads_wait_as_the_user_says_and_else_not_long(given: dict[str, str], expected: str | None) -> None:
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import os, w2s; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**plain, **given}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(expected)]
