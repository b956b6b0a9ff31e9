"""What letters about an order say, and what keeps them from going."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_triggers.content import context, tags
from oscar_triggers.engine import clockwork
from oscar_triggers.models import Decision, Dispatch, Enrollment
from oscar_triggers.policy import guards
from oscar_triggers.shop.after import care, pickup
from oscar_triggers.snapshots import About, Subject
from tests.shop.after.conftest import (
    add_line,
    letter,
    pay,
    place,
    publish,
    set_silently,
    ship,
)
from tests.shop.conftest import Clock

pytestmark = pytest.mark.django_db


def subject_of(order: Any, clock: Clock, **payload: Any) -> Subject:
    """Return someone on the way through a flow about an order."""
    return Subject(
        enrollment_id=1,
        flow_id=1,
        flow_key="orders",
        contact_id=1,
        user_id=order.user_id,
        about=About(type="order", id=str(order.number)),
        entered_at=clock.now,
        clock_at=clock.now,
        language="en",
        stream="transactional",
        payload=payload,
    )


def said(order: Any, clock: Clock, **payload: Any) -> dict[str, Any]:
    """Return what a letter about an order says."""
    [provided] = context.provide_many([subject_of(order, clock, **payload)], clock.now)
    assert provided.unavailable == ""
    return dict(provided.values)


def refused(order: Any, clock: Clock, **payload: Any) -> str:
    """Return why a letter must not go, asked as the mark does and as `explain` does."""
    subject = subject_of(order, clock, **payload)
    condition = guards.refusal_of([(subject, {})])
    assert condition is not None
    in_the_database = get_model("sites", "Site").objects.filter(condition).exists()
    why = guards.registry.get("order").explain(subject, {}, clock.now)
    assert in_the_database == (why is not None)
    return why.reason if why is not None else ""


def test_a_letter_names_the_lines_as_they_were_ordered(
    clock: Clock, product: Any, shop_site: Any
) -> None:
    order = place("1001", status="Pending")
    order.lines.all().delete()
    line = add_line(order, 2, title="Enamel mug", product=product)
    line.attributes.create(type="Engraving", value="Anna")
    values = said(order, clock)["order"]
    assert values["number"] == "1001"
    assert values["total"].amount == Decimal("12.50")
    [told] = values["lines"]
    assert (told["title"], told["quantity"], told["line_price"].amount) == ("Enamel mug", 2, 25)
    assert told["variant"] == "Engraving: Anna"
    assert told["url"].endswith(product.get_absolute_url())


def test_a_product_that_was_deleted_since_is_told_as_it_was_ordered(
    clock: Clock, product: Any, shop_site: Any
) -> None:
    order = place("1001")
    order.lines.update(product=product, title="Enamel mug")
    product.delete()
    [told] = said(order, clock)["order"]["lines"]
    assert told["title"] == "Enamel mug"
    assert told["image_url"]


def test_a_letter_about_a_parcel_names_what_is_in_it(clock: Clock, shop_site: Any) -> None:
    order = place("1001", 3, 1)
    event = ship(order, Thing_1=2)
    mug = order.lines.order_by("pk").first()
    values = said(order, clock, event_id=event.pk, lines=[mug.pk], quantities=[2])["order"]
    [told] = values["lines"]
    assert (told["title"], told["quantity"], told["line_price"].amount) == ("Thing 1", 2, 25)
    assert values["tracking"] == "PARCEL-1"


def test_a_guest_reaches_the_orders_page_by_the_link(clock: Clock, shop_site: Any) -> None:
    order = place("1001")
    url = said(order, clock)["order"]["url"]
    assert order.verification_hash() in url
    from django.conf import settings

    path = url.removeprefix(settings.OSCAR_TRIGGERS["BASE_URL"])
    response = Client().get(path, follow=True)
    assert response.status_code == 200
    assert "1001" in response.content.decode()


def test_a_member_is_led_to_the_order_in_the_account(
    clock: Clock, member: Any, member_client: Client, shop_site: Any
) -> None:
    order = place("1001", user=member, email="")
    path = said(order, clock)["order"]["url"].split("/", 3)[3]
    assert member_client.get(f"/{path}").status_code == 200


def payment_page(number: str) -> str:
    """Return a shop's own page for a payment."""
    return f"/checkout/pay-again/?order={number}"


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("/pay/{number}/", "/pay/1001/"),
        ("tests.shop.after.test_letters.payment_page", "/checkout/pay-again/?order=1001"),
        ("https://pay.example/{number}", "https://pay.example/1001"),
    ],
)
def test_an_unpaid_order_leads_to_the_shops_own_payment_page(
    clock: Clock, settings: Any, shop_site: Any, page: str, path: str
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "PAYMENT_PAGE": page}
    assert said(place("1001"), clock)["order"]["pay_url"].endswith(path)


def test_a_payment_page_that_fails_leads_to_the_order(
    clock: Clock, settings: Any, shop_site: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "PAYMENT_PAGE": "no.such.function"}
    values = said(place("1001"), clock)["order"]
    assert values["pay_url"] == values["url"]


def test_care_is_said_once_by_the_product_and_by_its_class(
    clock: Clock, product: Any, other_product: Any, shop_site: Any
) -> None:
    kind = product.get_product_class()
    attribute = kind.attributes.create(name="Care", code="care", type="text")
    attribute.save_value(product, "Wash by hand.")
    attribute.save_value(other_product, "Wash by hand.")
    care.register(kind.slug, "Warranty", "Two years.")
    try:
        order = place("1001")
        order.lines.all().delete()
        for one in (product, other_product):
            add_line(order, 1, product=one)
        assert said(order, clock)["care"] == [
            {"title": "Care", "text": "Wash by hand."},
            {"title": "Warranty", "text": "Two years."},
        ]
    finally:
        care.forget(kind.slug)


def test_several_hundred_letters_ask_as_often_as_two(
    clock: Clock, product: Any, shop_site: Any
) -> None:
    orders = [place(f"N-{number}", 1, 2) for number in range(300)]
    for order in orders:
        order.lines.update(product=product)

    def asked(count: int) -> int:
        subjects = [subject_of(order, clock) for order in orders[:count]]
        with CaptureQueriesContext(connection) as queries:
            context.provide_many(subjects, clock.now)
        return len(queries)

    assert asked(2) == asked(300)


def test_previews_know_every_tag_of_an_order(clock: Clock) -> None:
    values = tags.samples("order", "en")
    assert values["order"]["lines"][0]["title"]
    assert values["care"][0]["text"]
    assert values["order"]["first"]["image_url"]


@pytest.mark.parametrize("status", ["Cancelled", "Refunded"])
def test_no_letter_about_an_order_that_was_taken_back(
    clock: Clock, shop_site: Any, status: str
) -> None:
    order = place("1001")
    assert refused(order, clock) == ""
    set_silently(order, status)
    assert refused(order, clock) == f"order_{status.lower()}"
    # The letter that says just that goes.
    assert refused(order, clock, stage=status.lower()) == ""


def test_no_letter_about_an_order_whose_lines_were_all_cancelled(
    clock: Clock, shop_site: Any
) -> None:
    order = place("1001", 1, 1)
    order.lines.filter(title="Thing 1").update(status="Cancelled")
    assert refused(order, clock) == ""
    order.lines.update(status="Cancelled")
    assert refused(order, clock) == "order_cancelled"


def test_no_letter_about_an_order_that_is_gone(clock: Clock, shop_site: Any) -> None:
    order = place("1001")
    subject = subject_of(order, clock)
    order.delete()
    [provided] = context.provide_many([subject], clock.now)
    assert provided.unavailable == "order_gone"


@pytest.mark.parametrize("how", ["status", "events", "source", "shipped"])
def test_who_paid_meanwhile_is_not_reminded(clock: Clock, shop_site: Any, how: str) -> None:
    order = place("1001")
    assert refused(order, clock, stage="unpaid") == ""
    if how == "status":
        set_silently(order, "Paid")
    elif how == "shipped":
        set_silently(order, "Shipped")
    elif how == "events":
        pay(order, "10")
        assert refused(order, clock, stage="unpaid") == ""
        pay(order, "2.50")
    else:
        kind = get_model("payment", "SourceType").objects.create(name="Card")
        order.sources.create(source_type=kind, currency="EUR", amount_debited=Decimal("12.50"))
    assert refused(order, clock, stage="unpaid") == "order_settled"
    assert refused(order, clock) == ""


def test_a_payment_between_the_letters_writing_and_its_leaving_stops_it(
    watched: Clock, reminder: Any
) -> None:
    publish(
        "order_unpaid",
        {"key": "remind", "kind": "send", "options": {"template": "note"}},
        {"key": "pause", "kind": "wait", "options": {"duration": "1d"}},
        options={"after": "1h"},
    )
    order = place("1001", date_placed=watched.now)
    watched.tick()
    watched.tick(timedelta(hours=1))
    watched.tick()
    assert Dispatch.objects.get().state == "planned"

    from oscar_triggers.shop.after.guards import OrderGuard

    asked: list[str] = []
    original = OrderGuard.refusal

    def paid_at_the_last_moment(self: Any, subject: Subject, observed: Any) -> Any:
        asked.append(subject.about.id)
        set_silently(order, "Paid")
        return original(self, subject, observed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OrderGuard, "refusal", paid_at_the_last_moment)
        clockwork.tick(watched.now + timedelta(seconds=5))
    assert asked
    dispatch = Dispatch.objects.get()
    assert dispatch.state != "sent"
    assert Enrollment.objects.get().exit_reason == "goal"
    assert Decision.objects.filter(reason="order_settled").exists()


def test_until_when_an_order_is_kept_is_what_the_shops_own_code_says(
    clock: Clock, shop_site: Any
) -> None:
    order = place("1001", status="Ready for pick-up")
    until = clock.now + timedelta(days=3)

    def ours(numbers: Any) -> dict[str, Any]:
        return dict.fromkeys(numbers, until)

    pickup.source(ours)
    try:
        assert said(order, clock)["order"]["pickup_until"] == until
        assert said(order, clock)["order"]["pickup_days_left"] == 3
    finally:
        pickup.forget(ours)


def test_a_letter_says_all_of_it(watched: Clock, mailoutbox: list[Any]) -> None:
    letter(
        "thanks",
        "<mj-text>Order {{ order.number }} of {{ order.date }}: {{ order.total }}</mj-text>"
        "<mj-text>{% for line in order.lines %}{{ line.quantity }} × {{ line.title }} {% endfor %}"
        '</mj-text><mj-button href="{{ order.url }}">See it</mj-button>',
    )
    publish("order_placed", {"key": "thanks", "kind": "send", "options": {"template": "thanks"}})
    place("1001", 2, date_placed=watched.now)
    for _tick in range(4):
        watched.tick()
    clockwork.tick(watched.now + timedelta(seconds=5))
    [mail] = mailoutbox
    assert mail.to == ["guest@example.com"]
    assert "Order 1001" in mail.body
    assert "2 × Thing 1" in mail.body
