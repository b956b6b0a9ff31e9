"""The shop in the reader's city: Oscar's partners, and where people have things sent."""

from __future__ import annotations

from ...content import stores


def register() -> None:
    """Register everything of this room: importing its modules registers their classes."""
    from . import context, partners  # noqa: F401 - importing registers

    stores.register_merge_tags()
