"""Products that an author chose, named by number: the shop's product model may be forked."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch
from django.utils.functional import cached_property
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.widgets import BaseChooser
from wagtail.blocks import ChooserBlock

from oscar_triggers.conf import site_settings
from oscar_triggers.shop.pictures import picture_url

#: Oscar's label stays the same where its app was forked.
PRODUCT_MODEL = "catalogue.Product"


class ProductChooser(BaseChooser):
    """The field of one product; it opens the chooser of `viewsets.products`."""

    model = PRODUCT_MODEL
    icon = "tag"
    choose_one_text = pgettext_lazy("triggers", "Choose a product")
    choose_another_text = pgettext_lazy("triggers", "Choose another product")
    link_to_chosen_text = pgettext_lazy("triggers", "Edit this product")
    chooser_modal_url_name = "triggers_product_chooser:choose"


class ProductChooserBlock(ChooserBlock):
    """One product of the shop."""

    @cached_property
    def target_model(self) -> Any:
        """Return the shop's product model, once models are there."""
        return apps.get_model(PRODUCT_MODEL)

    @cached_property
    def widget(self) -> Any:
        """Return the chooser's widget."""
        return ProductChooser()

    class Meta:
        icon = "tag"


def address_of(product: Any) -> str:
    """Return the whole address of a product's page."""
    try:
        path = product.get_absolute_url()
    except NoReverseMatch:
        return ""
    return f"{site_settings(None).base_url}{path}"


def picture_of(product: Any) -> str:
    """Return the whole address of a product's picture; "" where it has none."""
    return picture_url(product, site_settings(None).base_url)


def why_hidden(product: Any) -> str:
    """Say why nobody can look at a product; "" where everybody can."""
    parent = getattr(product, "parent", None)
    if not product.is_public or (parent is not None and not parent.is_public):
        return pgettext("triggers", "“%(product)s” is not shown in the shop.") % {
            "product": product.get_title()
        }
    return ""


def newest_products(most: int) -> list[Any]:
    """Return the products that came last and that everybody can look at."""
    found = apps.get_model(PRODUCT_MODEL).objects.filter(is_public=True).exclude(structure="child")
    return list(found.order_by("-pk")[:most])
