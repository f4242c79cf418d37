"""The floors of the house: a file imports from its own floor's package or from below, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import w2s

SOURCE = Path(w2s.__file__).parent

# Lowest first. A name is a module of w2s or a whole package.
FLOORS: list[set[str]] = [
    {"errors"},
    {"progress", "environment", "files", "registry", "hub", "launched"},
    {"step", "reading", "folders"},
    {"tables", "store", "metrics", "debias"},
    {"config", "gold"},
    {"config_json"},
    {"tasks"},
    {"models", "servers"},
    {"engine"},
    {"supervisors", "reliability", "training"},
    {"methods", "paraphrasing"},
    {"plugins", "presets"},
    {"pipeline"},
    {"runners", "results"},
    {"forecast", "tracking"},
    {"report"},
    {"notebook"},
    {"running"},
    {"study", "exporting"},
    {"display", "doctor"},
    {"cli"},
    {"__main__"},
    {"__init__"},
]


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def under_type_checking(tree: ast.Module) -> set[ast.AST]:
    """What only a type checker reads."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }


def imports(tree: ast.Module) -> Iterator[str]:
    """The modules of w2s that a module imports, wherever in it: at the top or in a function."""
    unparsed = under_type_checking(tree)
    for node in ast.walk(tree):
        if node in unparsed:
            continue
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            package = node.module.split(".")
            if package[0] == "w2s":
                inside = ".".join(package[1:])
                for alias in node.names:
                    name = f"{inside}.{alias.name}".removeprefix(".")
                    yield name if name in MODULES else inside
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("w2s."):
                    yield alias.name.removeprefix("w2s.")


def floor(module: str) -> int:
    found = [number for number, names in enumerate(FLOORS) if module.split(".")[0] in names]
    assert len(found) == 1, f"{module} is on no floor: add it to FLOORS in tests/test_architecture.py"
    return found[0]


def test_the_walls_are_seen() -> None:
    assert len(MODULES) > 50
    assert {"w2s" not in name for name in MODULES} == {True}
    assert set(imports(MODULES["pipeline.steps"])) >= {
        "methods",
        "models.prepared",
        "step",
        "tasks",
        "training.student",
    }
    assert "results.records" not in set(imports(MODULES["report.tables"])), "an import for type checkers only is none"
    assert list(imports(ast.parse("import w2s.cli\nfrom w2s import cli, store"))) == ["cli", "cli", "store"]


@pytest.mark.parametrize("module", MODULES)
def test_no_import_runs_upward(module: str) -> None:
    for other in imports(MODULES[module]):
        if not other:  # from w2s import a name that is no module: the public face
            pytest.fail(f"{module} imports the public face of the package")
        here, there = module.split(".")[0], other.split(".")[0]
        if here != there:
            assert floor(there) < floor(here), f"{module} imports {other}, which is not below it"


def test_no_import_runs_in_a_circle() -> None:
    below = {name: set(imports(tree)) - {name} for name, tree in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(below.get(name, ())):
                visit(other, [*path, name])
            done.add(name)

    for name in below:
        visit(name, [])


# Each of these is maths or files or a graph to look at: importable in a moment, with no model in sight.
@pytest.mark.parametrize(
    "module",
    [
        *("metrics", "reliability", "store", "step", "config", "methods", "plugins"),
        *("pipeline.graph", "pipeline.steps", "results.records", "supervisors"),
    ],
)
def test_what_needs_no_model_imports_no_torch_at_the_top(module: str) -> None:
    def reached(name: str, seen: set[str]) -> Iterator[str]:
        if name in seen:
            return
        seen.add(name)
        tree = MODULES[name]
        top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        for node in top.body:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from names
        for other in imports(top):
            yield from reached(other, seen)

    heavy = {"torch", "transformers", "peft"} & {name.split(".")[0] for name in reached(module, set())}
    assert heavy == set()
