"""The link back: the basket on another device, and nothing else of anybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from oscar.apps.basket.middleware import BasketMiddleware
from oscar.core.loading import get_model

from oscar_triggers.content import links
from oscar_triggers.engine import contacts
from oscar_triggers.models import Enrollment, FlowVersion, JournalEntry, Message
from oscar_triggers.shop import restoring, vouchers
from oscar_triggers.shop.restoring import Outcome
from oscar_triggers.snapshots import Person

from .conftest import Clock, commit, enrollment_of, lefts, make_order, watch_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    """Forget who tried what."""
    cache.clear()


@pytest.fixture
def basket(guest: Any, product: Any, other_product: Any) -> Any:
    """Return a guest's basket with two mugs and a tent."""
    guest.add(product, quantity=2)
    guest.add(other_product)
    return guest.basket


@pytest.fixture
def message(basket: Any, make_message: Callable[..., Message], guest: Any) -> Message:
    """Return a message to the guest about that basket."""
    contact_id = contacts.resolve(Person(email=guest.email), now=timezone.now())
    return make_message(basket, contact_id=contact_id)


class Visitor:
    """A browser somewhere: it follows links and keeps Oscar's cookie."""

    def __init__(self, user: Any = None) -> None:
        self.user = user or AnonymousUser()
        self.cookies: dict[str, str] = {}
        self.basket: Any = None

    def follow(self, message: Message, *, later: timedelta = timedelta(0)) -> Outcome:
        """Follow the link of a message."""
        return self.follow_token(links.sign(message.public_id, links.BASKET), later=later)

    def follow_token(self, token: str, *, later: timedelta = timedelta(0)) -> Outcome:
        """Follow any link."""
        # Two clicks of a test come within a second; those of a person do not.
        for key in [k.removeprefix(":1:") for k in cache._cache if "restoring" in k]:
            cache.delete(key)
        request = RequestFactory().post("/t/b/")
        request.user = self.user
        request.session = Client().session
        request._messages = None
        request.COOKIES.update(self.cookies)
        outcomes: list[Outcome] = []

        def view(request: Any) -> HttpResponse:
            outcomes.append(restoring.restore(request, token, timezone.now() + later))
            self.basket = request.basket if request.basket.pk else None
            return HttpResponse()

        response = BasketMiddleware(view)(request)
        self.cookies.update({name: one.value for name, one in response.cookies.items()})
        commit()
        return outcomes[0]

    def holds(self) -> dict[str, int]:
        """Return what is in the visitor's basket."""
        lines = get_model("basket", "Line").objects.filter(basket_id=self.basket.pk)
        return {line.product.title: line.quantity for line in lines}


def test_the_lines_come_back_on_another_device_at_todays_prices(
    message: Message, product: Any, basket: Any
) -> None:
    product.stockrecords.update(price=Decimal("9.00"))
    visitor = Visitor()
    assert visitor.follow(message) is Outcome.RESTORED
    assert visitor.holds() == {"Enamel mug": 2, "Ridge tent": 1}
    assert visitor.basket.pk != basket.pk
    assert visitor.basket.owner is None, "nobody is signed in by a link"
    line = get_model("basket", "Line").objects.get(basket=visitor.basket, product=product)
    assert line.price_incl_tax == Decimal("9.00")


def test_following_again_adds_nothing(message: Message, product: Any) -> None:
    visitor = Visitor()
    for _ in range(3):
        assert visitor.follow(message) is Outcome.RESTORED
    assert visitor.holds() == {"Enamel mug": 2, "Ridge tent": 1}
    get_model("basket", "Line").objects.filter(basket=visitor.basket, product=product).update(
        quantity=5
    )
    visitor.follow(message)
    assert visitor.holds()["Enamel mug"] == 5


def test_a_double_click_adds_everything_once(message: Message) -> None:
    visitor = Visitor()
    token = links.sign(message.public_id, links.BASKET)
    assert visitor.follow_token(token) is Outcome.RESTORED
    request = RequestFactory().post("/t/b/")
    request.user = AnonymousUser()
    request.COOKIES.update(visitor.cookies)
    again: list[Outcome] = []

    def view(request: Any) -> HttpResponse:
        again.extend(restoring.restore(request, token, timezone.now()) for _ in range(2))
        return HttpResponse()

    BasketMiddleware(view)(request)
    assert again == [Outcome.RESTORED, Outcome.RESTORED]
    assert visitor.holds() == {"Enamel mug": 2, "Ridge tent": 1}


def test_what_cannot_be_bought_stays_away(message: Message, product: Any) -> None:
    product.stockrecords.update(num_in_stock=0)
    visitor = Visitor()
    assert visitor.follow(message) is Outcome.RESTORED
    assert visitor.holds() == {"Ridge tent": 1}
    get_model("catalogue", "Product").objects.update(is_public=False)
    assert Visitor().follow(message) is Outcome.NOTHING_LEFT


def test_a_frozen_basket_is_copied_and_never_thawed(message: Message, basket: Any) -> None:
    basket.freeze()
    visitor = Visitor()
    assert visitor.follow(message) is Outcome.RESTORED
    assert visitor.holds() == {"Enamel mug": 2, "Ridge tent": 1}
    basket.refresh_from_db()
    assert basket.status == "Frozen"


def test_the_link_ends_after_thirty_days_and_with_the_order(message: Message, basket: Any) -> None:
    assert Visitor().follow(message, later=timedelta(days=31)) is Outcome.EXPIRED
    make_order("A-1", basket=basket)
    visitor = Visitor()
    assert visitor.follow(message) is Outcome.ORDERED
    assert visitor.basket is None


def test_the_link_ends_with_the_order_of_what_it_restored(message: Message, clock: Clock) -> None:
    visitor = Visitor()
    visitor.follow(message)
    clock.tick()
    make_order("A-2", basket=visitor.basket)
    assert Visitor().follow(message) is Outcome.ORDERED


@pytest.mark.parametrize("token", ["", "x", "../", "A" * 33, "A" * 22, "é" * 33])
def test_what_is_no_link_of_ours_opens_nothing(db: None, token: str) -> None:
    assert Visitor().follow_token(token) is Outcome.UNKNOWN


def test_a_token_for_another_purpose_opens_nothing(message: Message) -> None:
    assert Visitor().follow_token(message.public_id) is Outcome.UNKNOWN
    token = links.sign(message.public_id, links.UNSUBSCRIBE)
    assert Visitor().follow_token(token) is Outcome.UNKNOWN


def test_a_link_is_not_followed_without_end(message: Message) -> None:
    outcomes = [Visitor().follow(message) for _ in range(restoring.MOST_TRIES + 1)]
    assert outcomes[-2:] == [Outcome.RESTORED, Outcome.TOO_OFTEN]


def test_a_cache_that_is_down_loses_no_sale(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> bool:
        raise ConnectionError("refused")

    monkeypatch.setattr(cache, "add", refuse)
    monkeypatch.setattr(cache, "incr", refuse)
    assert Visitor().follow(message) is Outcome.RESTORED


def test_the_voucher_of_the_message_is_attached(message: Message) -> None:
    grant = vouchers.grant_for_message(
        message.pk, percent=Decimal(10), valid=timedelta(days=3), now=timezone.now()
    )
    visitor = Visitor()
    visitor.follow(message)
    assert [one.code for one in visitor.basket.vouchers.all()] == [grant.code]
    assert visitor.basket.total_incl_tax == Decimal("192.60")
    visitor.follow(message)
    assert visitor.basket.vouchers.count() == 1


@pytest.fixture
def on_the_way(
    flow: FlowVersion, clock: Clock, guest: Any, basket: Any, make_message: Callable[..., Message]
) -> tuple[Enrollment, Message]:
    """Let the guest leave the basket and get a message about it."""
    guest.start_checkout()
    clock.tick()
    clock.tick(timedelta(hours=2))
    enrollment = enrollment_of(basket)
    return enrollment, make_message(basket, contact_id=enrollment.contact_id)


def test_a_scanner_that_opens_the_link_neither_ends_a_way_nor_begins_one(
    on_the_way: tuple[Enrollment, Message], clock: Clock, basket: Any
) -> None:
    enrollment, message = on_the_way
    for _ in range(5):
        Visitor().follow(message)
    clock.tick()
    for _ in range(4):
        clock.tick(timedelta(hours=6))
    enrollment.refresh_from_db()
    assert enrollment.state == "active"
    assert [told["basket_id"] for told in lefts()] == [basket.pk]


def test_who_goes_on_with_a_restored_basket_is_known_by_the_link(
    on_the_way: tuple[Enrollment, Message], clock: Clock, basket: Any
) -> None:
    enrollment, message = on_the_way
    visitor = Visitor()
    visitor.follow(message)
    clock.tick()
    assert watch_of(visitor.basket).contact_id == enrollment.contact_id
    visitor.basket.lines.update(quantity=3, date_updated=clock.now)
    clock.tick()
    clock.tick(timedelta(hours=2))
    assert [told["basket_id"] for told in lefts()] == [basket.pk, visitor.basket.pk]
    enrollment.refresh_from_db()
    assert enrollment.exit_reason == "superseded", "one way at a time"
    assert Enrollment.objects.filter(state="active").count() == 1


def test_a_visitor_with_a_basket_of_ones_own_takes_the_way_along(
    on_the_way: tuple[Enrollment, Message], clock: Clock, basket: Any, product: Any
) -> None:
    from tests.shopping import Shopper

    enrollment, message = on_the_way
    elsewhere = Shopper(client=Client(), email="")
    elsewhere.add(product)
    visitor = Visitor()
    visitor.cookies = {name: one.value for name, one in elsewhere.client.cookies.items()}
    assert visitor.follow(message) is Outcome.RESTORED
    assert visitor.basket.pk == elsewhere.basket.pk
    clock.tick()
    enrollment.refresh_from_db()
    assert enrollment.exit_reason == "superseded"
    clock.tick(timedelta(hours=2))
    assert [told["basket_id"] for told in lefts()] == [basket.pk, elsewhere.basket.pk]


def test_who_is_signed_in_stays_who_they_are(message: Message, member: Any) -> None:
    visitor = Visitor(member)
    assert visitor.follow(message) is Outcome.RESTORED
    assert visitor.basket.owner == member
    entry = JournalEntry.objects.get(kind="basket_restored")
    assert entry.person["user_id"] == member.pk
    assert "contact_id" not in entry.person
