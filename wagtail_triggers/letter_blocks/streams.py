"""The stream of a letter's blocks, made from what is registered."""

from __future__ import annotations

from wagtail import blocks

from .base import registry


def letter_stream() -> blocks.StreamBlock:
    """Return a new stream of every registered block."""
    return blocks.StreamBlock([(kind, block()) for kind, block in registry.items()], required=False)
