"""Where a button or picture leads: a thing of the letter, a page, a product, or an address."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext, pgettext_lazy
from wagtail import blocks

from . import pages, products
from .texts import MergeTextBlock, as_text, written

#: What a letter itself knows, as merge tags.
OF_LETTER = {
    "basket": "{{ links.basket }}",
    "checkout": "{{ links.basket }}?to=checkout",
    "order": "{{ order.url }}",
    "pay": "{{ order.pay_url }}",
    "product_of_letter": "{{ product.url }}",
    "home": "{{ shop.url }}",
}
PAGE, PRODUCT, ADDRESS = "page", "product", "address"
#: Which field must be filled for a choice.
_FIELDS = {PAGE: "page", PRODUCT: "product", ADDRESS: "address"}


class LinkBlock(blocks.StructBlock):
    """One target, of several sorts."""

    to = blocks.ChoiceBlock(
        label=pgettext_lazy("triggers", "Leads to"),
        required=False,
        choices=[
            ("home", pgettext_lazy("triggers", "the shop's home page")),
            ("basket", pgettext_lazy("triggers", "the reader's basket")),
            ("checkout", pgettext_lazy("triggers", "the checkout")),
            ("order", pgettext_lazy("triggers", "the order's page")),
            ("pay", pgettext_lazy("triggers", "where the order is paid")),
            ("product_of_letter", pgettext_lazy("triggers", "the product of the letter")),
            (PAGE, pgettext_lazy("triggers", "a page:")),
            (PRODUCT, pgettext_lazy("triggers", "a product:")),
            (ADDRESS, pgettext_lazy("triggers", "an address:")),
        ],
    )
    page = blocks.PageChooserBlock(label=pgettext_lazy("triggers", "Page"), required=False)
    product = products.ProductChooserBlock(
        label=pgettext_lazy("triggers", "Product"), required=False
    )
    address = MergeTextBlock(
        label=pgettext_lazy("triggers", "Address"),
        required=False,
        help_text=pgettext_lazy("triggers", "Begins with https://; may hold personal data."),
    )

    class Meta:
        icon = "link"
        form_attrs = {"data-controller": "triggers-link"}

    def clean(self, value: Any) -> Any:
        """Ask for what the choice needs, and for a whole address, when it is published."""
        cleaned = super().clean(value)
        if self.is_deferred_validation:
            return cleaned
        to = cleaned.get("to")
        if not to:
            if self.required:
                raise _at("to", pgettext("triggers", "Choose where it leads."))
            return cleaned
        field = _FIELDS.get(to)
        if field and not cleaned.get(field):
            raise _at(field, pgettext("triggers", "Say where it leads."))
        problem = dead_link(cleaned)
        if problem:
            raise _at(field or "to", problem)
        return cleaned

    def to_letter(self, value: Any) -> SafeString:
        """Return the address as it stands in MJML; "" where there is none."""
        value = value or {}
        to = value.get("to") or ""
        if to in OF_LETTER:
            return mark_safe(OF_LETTER[to])  # noqa: S308 - written above
        if to == PAGE and value.get("page") is not None:
            return mark_safe(as_text(pages.address_of(str(value["page"].pk))))  # noqa: S308 - escaped
        if to == PRODUCT and value.get("product") is not None:
            return mark_safe(as_text(products.address_of(value["product"])))  # noqa: S308 - escaped
        if to == ADDRESS:
            return written(str(value.get("address") or "").strip())
        return mark_safe("")


def dead_link(value: Any) -> str:
    """Say why a link leads nowhere; "" where it leads somewhere."""
    to = value.get("to")
    if to == PAGE and value.get("page") is not None:
        if not pages.address_of(str(value["page"].pk)):
            return pgettext("triggers", "This page is not published; nobody can read it.")
    elif to == PRODUCT and value.get("product") is not None:
        return products.why_hidden(value["product"])
    elif to == ADDRESS:
        address = str(value.get("address") or "").strip()
        if not address.startswith("{{") and not address.lower().startswith(pages.SCHEMES):
            return pgettext("triggers", "Write the whole address, beginning with https://.")
    return ""


def _at(field: str, message: str) -> blocks.StructBlockValidationError:
    return blocks.StructBlockValidationError(block_errors={field: ValidationError(message)})
