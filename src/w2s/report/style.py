"""How the figures look, and how they are turned into SVG and PNG.

Colours are those of Okabe and Ito (2008), which people with any kind of colour vision tell apart. In the page
each stands for a CSS variable, so that the same picture serves light and dark.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "INK",
    "MOST_BARS",
    "MUTED",
    "ORANGE",
    "PAPER",
    "PERCENT",
    "Plot",
    "as_page_svg",
    "one_axes",
    "plain",
    "save",
    "styled",
]

# White a shade off, so that what is the paper can be told from what is white on purpose.
INK, MUTED, RULE, PAPER = "#1b1f24", "#5b6470", "#d5d9de", "#fefefe"
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#d55e00", "#56b4e9", "#8a7a00", "#4b3f92")
_PAGE_NAMES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    **{colour: f"var(--plot-{number}, {colour})" for number, colour in enumerate(COLOURS)},
}

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that pictures are the same everywhere
    "font.size": 9.5,
    "text.color": INK,
    "text.usetex": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}

# Without rounding: a tick at 2.5% must not read 2%.
PERCENT = FuncFormatter(lambda value, _: f"{round(100 * value, 6):g}%")

MOST_BARS = 10  # of a histogram: more distinct values are put into as many ranges

Arguments = ParamSpec("Arguments")


class Plot(Figure):
    """A figure that can be told in words.

    Attributes:
        title: A few words, for a heading.
        alt: A sentence with the main numbers, for who does not see the picture.
        caption: How to read it.
    """

    title: str = ""
    alt: str = ""
    caption: str = ""

    def describe(self, *, title: str, alt: str, caption: str) -> Plot:
        """Give the figure its words."""
        self.title, self.alt, self.caption = title, alt, caption
        return self

    def _repr_png_(self) -> bytes:
        """What a notebook shows, also where pyplot has not told it how to."""
        buffer = io.BytesIO()
        with _drawing():
            self.savefig(buffer, format="png", dpi=120, facecolor="white")
        return buffer.getvalue()


def styled(draw: Callable[Arguments, Plot]) -> Callable[Arguments, Plot]:
    """Draw in the style of the report, whatever the style outside; that one is left as it was."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Plot:
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return drawn


def one_axes(width: float, height: float) -> tuple[Plot, Any]:
    """A figure of one picture; sizes in inches."""
    plot = Plot(figsize=(width, height))
    return plot, plot.add_subplot()


def plain(text: str, limit: int = 28) -> str:
    """Text from data as a label: on one line, not too long, and never read as a formula."""
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text[: 4 * limit])
    visible = " ".join(visible.split())
    if len(visible) > limit or len(text) > 4 * limit:
        visible = visible[: limit - 1].rstrip() + "…"
    return visible.replace("$", r"\$") or "(empty)"


def save(figure: Plot, path: Path) -> None:
    """Write a figure as the name's suffix says: `.svg` (outlines, looks the same everywhere) or `.png`."""
    if path.suffix == ".svg":
        path.write_text(_svg(figure, text="path"), encoding="utf-8")
    else:
        with _drawing():
            figure.savefig(
                path, dpi=200, facecolor="white", metadata={"Title": figure.title, "Description": figure.alt}
            )


def as_page_svg(figure: Plot, name: str) -> str:
    """An `<svg>` element for a page: real text, the page's colours, no names that could meet another figure's."""
    svg = _svg(figure, text="none", salt=name)
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box, "matplotlib writes a viewBox"
    # The page has a title of its own for it, and a style element would hold for all of the page.
    svg = svg[svg.index("<g ") :]
    # Only inside of tags: a label may well read "#1b1f24".
    svg = re.sub(r"<[^>]*>", lambda tag: _page_tag(tag.group(), name), svg)
    return f'<svg {box.group()} aria-hidden="true">{svg}'


def _page_tag(tag: str, name: str) -> str:
    """A tag in the page's colours and fonts, its names marked with the figure's."""
    if tag.startswith("<g id="):
        return "<g>"
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", tag)
    tag = tag.replace("'DejaVu Sans', ", "")  # whatever the page is set in
    # A reference may look like a colour, but has more digits.
    return re.sub(r"#[0-9a-f]{6}\b", lambda colour: _PAGE_NAMES.get(colour.group(), colour.group()), tag)


def _svg(figure: Plot, *, text: str, salt: str = "w2s") -> str:
    buffer = io.StringIO()
    metadata: dict[str, Any] = {"Title": figure.title, "Description": figure.alt, "Date": None, "Creator": None}
    with _drawing(), matplotlib.rc_context({"svg.fonttype": text, "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()


class _drawing(warnings.catch_warnings):  # noqa: N801 - reads as the function it stands for
    """A label in a script that the font lacks is drawn as boxes; that is no reason to warn at every run."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from|.*[Ff]ont.*")
