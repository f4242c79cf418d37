"""The example notebook runs as it stands, and ships with what it showed."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from made_up import Kind, write_run

from w2s.running import Result

NOTEBOOK = Path(__file__).parents[2] / "examples" / "figures.ipynb"
CELLS = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("kind", ["options", "fixed"])
def test_notebook_draws_the_papers_figures(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "run", kind=kind)
    monkeypatch.setenv("W2S_RUN", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = [execute("".join(cell["source"]), names) for cell in CELLS]
    kinds = ["Result", "DataFrame", "Plot", "Plot", "str", "str"]
    assert [type(value).__name__ for value in shown] == kinds
    assert ("Mean confidence" in shown[3].title) == (kind == "fixed")
    assert (tmp_path / "entropy.pdf").stat().st_size > 1000
    assert (tmp_path / "confidence.pdf").stat().st_size > 1000


def test_notebook_finds_the_quickstart_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "runs" / "quickstart")
    (tmp_path / "examples").mkdir()
    monkeypatch.delenv("W2S_RUN", raising=False)
    for folder in (tmp_path, tmp_path / "examples"):
        monkeypatch.chdir(folder)
        assert isinstance(execute("".join(CELLS[0]["source"]), {}), Result)


def test_notebook_ships_with_its_outputs_and_no_path_of_a_machine() -> None:
    assert all(cell["outputs"] for cell in CELLS)
    data = [output["data"] for cell in CELLS for output in cell["outputs"]]
    assert "text/html" in data[0] and sum("image/png" in one for one in data) == 2
    texts = " ".join(str(value) for one in data for name, value in one.items() if name.startswith("text"))
    here = ("/tmp/", f"{Path.home()}/", f"{Path(__file__).resolve().parents[2]}/")
    assert not any(place in texts for place in here)


def execute(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, if that is an expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None
