"""How the pages of this folder become a site: `make docs`. They are written to read well without it, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

project = "w2s"
author = "the w2s developers"
copyright = f"2026, {author}"
version = release = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]  # type: ignore[index]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"w2s {release}"
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
highlight_language = "text"
default_role = "code"

# Headings are linked to by the names that a code host gives them.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

nitpicky = True
# What other projects document; types that Sphinx cuts in pieces; ours that are named in signatures and are no part of
# the reference.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|datetime|numpy|np|npt|os|pathlib|pa|pandas|pyarrow|rich|torch|typing|types)\b.*"),
    ("py:.*", r"(Any|Callable|Iterable|Iterator|Mapping|Sequence|Path|Tensor|ndarray|Floats|Json|Scope)"),
    ("py:.*", r"(dict|list|tuple)\[.*"),
    ("py:class", r"w2s\.(pipeline\.graph\.Graph|folders\.layout\.RunFolder|step\.Address|study\.plan\.Plan)"),
    ("py:class", r"w2s\.tasks\.(drawing\.Draw|records\.Hub|records\.Record|splits\.QuestionPool|splits\.Splits)"),
]


def without_links_to_files(app: Any, name: str, source: list[str]) -> None:
    """Turn links to files beside `docs/` into plain text: they are in the repository, and not in the site.

    Raises:
        FileNotFoundError: A link leads nowhere.
    """
    page = Path(app.srcdir) / name

    def shown(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = (page.parent / target.partition("#")[0]).resolve()
        if path.is_relative_to(app.srcdir):
            return link[0]
        if not path.exists():
            raise FileNotFoundError(f"{name}.md links to {target}, which is not there")
        return text

    source[0] = re.sub(r"\[([^\]]+)\]\(((?:\.\./)+[^)]+)\)", shown, source[0])


def with_defaults_that_parse(*described: Any) -> tuple[str | None, str | None]:
    """Show a default that is made anew each time as `...`: Sphinx cannot parse what dataclasses call it."""
    signature, returned = described[-2:]
    return signature and signature.replace("<factory>", "..."), returned


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", with_defaults_that_parse)
    app.connect("source-read", without_links_to_files)
