"""Samples of a block's fields, by what sort of field each is: for the preview in the picker."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import pgettext
from wagtail import blocks
from wagtail.images.blocks import ImageChooserBlock

#: A field of a link with this name chooses where it leads.
_TO = "to"
_DAYS = 3


class SamplePicture:
    """Stands where an author chooses a picture: as much of an image as letters ask."""

    title = ""
    description = ""

    @property
    def url(self) -> str:
        """Return where it is, as Django serves static files."""
        return static("wagtail_triggers/sample-picture.svg")

    def get_rendition(self, _wanted: str) -> SamplePicture:
        """Return the same picture: it fits every size."""
        return self


def filled(
    block: blocks.StructBlock, given: Mapping[str, Any], left_out: Collection[str]
) -> blocks.StructValue:
    """Return a value of a block: what is given, its defaults, and a sample where both are empty."""
    value = block.get_default()
    value.update(block.normalize(given))
    for name, child in block.child_blocks.items():
        if name not in given and name not in left_out and not value.get(name):
            value[name] = _sample(child)
    return value


def _sample(block: blocks.Block) -> Any:
    if isinstance(block, blocks.RichTextBlock):
        words = pgettext("triggers", "Words of your own, with links and the reader's name.")
        return block.normalize(f"<p>{words}</p>")
    if isinstance(block, (blocks.CharBlock, blocks.TextBlock)):
        return str(block.label)
    if isinstance(block, blocks.DateBlock):
        return timezone.localdate() + timedelta(days=_DAYS)
    if isinstance(block, ImageChooserBlock):
        return SamplePicture()
    if isinstance(block, blocks.StructBlock) and _TO in block.child_blocks:
        return block.normalize({_TO: "home"})
    return block.get_default()
