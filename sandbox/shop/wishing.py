"""What customers put on their wish lists."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from oscar.core.loading import get_model

from .goods import SOLD_OUT
from .people import CUSTOMER

WISHERS = 40
#: What the customer whose password is printed wishes for, beside what is sold out.
_WISHED = frozenset({"Ridge tent for two", "Winter stove"})


def make_wish_lists(customers: list[Any], stock: list[Any], random: Random, now: datetime) -> int:
    """Give some customers a wish list, and return how many things stand on all of them."""
    list_model, line_model = get_model("wishlists", "WishList"), get_model("wishlists", "Line")
    # What has variants is wished for as a whole, as its page offers it.
    shown = {record.product.parent or record.product for record in stock}
    goods = sorted(shown, key=lambda product: int(product.pk))
    others = [user for user in customers if user.username != CUSTOMER.role]
    wished = [(user, random.sample(goods, k=random.randint(1, 4))) for user in
              random.sample(others, k=WISHERS)]  # fmt: skip
    customer = next(user for user in customers if user.username == CUSTOMER.role)
    wished.append((customer, [one for one in goods if one.title in SOLD_OUT | _WISHED]))
    lists = list_model.objects.bulk_create(
        list_model(
            owner=user,
            key=f"w{number:05d}",
            date_created=now - timedelta(days=60 * random.random()),
        )
        for number, (user, _) in enumerate(wished)
    )
    lines = line_model.objects.bulk_create(
        line_model(wishlist=one, product=product, title=product.get_title())
        for one, (_, products) in zip(lists, wished, strict=True)
        for product in products
    )
    return len(lines)
