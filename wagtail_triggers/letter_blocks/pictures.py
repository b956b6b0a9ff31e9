"""Blocks with pictures: an image, and a hero with words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import pgettext, pgettext_lazy
from wagtail import blocks
from wagtail.images.blocks import ImageChooserBlock

from oscar_triggers.conf import site_settings

from .base import LetterBlock, Surroundings, register
from .links import LinkBlock
from .texts import MergeTextBlock

_PICTURES = pgettext_lazy("triggers", "Pictures")
#: Twice the width of a letter, for sharp screens.
RENDITION = "width-1200"


def picture_address(image: Any) -> str:
    """Return the whole address of a picture that fits a letter; "" where its file is gone."""
    if image is None:
        return ""
    try:
        url = image.get_rendition(RENDITION).url
    except (OSError, ValueError):
        return ""
    return url if "://" in url else f"{site_settings(None).base_url}{url}"


class PictureBlock(LetterBlock):
    """What blocks with a picture share."""

    image = ImageChooserBlock(label=pgettext_lazy("triggers", "Picture"))
    alt = MergeTextBlock(
        label=pgettext_lazy("triggers", "What it shows"),
        required=False,
        help_text=pgettext_lazy(
            "triggers",
            "For those who do not see it. Empty only where it is mere decoration.",
        ),
    )

    def warnings(self, value: Mapping[str, Any]) -> list[str]:
        """Say that the picture or its text is missing."""
        found = []
        if not picture_address(value.get("image")):
            found.append(pgettext("triggers", "there is no picture."))
        elif not value.get("alt"):
            found.append(
                pgettext("triggers", "say what the picture shows, unless it is mere decoration.")
            )
        return found

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return the picture's address."""
        return {"src": picture_address(value.get("image"))}


@register
class ImageBlock(PictureBlock):
    """A picture, which may lead somewhere."""

    kind = "image"
    cog = ("width",)

    link = LinkBlock(label=pgettext_lazy("triggers", "Link"), required=False)
    width = blocks.IntegerBlock(
        label=pgettext_lazy("triggers", "Width in pixels"),
        min_value=20,
        max_value=600,
        required=False,
    )

    class Meta:
        icon = "image"
        label = pgettext_lazy("triggers", "Picture")
        description = pgettext_lazy("triggers", "A picture of yours, which may lead somewhere.")
        group = _PICTURES
        template = "wagtail_triggers/letter/image.mjml"


@register
class HeroBlock(PictureBlock):
    """A large picture with a title, a text and a button below it."""

    kind = "hero"

    title = MergeTextBlock(label=pgettext_lazy("triggers", "Title"))
    text = MergeTextBlock(label=pgettext_lazy("triggers", "Text"), required=False)
    button = MergeTextBlock(label=pgettext_lazy("triggers", "Button"), required=False)
    link = LinkBlock(label=pgettext_lazy("triggers", "It leads to"), required=False)

    class Meta:
        icon = "media"
        label = pgettext_lazy("triggers", "Picture with title and button")
        description = pgettext_lazy(
            "triggers",
            "A large picture to open a letter with; title, text and button stand below it.",
        )
        preview_value = {
            "title": pgettext_lazy("triggers", "New in spring"),
            "text": pgettext_lazy("triggers", "Light, green, and picked last week."),
            "button": pgettext_lazy("triggers", "Have a look"),
        }
        group = _PICTURES
        template = "wagtail_triggers/letter/hero.mjml"
