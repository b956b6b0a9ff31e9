"""Blocks for now and then: chosen products, social links, a film, answers in one click, a countdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import pgettext, pgettext_lazy
from wagtail import blocks

from oscar_triggers.shop.products.chosen import price_path

from .base import LetterBlock, Surroundings, register
from .pictures import PictureBlock
from .products import (
    ProductChooserBlock,
    address_of,
    newest_products,
    picture_of,
    why_hidden,
)
from .texts import MergeTextBlock

_SHOP = pgettext_lazy("triggers", "From the shop")
#: What would end the words inside a merge tag.
_FORBIDDEN = re.compile(r'["|{}%]')
#: So many products stand in the preview.
_SHOWN = 2
_MORE = pgettext_lazy("triggers", "More")
#: What a countdown may count to, beside a day that the author chose.
_ENDINGS = {"voucher": "voucher.days_left", "pickup": "order.pickup_days_left"}


@register
class ProductsBlock(LetterBlock):
    """Products that the author chose: as they are when it is published, at the price of each reader."""

    kind = "products"
    cog = ("shows_price", "button")

    products = blocks.ListBlock(
        ProductChooserBlock(required=False),
        label=pgettext_lazy("triggers", "Products"),
        max_num=12,
    )
    shows_price = blocks.BooleanBlock(
        label=pgettext_lazy("triggers", "With the price"), required=False, default=True
    )
    button = MergeTextBlock(
        label=pgettext_lazy("triggers", "Text of the link below each"), required=False
    )

    class Meta:
        icon = "pick"
        label = pgettext_lazy("triggers", "Chosen products")
        description = pgettext_lazy(
            "triggers", "Products that you choose, each with the price that its reader pays."
        )
        group = _SHOP
        template = "wagtail_triggers/letter/products.mjml"
        help_text = pgettext_lazy(
            "triggers", "The price is what the shop asks the reader on the day of the letter."
        )

    def get_preview_value(self) -> Any:
        """Return what was put in the shop last, where everybody can look at it."""
        value = super().get_preview_value()
        value["products"] = self.child_blocks["products"].normalize(newest_products(_SHOWN))
        return value

    def warnings(self, value: Mapping[str, Any]) -> list[str]:
        """Name the products that nobody can look at."""
        chosen = [product for product in value.get("products") or () if product is not None]
        if not chosen:
            return [pgettext("triggers", "no product is chosen.")]
        return [hidden for hidden in map(why_hidden, chosen) if hidden]

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return title, address and picture of each that is shown in the shop."""
        return {
            "products": [
                {
                    "title": product.get_title(),
                    "url": address_of(product),
                    "image_url": picture_of(product),
                    "price": price_path(product.pk),
                    "if_price": f"if {price_path(product.pk)}",
                }
                for product in value.get("products") or ()
                if product is not None and not why_hidden(product)
            ]
        }


@register
class SocialBlock(LetterBlock):
    """The shop's pages elsewhere, as they stand in the looks of letters."""

    kind = "social"

    class Meta:
        icon = "group"
        label = pgettext_lazy("triggers", "Social networks")
        description = pgettext_lazy(
            "triggers", "Links to the shop's pages elsewhere, as the looks of letters name them."
        )
        group = _MORE
        template = "wagtail_triggers/letter/social.mjml"


@register
class VideoBlock(PictureBlock):
    """A still of a film, with a link to where it plays: mailboxes play none."""

    kind = "video"

    address = MergeTextBlock(label=pgettext_lazy("triggers", "Address of the film"))
    words = MergeTextBlock(
        label=pgettext_lazy("triggers", "Words of the link below it"),
        help_text=pgettext_lazy("triggers", "As in: Watch the film (2 min)"),
    )

    class Meta:
        icon = "media"
        label = pgettext_lazy("triggers", "Film")
        description = pgettext_lazy(
            "triggers", "A still of a film with a link to it: mailboxes play no films."
        )
        preview_value = {
            "address": "https://video.example/",
            "words": pgettext_lazy("triggers", "Watch the film (2 min)"),
        }
        group = _MORE
        template = "wagtail_triggers/letter/video.mjml"


@register
class StarsBlock(LetterBlock):
    """How many stars? Each leads to the question's page with that answer chosen."""

    kind = "survey_stars"
    needs = "survey.url"

    question = MergeTextBlock(label=pgettext_lazy("triggers", "Question"))

    class Meta:
        icon = "pick"
        label = pgettext_lazy("triggers", "Stars")
        description = pgettext_lazy(
            "triggers", "A question with one to five stars for an answer; a click answers it."
        )
        preview_value = {"question": pgettext_lazy("triggers", "How do you like it?")}
        group = _MORE
        template = "wagtail_triggers/letter/answers.mjml"

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return each answer with its path."""
        answers = [(f"survey.star_{n}", "★" * n, str(n)) for n in range(1, 6)]
        return {"answers": answers, "is_large": True}


@register
class NpsBlock(LetterBlock):
    """Would you recommend us? From 0 to 10."""

    kind = "survey_nps"
    needs = "survey.nps_url"

    question = MergeTextBlock(label=pgettext_lazy("triggers", "Question"))

    class Meta:
        icon = "order"
        label = pgettext_lazy("triggers", "0 to 10")
        description = pgettext_lazy(
            "triggers", "Whether the reader would recommend you, from 0 to 10; a click answers it."
        )
        preview_value = {
            "question": pgettext_lazy("triggers", "Would you recommend us to a friend?")
        }
        group = _MORE
        template = "wagtail_triggers/letter/answers.mjml"

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return each answer with its path."""
        return {"answers": [(f"survey.nps_{n}", str(n), str(n)) for n in range(11)]}


@register
class CountdownBlock(LetterBlock):
    """How many days are left, counted when the letter is sent; nothing once they are over."""

    kind = "countdown"

    until = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Counts down to"),
        required=False,
        default="day",
        choices=[
            ("day", pgettext_lazy("triggers", "a day:")),
            ("voucher", pgettext_lazy("triggers", "the end of the letter's voucher")),
            ("pickup", pgettext_lazy("triggers", "the end of the order's pick-up")),
        ],
        help_text=pgettext_lazy(
            "triggers", "Where the letter has no voucher or pick-up, nothing is shown."
        ),
    )
    last_day = blocks.DateBlock(label=pgettext_lazy("triggers", "Day"), required=False)
    before = MergeTextBlock(
        label=pgettext_lazy("triggers", "Words before the number"), required=False
    )
    forms = blocks.RegexBlock(
        regex=r"\A[^,\"|{}%]+(,[^,\"|{}%]+){1,4}\Z",
        label=pgettext_lazy("triggers", "The word for days"),
        default="day,days",
        help_text=pgettext_lazy(
            "triggers", "Its forms with commas between: day,days; день,дня,дней."
        ),
    )
    after = MergeTextBlock(label=pgettext_lazy("triggers", "Words after it"), required=False)
    today = MergeTextBlock(
        label=pgettext_lazy("triggers", "Instead of all that, on the last day"),
        help_text=pgettext_lazy("triggers", "As in: Today is the last day!"),
    )

    class Meta:
        icon = "time"
        label = pgettext_lazy("triggers", "Countdown in days")
        description = pgettext_lazy(
            "triggers", "How many days are left, counted on the day of the letter."
        )
        preview_value = {
            "before": pgettext_lazy("triggers", "Only"),
            "after": pgettext_lazy("triggers", "left"),
            "today": pgettext_lazy("triggers", "Today is the last day!"),
        }
        group = _MORE
        template = "wagtail_triggers/letter/countdown.mjml"

    def clean(self, value: Any) -> Any:
        """Ask for the day that is counted down to, when it is published."""
        cleaned = super().clean(value)
        if self.is_deferred_validation or _ending(cleaned) or cleaned.get("last_day"):
            return cleaned
        message = pgettext("triggers", "Choose the day that is counted down to.")
        raise blocks.StructBlockValidationError(block_errors={"last_day": ValidationError(message)})

    def condition(self, value: Mapping[str, Any]) -> str:
        """Show it until the last day."""
        asked = super().condition(value)
        ending = _ending(value)
        ends = f"{ending} >= 0" if ending else f'today <= "{_day(value)}"'
        return f"{ends} and {asked}" if asked else ends

    def letter_values(self, value: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return the day as it is compared, and what counts the days to it."""
        forms = _FORBIDDEN.sub("", str(value.get("forms") or "day,days"))
        plural = f'plural:"{forms}"'
        ending = _ending(value)
        if ending:
            return {"is_last": f"if {ending} == 0", "counted": ending, "words": plural}
        day = _day(value)
        days = f'days_until:"{day}"'
        return {
            "is_last": f'if today == "{day}"',
            "counted": "today",
            "days": days,
            "words": f"{days}|{plural}",
        }


def _ending(value: Mapping[str, Any]) -> str:
    """Return the merge path of the days that are left of something; "" for a day of the author's."""
    return _ENDINGS.get(str(value.get("until") or ""), "")


def _day(value: Mapping[str, Any]) -> str:
    day = value.get("last_day")
    return day.isoformat() if isinstance(day, date) else "2000-01-01"
