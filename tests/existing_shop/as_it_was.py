"""Builds the existing shop's tables and goods, as they were before the installation.

Run inside the project: `python -m tests.existing_shop.as_it_was`.
"""

from __future__ import annotations

from decimal import Decimal

import django
from django.test.utils import override_settings


def main() -> None:
    """Build the tables, two sites, a country and a mug."""
    django.setup()
    from django.contrib.sites.models import Site
    from oscar.core.loading import get_model

    from sandbox.shop import schema

    with override_settings(WITH_WAGTAIL=True):
        schema.build(lambda _step: None)
    for pk, domain, name in [
        (1, "shop.example", "The Example Shop"),
        (2, "outlet.example", "The Outlet"),
    ]:
        Site.objects.update_or_create(pk=pk, defaults={"domain": domain, "name": name})
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="GB", printable_name="United Kingdom", is_shipping_country=True
    )
    kind = get_model("catalogue", "ProductClass").objects.create(name="Gear")
    partner = get_model("partner", "Partner").objects.create(name="Whitby warehouse")
    mug = get_model("catalogue", "Product").objects.create(
        title="Enamel mug", product_class=kind, maker="Pine & Sons", slug="enamel-mug"
    )
    get_model("partner", "StockRecord").objects.create(
        product=mug,
        partner=partner,
        partner_sku="MUG",
        price=Decimal("12.50"),
        price_currency="GBP",
        num_in_stock=10,
        shelf="A",
    )


if __name__ == "__main__":
    main()
