"""Small pictures of letters: a sheet, with a shape for each block, drawn from the blocks' kinds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 150
MARGIN, GAP = 14, 9
#: How tall the shape of a kind is; others are drawn as a line of words.
HEIGHTS = {
    "heading": 10,
    "text": 16,
    "button": 16,
    "basket_lines": 38,
    "order_lines": 38,
    "product_grid": 38,
    "products": 38,
    "image": 34,
    "hero": 34,
    "video": 34,
    "voucher": 24,
    "survey_stars": 14,
    "divider": 2,
}
_SHAPES = {
    "basket_lines": "lines",
    "order_lines": "lines",
    "product_grid": "lines",
    "products": "lines",
    "hero": "image",
    "video": "image",
    "survey_stars": "stars",
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What stands for one block."""

    #: "heading", "text", "button", "lines", "image", "voucher", "stars" or "divider".
    kind: str
    y: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The shapes of a letter, from top to bottom."""

    shapes: tuple[Shape, ...]
    height: int
    width: int = WIDTH


def sheet_of(kinds: Iterable[str]) -> Sheet:
    """Return the picture of a letter made of blocks of these kinds."""
    shapes, y = [], MARGIN
    for kind in kinds:
        known = kind if kind in HEIGHTS else "text"
        shapes.append(Shape(kind=_SHAPES.get(known, known), y=y, height=HEIGHTS[known]))
        y += HEIGHTS[known] + GAP
    return Sheet(shapes=tuple(shapes), height=y - GAP + MARGIN)
