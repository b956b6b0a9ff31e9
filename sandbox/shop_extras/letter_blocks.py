"""A block of the shop's own for letters: discovered by its name, as `triggers.py` is."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from wagtail_triggers.letter_blocks import LetterBlock, MergeTextBlock, register


@register
class QuoteBlock(LetterBlock):
    """What a customer said."""

    kind = "quote"

    words = MergeTextBlock(label=_("Words"))
    who = blocks.CharBlock(label=_("Who said it"), required=False)

    class Meta:
        icon = "openquote"
        label = _("Quote")
        description = _("What a customer said about the shop.")
        template = "shop_extras/quote.mjml"
