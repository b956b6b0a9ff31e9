"""The blocks that letters are made of; apps of the shop add theirs in a `letter_blocks.py`."""

# Registering happens by importing, in the order in which editors are offered the blocks.
from . import words, pictures, shop, more, layout, ending  # isort: skip
from .base import LetterBlock, Surroundings, register, registry
from .brands import Brand
from .links import LinkBlock
from .products import ProductChooserBlock
from .rich_text import MergeRichTextBlock
from .showing import Showing, register_showings
from .streams import letter_stream
from .texts import ColourBlock, MergeTextBlock

__all__ = [
    "Brand",
    "ColourBlock",
    "LetterBlock",
    "LinkBlock",
    "MergeRichTextBlock",
    "MergeTextBlock",
    "ProductChooserBlock",
    "Showing",
    "Surroundings",
    "ending",
    "layout",
    "letter_stream",
    "more",
    "pictures",
    "register",
    "register_showings",
    "registry",
    "shop",
    "words",
]
