"""What is true in the database at the hand-over keeps a letter back, and says why."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F, Q
from django.db.models.functions import Round
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.engine import enrollments
from oscar_triggers.models import Pulse
from oscar_triggers.policy import guards
from oscar_triggers.policy.guards import Consequence
from oscar_triggers.shop.context import BasketContext
from oscar_triggers.snapshots import Subject

from .conftest import make_order, subject_of

pytestmark = pytest.mark.django_db


def is_refused(subject: Subject, observed: Any = None) -> bool:
    """Ask the database, as the statement that marks a message does."""
    Pulse.objects.get_or_create(name="marked")
    [guard] = [one for one in guards.guards_for(subject) if one.name == "basket"]
    refusal = guard.refusal(subject, observed or {})
    assert refusal is not None
    marked = Pulse.objects.filter(~Q(refusal), name="marked").update(ran_at=timezone.now())
    explained = guard.explain(subject, observed or {}, timezone.now())
    assert (explained is None) == bool(marked), explained
    return not marked


def explained(subject: Subject, observed: Any = None) -> Any:
    """Return why it is refused."""
    assert is_refused(subject, observed)
    [guard] = [one for one in guards.guards_for(subject) if one.name == "basket"]
    return guard.explain(subject, observed or {}, timezone.now())


@pytest.fixture
def basket(shopper: Any, product: Any) -> Any:
    """Return a member's basket with two mugs."""
    shopper.add(product, quantity=2)
    return shopper.basket


def watermarks() -> dict[str, int]:
    return enrollments.current_watermarks()


def test_a_basket_as_it_was_may_be_written_about(basket: Any, member: Any) -> None:
    make_order("before", user=member, date_placed=timezone.now() - timedelta(days=1))
    subject = subject_of(
        basket,
        user_id=member.pk,
        emails=(member.email,),
        phones=("+441632960001",),
        watermarks=watermarks(),
        payload={"left_at": timezone.now().isoformat()},
    )
    [provided] = BasketContext().provide_many([subject], timezone.now())
    assert provided.values["basket"]["count"] == 2
    assert not is_refused(subject, provided.observed)


def test_the_basket_was_ordered_whoever_ordered_it(basket: Any) -> None:
    make_order("A-1", basket=basket)
    refused = explained(subject_of(basket, watermarks={"order": 10**9}))
    assert (refused.reason, refused.consequence) == ("order_placed", Consequence.EXIT)
    assert refused.exit_reason == "goal"
    assert refused.compared["order"] == "A-1"
    assert refused.compared["matched_by"] == "basket"


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("customer", {"user": "member"}),
        ("email", {"guest_email": "Anna@EXAMPLE.com"}),
        ("email", {"user": "namesake"}),
        ("phone", {"phone": "+44 1632 960001"}),
    ],
)
def test_another_order_of_the_same_person_stops_the_letter(
    basket: Any, member: Any, country: Any, by: str, order: dict[str, str]
) -> None:
    from oscar.test.factories import UserFactory

    fields: dict[str, Any] = dict(order)
    if order.get("user") == "member":
        fields["user"] = member
    elif order.get("user") == "namesake":
        fields["user"] = UserFactory(username="second", email="ANNA@example.com")
    elif "phone" in fields:
        fields["shipping_address"] = get_model("order", "ShippingAddress").objects.create(
            line1="1 King Road", country=country, phone_number=fields.pop("phone")
        )
    known: dict[str, dict[str, Any]] = {
        "customer": {"user_id": member.pk},
        "email": {"emails": ("anna@example.com",)},
        "phone": {"phones": ("+441632960001",)},
    }
    subject = subject_of(basket, watermarks=watermarks(), **known[by])
    assert not is_refused(subject)
    make_order("A-2", **fields)
    assert explained(subject).compared["matched_by"] == by


def test_an_order_between_leaving_and_entering_counts_too(basket: Any, member: Any) -> None:
    left_at = timezone.now() - timedelta(hours=2)
    make_order("A-3", user=member, date_placed=timezone.now() - timedelta(hours=1))
    subject = subject_of(
        basket,
        user_id=member.pk,
        watermarks=watermarks(),
        payload={"left_at": left_at.isoformat()},
    )
    assert is_refused(subject)


def test_a_guests_address_with_an_international_domain_is_found(basket: Any) -> None:
    subject = subject_of(basket, emails=("ina@xn--mller-kva.de",), watermarks=watermarks())
    make_order("A-4", guest_email="Ina@müller.de")
    assert is_refused(subject)


@pytest.mark.parametrize(
    ("status", "reason"),
    [("Merged", "basket_gone"), ("Submitted", "basket_gone"), ("Saved", "basket_gone")],
)
def test_a_basket_that_is_gone_ends_the_way(basket: Any, status: str, reason: str) -> None:
    get_model("basket", "Basket").objects.filter(pk=basket.pk).update(status=status)
    refused = explained(subject_of(basket))
    assert (refused.reason, refused.exit_reason) == (reason, "condition")


def test_an_emptied_basket_ends_the_way(basket: Any) -> None:
    basket.flush()
    assert explained(subject_of(basket)).reason == "basket_empty"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("price_up", "price_changed"),
        ("price_down", "price_changed"),
        ("price_gone", "price_changed"),
        ("fewer_left", "sold_out"),
        ("hidden", "sold_out"),
        ("one_more_line", "basket_changed"),
        ("sold_out", "sold_out"),
        ("allocated", "sold_out"),
        ("quantity", "basket_changed"),
        ("replaced", "basket_changed"),
    ],
)
def test_what_was_written_is_no_longer_true(
    basket: Any, product: Any, other_product: Any, shopper: Any, change: str, reason: str
) -> None:
    subject = subject_of(basket)
    [provided] = BasketContext().provide_many([subject], timezone.now())
    assert not is_refused(subject, provided.observed)
    if change == "price_up":
        product.stockrecords.update(price=Decimal("12.51"))
    elif change == "price_down":
        product.stockrecords.update(price=Decimal("12.49"))
    elif change == "price_gone":
        product.stockrecords.update(price=None)
    elif change == "fewer_left":
        product.stockrecords.update(num_in_stock=1)
    elif change == "hidden":
        type(product).objects.filter(pk=product.pk).update(is_public=False)
    elif change == "one_more_line":
        shopper.add(other_product)
    elif change == "sold_out":
        product.stockrecords.update(num_in_stock=0)
    elif change == "allocated":
        product.stockrecords.update(num_allocated=10)
    elif change == "quantity":
        basket.lines.update(quantity=1)
    else:
        shopper.add(other_product)
        basket.lines.filter(product=product).delete()
    refused = explained(subject, provided.observed)
    assert (refused.reason, refused.consequence) == (reason, Consequence.STALE)


def test_a_price_that_the_database_reckoned_is_the_price_that_was_written(
    basket: Any, product: Any
) -> None:
    # As an import does; SQLite makes a binary fraction of it.
    product.stockrecords.update(price=F("price") * 1.1 * 0.7)
    product.stockrecords.update(price=Round(F("price"), precision=2))
    product.stockrecords.update(price=F("price") + 0.0000001)
    subject = subject_of(basket)
    [provided] = BasketContext().provide_many([subject], timezone.now())
    assert not is_refused(subject, provided.observed)


def test_goods_without_stock_keep_nothing_back(basket: Any, product: Any) -> None:
    product.product_class.track_stock = False
    product.product_class.save()
    subject = subject_of(basket)
    [provided] = BasketContext().provide_many([subject], timezone.now())
    product.stockrecords.update(num_in_stock=0)
    assert not is_refused(subject, provided.observed)


def test_the_watermark_is_the_highest_order(basket: Any) -> None:
    assert watermarks()["order"] == 0
    order = make_order("A-5")
    assert watermarks()["order"] == order.pk
