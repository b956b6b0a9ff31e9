"""Names of blocks by which Wagtail's picker asks for their previews, the same in every process."""

from __future__ import annotations

from typing import Any

from wagtail.blocks import Block


def rename(block: Any, name: str) -> None:
    """Give a block a name of its own and take it off Wagtail's list of blocks.

    Wagtail counts blocks as they are made, which each process does in its own order.
    """
    del Block.definition_registry[block.definition_prefix]
    block.definition_prefix = name


def register(block: Any, name: str) -> None:
    """Give a block a name of its own, by which Wagtail finds it."""
    rename(block, name)
    Block.definition_registry[name] = block
