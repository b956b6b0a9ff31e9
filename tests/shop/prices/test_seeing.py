"""Which prices a person saw: on pages, in baskets, on wish lists."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_triggers.engine import contacts
from oscar_triggers.models import JournalEntry, PriceSeen, ProductRequest
from oscar_triggers.shop.prices import receivers, seen
from oscar_triggers.snapshots import Person
from tests.shop.conftest import commit
from tests.shop.conftest import kinds as all_kinds
from tests.shopping import make_product

from .conftest import Shop, contact_of, saw

pytestmark = pytest.mark.django_db


def kinds() -> list[str]:
    """Return the kinds of what people did with products."""
    return [kind for kind in all_kinds() if kind.startswith("product_")]


def look_at(client: Client, product: Any, **headers: Any) -> None:
    """Open a product's page."""
    assert client.get(product.get_absolute_url(), headers=headers).status_code == 200
    commit()


def test_a_member_who_looks_at_a_product_saw_its_price(
    shop: Shop, shopper: Any, product: Any, member: Any
) -> None:
    look_at(shopper.client, product)
    assert kinds() == ["product_viewed"]
    shop.tick()
    assert saw(product, contact=contact_of(member)) == [("view", "12.50", "EUR")]


def test_looking_again_within_the_hour_is_one_look(
    shop: Shop, shopper: Any, product: Any, other_product: Any
) -> None:
    look_at(shopper.client, product)
    look_at(shopper.client, product)
    look_at(shopper.client, other_product)
    assert kinds() == ["product_viewed", "product_viewed"]


def test_a_stranger_leaves_no_trace(shop: Shop, guest: Any, product: Any) -> None:
    look_at(guest.client, product)
    guest.add(product)
    look_at(guest.client, product)
    assert kinds() == []
    shop.tick()
    assert not PriceSeen.objects.exists()


def test_a_guest_who_told_an_address_is_known_by_the_basket(
    shop: Shop, guest: Any, product: Any, other_product: Any
) -> None:
    guest.add(product)
    guest.start_checkout()
    shop.tick()
    look_at(guest.client, other_product)
    look_at(guest.client, other_product)
    assert kinds().count("product_viewed") == 1
    shop.tick()
    assert saw(product) == [("basket", "12.50", "EUR")]
    assert saw(other_product) == [("view", "189.00", "EUR")]
    [contact_id] = PriceSeen.objects.values_list("contact_id", flat=True).distinct()
    viewed = JournalEntry.objects.get(kind="product_viewed")
    assert viewed.contact_id == contact_id
    assert viewed.person["language"]


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": "python-requests/2.32"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
    ],
)
def test_machines_do_not_look(
    shop: Shop, shopper: Any, product: Any, headers: dict[str, str]
) -> None:
    look_at(shopper.client, product, **headers)
    assert kinds() == []


def test_only_a_page_that_was_shown_counts(shop: Shop, shopper: Any, product: Any) -> None:
    shopper.client.head(product.get_absolute_url())
    commit()
    assert kinds() == []


@pytest.mark.parametrize("known", ["member", "guest", "stranger"])
def test_a_look_costs_the_page_one_query_at_most(
    shop: Shop, guest: Any, product: Any, member: Any, rf: Any, known: str
) -> None:
    guest.add(product)
    if known == "guest":
        guest.start_checkout()
    shop.tick()
    request = rf.get("/")
    request.COOKIES = {name: morsel.value for name, morsel in guest.client.cookies.items()}
    request.user = member if known == "member" else None
    JournalEntry.objects.all().delete()
    with CaptureQueriesContext(connection) as queries:
        receivers.note_view(product=product, user=request.user, request=request)
        commit()
    assert len(queries) == 1
    assert JournalEntry.objects.count() == (0 if known == "stranger" else 1)


def test_nothing_that_goes_wrong_reaches_the_page(
    shop: Shop, shopper: Any, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(receivers.intake, "record_many", fail)
    look_at(shopper.client, product)
    monkeypatch.setattr(receivers.visitors, "site_id", fail)
    look_at(shopper.client, product)
    # Other apps may send the signal with less than Oscar does.
    receivers.note_view(sender=None)
    assert kinds() == []


def test_a_line_counts_at_the_price_at_which_it_was_put_in(
    shop: Shop, shopper: Any, product: Any, member: Any
) -> None:
    shopper.add(product)
    product.stockrecords.update(price=Decimal("14.00"))
    shop.tick()
    assert saw(product, contact=contact_of(member)) == [("basket", "12.50", "EUR")]
    line = shopper.basket.lines.get()
    shop.tick(timedelta(minutes=5))
    shopper.change_quantity(line, 3)
    shop.tick()
    assert saw(product) == [("basket", "12.50", "EUR")]


def test_a_line_without_any_signal_is_found_by_its_date(
    shop: Shop, member: Any, product: Any
) -> None:
    basket = get_model("basket", "Basket").objects.create(owner=member)
    get_model("basket", "Line").objects.create(
        basket=basket,
        product=product,
        stockrecord=product.stockrecords.get(),
        line_reference="1",
        price_excl_tax=Decimal("10.00"),
        price_incl_tax=Decimal("12.00"),
        price_currency="EUR",
    )
    shop.tick()
    assert saw(product, contact=contact_of(member)) == [("basket", "12.00", "EUR")]


def test_a_wish_is_an_event_and_counts_at_the_price_of_that_moment(
    shop: Shop, member: Any, product: Any, other_product: Any
) -> None:
    wishes = get_model("wishlists", "WishList").objects.create(owner=member, name="Mine")
    wishes.add(product)
    shop.tick()
    assert kinds().count("product_wished") == 1
    assert saw(product, contact=contact_of(member)) == [("wish", "12.50", "EUR")]
    product.stockrecords.update(price=Decimal("11.00"))
    wishes.add(other_product)
    shop.tick()
    assert kinds().count("product_wished") == 2
    # The old wish was not made again.
    assert saw(product) == [("wish", "12.50", "EUR")]


def test_wishes_from_before_the_first_look_are_noted_once_and_told_to_nobody(
    clock: Any, shop_site: Any, member: Any, product: Any
) -> None:
    wishes = get_model("wishlists", "WishList").objects.create(owner=member, name="Mine")
    wishes.add(product)
    shop = Shop(clock)
    shop.tick()
    assert "product_wished" not in kinds()
    assert saw(product, contact=contact_of(member)) == [("wish", "12.50", "EUR")]
    product.stockrecords.update(price=Decimal("11.00"))
    shop.tick()
    assert saw(product, contact=contact_of(member)) == [("wish", "12.50", "EUR")]


def test_who_asks_to_be_told_saw_the_price_of_that_moment(
    shop: Shop, member: Any, product: Any
) -> None:
    [contact_id] = contacts.resolve_many([(Person(user_id=member.pk), None)], shop.clock.now)
    asked = {"contact_id": contact_id, "kind": "cheaper", "created_at": shop.clock.now}
    request = ProductRequest.objects.create(product_id=product.pk, state="unconfirmed", **asked)
    shop.tick()
    assert saw(product) == []
    ProductRequest.objects.update(state="waiting", confirmed_at=shop.clock.now)
    shop.tick()
    assert saw(product) == [("request", "12.50", "EUR")]
    product.stockrecords.update(price=Decimal("11.00"))
    shop.tick()
    assert saw(product) == [("request", "12.50", "EUR")]
    request.refresh_from_db()
    assert request.state == "waiting"


def test_a_look_that_is_learned_of_late_counts_only_where_the_price_stayed(
    shop: Shop, shopper: Any, product: Any, other_product: Any
) -> None:
    shop.tick()
    look_at(shopper.client, product)
    look_at(shopper.client, other_product)
    # The worker was down; meanwhile one price changed.
    JournalEntry.objects.update(leased_until=shop.clock.now + timedelta(hours=2))
    product.stockrecords.update(price=Decimal("10.00"))
    shop.tick(timedelta(minutes=10))
    shop.tick(timedelta(hours=3))
    assert saw(product) == []
    assert saw(other_product) == [("view", "189.00", "EUR")]


def test_the_same_queries_for_one_sight_and_for_many(shop: Shop) -> None:
    from oscar.test.factories import UserFactory

    Basket, Line = get_model("basket", "Basket"), get_model("basket", "Line")  # noqa: N806 - they are classes

    def fill(number: int) -> None:
        product = make_product(f"Mug {number}", price=Decimal("12.50"))
        line = {"product": product, "stockrecord": product.stockrecords.get()}
        Line.objects.create(
            basket=Basket.objects.create(owner=UserFactory()),
            line_reference=str(number),
            price_excl_tax=Decimal("12.50"),
            price_incl_tax=Decimal("12.50"),
            price_currency="EUR",
            **line,
        )

    from oscar_triggers.shop.prices import noting

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            noting._look_at_baskets(shop.clock.now - timedelta(days=1), shop.clock.now)
        return len(queries)

    fill(1)
    count()
    fill(2)
    one = count()
    for number in range(3, 43):
        fill(number)
    assert count() == one
    assert PriceSeen.objects.count() == 42


def test_the_lines_of_300_000_baskets_are_found_by_an_index(shop: Shop) -> None:
    from oscar_triggers.shop.prices import noting

    plan = noting.lines_since(shop.clock.now).explain()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = noting.lines_since(shop.clock.now).explain()
    assert "basket_line" in plan
    assert "date_updated" in plan


def test_an_older_sight_never_takes_the_place_of_a_newer_one(
    shop: Shop, shopper: Any, product: Any, member: Any
) -> None:
    look_at(shopper.client, product)
    shop.tick()
    row = PriceSeen.objects.get()
    sight = seen.Sight(
        contact_id=row.contact_id,
        product_id=product.pk,
        source="view",
        price=Decimal("99"),
        currency="EUR",
        seen_at=row.seen_at - timedelta(seconds=1),
    )
    assert seen.note([sight]) == 0
    assert saw(product) == [("view", "12.50", "EUR")]
