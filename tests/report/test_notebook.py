"""The example notebook runs as it stands."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from made_up import write_run

NOTEBOOK = Path(__file__).parents[2] / "examples" / "figures.ipynb"


def test_notebook_draws_the_papers_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "run")
    monkeypatch.setenv("W2S_RUN", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    shown: list[Any] = []
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "the notebook is kept without outputs"
            shown.append(execute("".join(cell["source"]), names))
    assert [type(value).__name__ for value in shown] == ["NoneType", "Plot", "Plot", "str", "str"]
    assert (tmp_path / "entropy.pdf").stat().st_size > 1000
    assert (tmp_path / "confidence.pdf").stat().st_size > 1000


def execute(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, if that is an expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None
