"""Ninety days of what people did: views, baskets of every status, orders, reviews.

Rows are written in bulk, which sends no signals: the past happened before anyone listened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import F
from oscar.core.loading import get_model
from oscar.test import factories

from . import wishing
from .people import CUSTOMER

DAYS = 90
BASKETS = 900
VIEWS = 2500
REVIEWS = 140
_SHIPPING = Decimal("4.90")
_OPINIONS = (
    (5, "Exactly right", "Carried it over the moors for a week. Would buy again."),
    (5, "A joy", "Looks as good as it works."),
    (4, "Nearly perfect", "A little heavier than I thought, and worth it."),
    (4, "Solid", "Does what it says."),
    (3, "It is fine", "Good, but the colour differs from the picture."),
    (2, "Hm", "The second one was better than the first."),
)


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """Something that lies in a basket."""

    stock: Any
    quantity: int


@dataclass(kw_only=True)
class _Visit:
    """One basket before it is a row: whose, when, what is in it, how it ended."""

    owner: Any
    began: datetime
    ended: datetime
    status: str
    ordered: bool
    wishes: list[_Wish]
    #: Of its order; "" for one of those that are usual.
    order_status: str = ""


def make_the_past(customers: list[Any], random: Random, now: datetime) -> dict[str, int]:
    """Write ninety days of history that end now, and return how many rows of each sort."""
    stock = list(
        get_model("partner", "StockRecord").objects.select_related("product__parent", "partner")
    )
    visits = [_visit(customers, stock, random, now) for _ in range(BASKETS)]
    visits += _visits_of_the_customer(stock, now)
    visits.sort(key=lambda visit: visit.began)
    with back_dated(
        get_model("basket", "Basket"),
        get_model("basket", "Line"),
        get_model("analytics", "UserProductView"),
        get_model("reviews", "ProductReview"),
        get_model("wishlists", "WishList"),
        get_model("order", "OrderStatusChange"),
    ):
        baskets = _make_baskets(visits)
        orders = _make_orders(visits, baskets, random)
        views = _make_views(customers, stock, random, now)
        reviews = _make_reviews(customers, stock, random, now)
        wishes = wishing.make_wish_lists(customers, stock, random, now)
    _count_up(visits, views)
    return {
        "baskets": len(baskets),
        "orders": orders,
        "views": len(views),
        "reviews": reviews,
        "wishes": wishes,
    }


@contextmanager
def back_dated(*rows: type[models.Model]) -> Iterator[None]:
    """Let rows keep the dates they are given instead of the moment of writing."""
    fields: list[Any] = [
        field
        for model in rows
        for field in model._meta.get_fields()
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    ]
    before = [(field, field.auto_now, field.auto_now_add) for field in fields]
    for field in fields:
        field.auto_now = field.auto_now_add = False
    try:
        yield
    finally:
        for field, auto_now, auto_now_add in before:
            field.auto_now, field.auto_now_add = auto_now, auto_now_add


def _visit(customers: list[Any], stock: list[Any], random: Random, now: datetime) -> _Visit:
    # More happened lately than long ago, as in a shop that grows.
    days_ago = DAYS * random.random() ** 1.4
    ended = now - timedelta(days=days_ago, minutes=random.randint(5, 90))
    began = ended - timedelta(minutes=random.randint(1, 240))
    owner = random.choice(customers) if random.random() < 0.72 else None
    status, ordered = random.choices(
        (("Submitted", True), ("Open", False), ("Merged", False), ("Frozen", False)),
        (42, 44, 9, 5),
    )[0]
    wishes: list[_Wish] = []
    # A merged basket gave its lines away; some open ones were emptied by hand.
    if status != "Merged" and not (status == "Open" and random.random() < 0.06):
        count = random.choices((1, 2, 3, 5), (5, 4, 2, 1))[0]
        wishes = [
            _Wish(stock=record, quantity=random.choices((1, 2, 4), (8, 3, 1))[0])
            for record in random.sample(stock, k=count)
        ]
    if status == "Merged":
        owner = None
    return _Visit(
        owner=owner, began=began, ended=ended, status=status, ordered=ordered, wishes=wishes
    )


def _visits_of_the_customer(stock: list[Any], now: datetime) -> list[_Visit]:
    """Return what the customer whose password is printed bought: it arrived, and is on its way."""
    owner = get_user_model().objects.get(username=CUSTOMER.role)
    return [
        _Visit(
            owner=owner,
            began=now - timedelta(days=days, minutes=20),
            ended=now - timedelta(days=days),
            status="Submitted",
            ordered=True,
            wishes=[
                _Wish(stock=record, quantity=1)
                for record in stock
                if record.product.title in titles
            ],
            order_status=status,
        )
        for days, status, titles in (
            (5, "Delivered", ("Pocket stove", "Skillet, 20 cm")),
            (1, "Shipped", ("Brass compass",)),
        )
    ]


def _tell_of_deliveries(orders: list[Any]) -> None:
    """Write when orders arrived, as Oscar does when staff set their status: after two days."""
    model = get_model("order", "OrderStatusChange")
    model.objects.bulk_create(
        model(
            order=order,
            old_status="Shipped",
            new_status="Delivered",
            date_created=order.date_placed + timedelta(days=2),
        )
        for order in orders
        if order.status == "Delivered"
    )


def _make_baskets(visits: list[_Visit]) -> list[Any]:
    model, line_model = get_model("basket", "Basket"), get_model("basket", "Line")
    _one_open_basket_each(visits)
    baskets = model.objects.bulk_create(
        model(
            owner=visit.owner,
            status=visit.status,
            date_created=visit.began,
            date_submitted=visit.ended if visit.ordered else None,
            date_merged=visit.ended if visit.status == "Merged" else None,
        )
        for visit in visits
    )
    lines = []
    for visit, basket in zip(visits, baskets, strict=True):
        for wish in visit.wishes:
            product, price = wish.stock.product, wish.stock.price
            lines.append(
                line_model(
                    basket=basket,
                    line_reference=f"{product.pk}_{wish.stock.pk}",
                    product=product,
                    stockrecord=wish.stock,
                    quantity=wish.quantity,
                    price_currency=wish.stock.price_currency,
                    price_excl_tax=price,
                    price_incl_tax=price,
                    date_created=visit.began,
                    date_updated=visit.ended,
                )
            )
    line_model.objects.bulk_create(lines)
    return list(baskets)


def _one_open_basket_each(visits: list[_Visit]) -> None:
    """Keep the newest open basket of a member; Oscar would merge the others into it."""
    # The customer whose password is printed begins with an empty basket.
    seen = {int(get_user_model().objects.get(username=CUSTOMER.role).pk)}
    for visit in reversed(visits):
        if visit.status == "Open" and visit.owner is not None:
            if visit.owner.pk in seen:
                visit.owner = None
            else:
                seen.add(visit.owner.pk)


def _make_orders(visits: list[_Visit], baskets: list[Any], random: Random) -> int:
    order_model, line_model = get_model("order", "Order"), get_model("order", "Line")
    address_model = get_model("order", "ShippingAddress")
    country = factories.CountryFactory(
        iso_3166_1_a2="GB", printable_name="United Kingdom", is_shipping_country=True
    )
    sold = [(visit, basket) for visit, basket in zip(visits, baskets, strict=True) if visit.ordered]
    addresses = address_model.objects.bulk_create(
        factories.ShippingAddressFactory.build(
            country=country,
            first_name=visit.owner.first_name if visit.owner else "Sam",
            last_name=visit.owner.last_name if visit.owner else "Guest",
            phone_number="",
        )
        for visit, _ in sold
    )
    orders = []
    for number, ((visit, basket), address) in enumerate(zip(sold, addresses, strict=True)):
        goods = sum((wish.stock.price * wish.quantity for wish in visit.wishes), Decimal(0))
        orders.append(
            order_model(
                # As Oscar's own OrderNumberGenerator numbers them.
                number=str(100_000 + basket.pk),
                site_id=settings.SITE_ID,
                basket=basket,
                user=visit.owner,
                guest_email="" if visit.owner else f"guest{number:03d}@example.com",
                currency=settings.OSCAR_DEFAULT_CURRENCY,
                total_incl_tax=goods + _SHIPPING,
                total_excl_tax=goods + _SHIPPING,
                shipping_incl_tax=_SHIPPING,
                shipping_excl_tax=_SHIPPING,
                shipping_address=address,
                shipping_method="Parcel",
                shipping_code="parcel",
                status=visit.order_status
                or random.choices(
                    ("Complete", "Being processed", "Pending", "Cancelled"), (12, 3, 2, 1)
                )[0],
                date_placed=visit.ended,
            )
        )
    order_model.objects.bulk_create(orders)
    _tell_of_deliveries(orders)
    line_model.objects.bulk_create(
        _order_line(line_model, order, wish)
        for order, (visit, _) in zip(orders, sold, strict=True)
        for wish in visit.wishes
    )
    _remember_buyers(orders, sold)
    return len(orders)


def _order_line(model: Any, order: Any, wish: _Wish) -> Any:
    product, price = wish.stock.product, wish.stock.price
    total = price * wish.quantity
    return model(
        order=order,
        partner=wish.stock.partner,
        partner_name=wish.stock.partner.name,
        partner_sku=wish.stock.partner_sku,
        stockrecord=wish.stock,
        product=product,
        title=product.get_title(),
        quantity=wish.quantity,
        line_price_incl_tax=total,
        line_price_excl_tax=total,
        line_price_before_discounts_incl_tax=total,
        line_price_before_discounts_excl_tax=total,
        unit_price_incl_tax=price,
        unit_price_excl_tax=price,
        status=order.status,
        num_allocated=0,
    )


def _remember_buyers(orders: list[Any], sold: list[tuple[_Visit, Any]]) -> None:
    model = get_model("analytics", "UserRecord")
    records: dict[int, Any] = {}
    for order, (visit, _) in zip(orders, sold, strict=True):
        if visit.owner is None:
            continue
        record = records.setdefault(visit.owner.pk, model(user=visit.owner))
        record.num_orders += 1
        record.num_order_lines += len(visit.wishes)
        record.num_order_items += sum(wish.quantity for wish in visit.wishes)
        record.total_spent += order.total_incl_tax
        record.date_last_order = visit.ended
    model.objects.bulk_create(records.values())


def _make_views(customers: list[Any], stock: list[Any], random: Random, now: datetime) -> list[Any]:
    model = get_model("analytics", "UserProductView")
    shown = [record.product.parent or record.product for record in stock]
    views: list[Any] = model.objects.bulk_create(
        model(
            user=random.choice(customers),
            product=random.choice(shown),
            date_created=now - timedelta(days=DAYS * random.random()),
        )
        for _ in range(VIEWS)
    )
    return views


def _make_reviews(customers: list[Any], stock: list[Any], random: Random, now: datetime) -> int:
    model = get_model("reviews", "ProductReview")
    products = {record.product.parent or record.product for record in stock}
    shown = sorted(products, key=lambda product: int(product.pk))
    # A person reviews a product once.
    pairs = {(random.choice(shown), random.choice(customers)) for _ in range(REVIEWS)}
    reviews = []
    for product, user in sorted(pairs, key=lambda pair: (pair[0].pk, pair[1].pk)):
        score, title, body = random.choices(_OPINIONS, (6, 4, 4, 3, 2, 1))[0]
        reviews.append(
            model(
                product=product,
                user=user,
                score=score,
                title=title,
                body=body,
                status=model.APPROVED,
                date_created=now - timedelta(days=DAYS * random.random()),
            )
        )
    model.objects.bulk_create(reviews)
    for product in {review.product for review in reviews}:
        product.update_rating()
    return len(reviews)


def _count_up(visits: list[_Visit], views: list[Any]) -> None:
    """Fill the popularity record that Oscar's own reports read."""
    model = get_model("analytics", "ProductRecord")
    seen = Counter(view.product_id for view in views)
    added = Counter(wish.stock.product_id for visit in visits for wish in visit.wishes)
    bought = Counter(
        wish.stock.product_id for visit in visits if visit.ordered for wish in visit.wishes
    )
    model.objects.bulk_create(
        model(
            product_id=product_id,
            num_views=seen[product_id],
            num_basket_additions=added[product_id],
            num_purchases=bought[product_id],
        )
        for product_id in sorted({*seen, *added, *bought})
    )
    model.objects.update(score=F("num_views") + 3 * F("num_basket_additions"))
