"""The pages: no link leads nowhere, every page is on the site, every public name is in the reference."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import w2s

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def prose(page: Path) -> str:
    """A page without what is set off as code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a code host makes of the headings: lower case, dashes for spaces, no other punctuation."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def links(page: Path) -> Iterator[str]:
    text = prose(page)
    yield from re.findall(r"\]\(([^)\s]+)\)", text)
    yield from re.findall(r'<img src="([^"]+)"', text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}: {target.name} has no such heading"


def test_every_page_is_on_the_site_once() -> None:
    toctrees = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    listed = [line for tree in toctrees for line in tree.splitlines() if line and not line.startswith(":")]
    assert sorted(listed) == sorted(
        page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md") if page.name != "index.md"
    )


REFERENCE = re.findall(r"^\.\. auto\w+:: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_public_name_is_in_the_reference_once() -> None:
    public = sorted(name.removeprefix("w2s.") for name in REFERENCE if name.count(".") == 1)
    assert public == w2s.__all__, "docs/api.md and w2s.__all__ differ"
    assert len(set(REFERENCE)) == len(REFERENCE)


def test_every_name_of_the_reference_is_defined_where_it_says_with_a_docstring() -> None:
    for name in REFERENCE:
        module, _, last = name.rpartition(".")
        if module == "w2s":  # tests/test_import.py
            continue
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None, name
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        found = [one for one in tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef) and one.name == last]
        assert found and ast.get_docstring(found[0]), f"{module} defines no {last}, or without a docstring"


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None and newest[1] == version


def test_the_table_of_the_quickstart_is_the_same_wherever_it_is_shown() -> None:
    """Its lines in the tutorial are those of docs/results.md, and the numbers of the README are among them."""
    results = (DOCS / "results.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    .*\[.*$", (DOCS / "tutorial.md").read_text(encoding="utf-8"), re.MULTILINE)
    table = [line for line in shown if "--" not in line]
    assert len(table) == 8
    assert "\n".join(table) in results
    lead = (ROOT / "README.md").read_text(encoding="utf-8").partition("One run cannot show more")[0]
    numbers = set(re.findall(r"\.\d{3}\b", lead.partition("What the quickstart shows")[2]))
    assert len(numbers) >= 7
    assert numbers <= set(re.findall(r"\.\d{3}\b", "\n".join(table)))


def test_pictures_are_small_and_shown() -> None:
    pictures = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    shown = {Path(link).name for page in PAGES for link in links(page) if link.endswith(".png")}
    assert set(pictures) == shown
    assert max(pictures.values()) < 200_000
