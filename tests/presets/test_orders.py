"""Flows about orders that ship, from the first row in the shop to the letter, and to the last."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content import presets
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, fields, flows
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Contact,
    Enrollment,
    Flow,
    Owner,
    VoucherGrant,
    point_hash,
)
from oscar_triggers.testing import contact
from tests.shop.after.conftest import pay, place, set_silently, ship
from tests.shop.conftest import commit

pytestmark = pytest.mark.django_db


class Story:
    """A shop in which flows that ship are live, and its time."""

    def __init__(self, *names: str, now: datetime | None = None) -> None:
        self.now = now or timezone.now() + timedelta(seconds=5)
        call_command("triggers_publish", *(f"preset:{name}" for name in names), verbosity=0)
        for name in names:
            call_command("triggers_check", name, "--strict", verbosity=0)
        Flow.objects.update(active_since=self.now - timedelta(minutes=1))
        # The first look at a shop only watches.
        clockwork.tick(self.now)

    def letters(self, later: timedelta = timedelta(0), *, ticks: int = 4) -> list[Any]:
        """Let time pass; return the letters that came by then."""
        commit()
        self.now += later + timedelta(seconds=31)
        before = len(mail.outbox)
        for _tick in range(ticks):
            self.now += timedelta(seconds=1)
            clockwork.tick(self.now)
        return mail.outbox[before:]

    def letter(self, later: timedelta = timedelta(0)) -> Any:
        """Let time pass; return the one letter that came by then."""
        found = self.letters(later)
        assert len(found) == 1, [one.subject for one in found]
        return found[0]


def agree(email: str) -> None:
    """Let somebody agree to letters that advertise."""
    moment = timezone.now()
    ConsentEvent.objects.create(
        channel="email",
        point_hash=point_hash("email", email),
        topic="offers",
        action=ConsentAction.GRANT,
        basis=ConsentBasis.CONSENT,
        source="test",
        occurred_at=moment - timedelta(days=1),
        recorded_at=moment,
    )


def target_of(letter: Any, words: str) -> str:
    """Return where the button with these words leads in the end."""
    found = re.search(rf"{words}: (\S+)", letter.body)
    assert found is not None, letter.body
    path = "/" + found[1].split("/", 3)[3]
    response = Client().get(path)
    assert response.status_code == 302
    return str(response["Location"]).partition("?")[0]


def reasons() -> list[str]:
    """Return why each person left, in the order in which they came."""
    return list(Enrollment.objects.order_by("pk").values_list("exit_reason", flat=True))


# ── Not paid ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def payment_page(settings: Any) -> None:
    """Give the shop a page on which orders are paid."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "PAYMENT_PAGE": "/pay/{number}/"}


def test_who_forgot_to_pay_is_led_back_and_hears_nothing_once_it_is_paid(
    shopper: Any, product: Any, payment_page: None
) -> None:
    story = Story("unpaid-order")
    shopper.add(product, quantity=2)
    order = shopper.place_order()
    assert story.letters() == []
    assert story.letters(timedelta(hours=2, minutes=50)) == []
    letter = story.letter(timedelta(minutes=12))
    assert letter.to == ["anna@example.com"]
    assert order.number in letter.subject
    assert "Enamel mug" in letter.body
    assert target_of(letter, "Pay now").endswith(f"/pay/{order.number}/")
    pay(order, order.total_incl_tax, at=story.now)
    assert story.letters(timedelta(hours=1)) == []
    assert story.letters(timedelta(days=2)) == []
    assert reasons() == ["goal"]


def test_who_does_not_pay_is_asked_once_more_a_day_later(
    payment_page: None, shop_site: Any
) -> None:
    story = Story("unpaid-order")
    place("1001", date_placed=story.now)
    story.letters()
    first = story.letter(timedelta(hours=3))
    assert story.letters(timedelta(hours=23)) == []
    second = story.letter(timedelta(hours=1, minutes=5))
    assert second.subject != first.subject
    assert target_of(second, "Pay now").endswith("/pay/1001/")
    assert story.letters(timedelta(days=7)) == []
    assert reasons() == ["completed"]


@pytest.mark.parametrize("status", ["Cancelled", "Shipped", "Paid"])
def test_what_is_settled_between_the_letters_stops_the_second(shop_site: Any, status: str) -> None:
    story = Story("unpaid-order")
    order = place("1001", date_placed=story.now)
    story.letters()
    story.letter(timedelta(hours=3))
    set_silently(order, status)
    assert story.letters(timedelta(hours=25)) == []


def test_who_pays_in_time_hears_nothing(shop_site: Any) -> None:
    story = Story("unpaid-order")
    order = place("1001", date_placed=story.now)
    story.letters(timedelta(hours=1))
    pay(order, "12.50", at=story.now)
    assert story.letters(timedelta(days=2)) == []
    assert reasons() == []


def test_two_orders_of_one_person_are_two_matters(shop_site: Any) -> None:
    story = Story("unpaid-order")
    first = place("1001", date_placed=story.now)
    place("1002", date_placed=story.now)
    story.letters()
    assert len(story.letters(timedelta(hours=3))) == 2
    set_silently(first, "Paid")
    story.letters()
    letter = story.letter(timedelta(hours=25))
    assert "1002" in letter.subject


# ── Paid, shipped, ready ─────────────────────────────────────────────────────────────────────────


def test_a_payment_is_confirmed_once(shopper: Any, product: Any) -> None:
    story = Story("order-paid")
    shopper.add(product)
    order = shopper.place_order()
    assert story.letters() == []
    pay(order, order.total_incl_tax, at=story.now)
    letter = story.letter()
    assert f"order {order.number}" in letter.subject
    assert "Enamel mug" in letter.body
    assert target_of(letter, "See my order").endswith(
        reverse("customer:order", kwargs={"order_number": order.number})
    )
    set_silently(order, "Paid")
    assert story.letters(timedelta(days=1)) == []


def test_a_parcel_is_told_with_its_number_to_a_guest_who_agreed_to_nothing(
    guest: Any, product: Any, client: Client
) -> None:
    story = Story("order-shipped")
    guest.add(product, quantity=2)
    order = guest.place_order()
    assert story.letters() == []
    ship(order, at=story.now)
    letter = story.letter()
    assert letter.to == ["guest@example.com"]
    assert "PARCEL-1" in letter.body
    assert "Enamel mug" in letter.body
    assert "Quantity: 2" in letter.body
    page = target_of(letter, "See my order")
    assert order.verification_hash() in page
    set_silently(order, "Shipped")
    assert story.letters(timedelta(days=1)) == []


def test_a_parcel_without_a_number_is_told_without_a_gap(shop_site: Any) -> None:
    story = Story("order-shipped")
    order = place("1001", date_placed=story.now)
    story.letters()
    set_silently(order, "Shipped")
    letter = story.letter()
    assert "Number of the parcel" not in letter.body


def test_an_import_of_old_orders_writes_to_nobody(shop_site: Any) -> None:
    story = Story("order-shipped", "order-paid", "order-ready", "thanks", "unpaid-order")
    agree("guest@example.com")
    for number, status in enumerate(("Pending", "Paid", "Shipped", "Ready for pick-up")):
        old = story.now - timedelta(days=90)
        place(f"old-{number}", status=status, date_placed=old)
    assert story.letters() == []
    assert story.letters(timedelta(days=10)) == []


def test_an_order_to_fetch_is_told_and_reminded_of_before_its_storage_ends(shop_site: Any) -> None:
    story = Story("order-ready", "pickup-ending")
    order = place("1001", date_placed=story.now)
    story.letters()
    set_silently(order, "Ready for pick-up")
    ready = story.letter()
    assert ready.subject == "Your order 1001 is ready for pick-up"
    assert "1001" in ready.body
    assert "None" not in ready.body
    ends = story.now + timedelta(days=7)
    assert story.letters(timedelta(days=4, hours=23)) == []
    reminder = story.letter(timedelta(hours=2))
    assert "still waiting" in reminder.subject
    assert f"until {ends:%B} {ends.day}, {ends.year}" in reminder.body
    assert story.letters(timedelta(days=5)) == []


def test_who_fetched_the_order_is_not_reminded(shop_site: Any) -> None:
    story = Story("order-ready", "pickup-ending")
    order = place("1001", date_placed=story.now)
    story.letters()
    set_silently(order, "Ready for pick-up")
    story.letter()
    set_silently(order, "Picked up")
    assert story.letters(timedelta(days=6)) == []


# ── Thanks ───────────────────────────────────────────────────────────────────────────────────────


def test_a_first_order_is_thanked_for_and_followed_when_it_arrived(
    shopper: Any, product: Any, other_product: Any
) -> None:
    kind = product.get_product_class()
    attribute = kind.attributes.create(name="Care", code="care", type="text")
    attribute.save_value(product, "Wash by hand.")
    get_model("catalogue", "ProductRecommendation").objects.create(
        primary=product, recommendation=other_product, ranking=1
    )
    agree(shopper.email)
    story = Story("thanks")
    shopper.add(product)
    order = shopper.place_order()
    first = story.letter()
    assert first.subject == "Thank you for your first order"
    assert "Enamel mug" in first.body
    assert story.letters(timedelta(days=2)) == []
    set_silently(order, "Delivered")
    second = story.letter()
    assert "Care: Wash by hand." in second.body
    assert "Ridge tent" in second.body
    assert "personal code" not in second.body
    assert "Unsubscribe" in second.body
    assert story.letters(timedelta(days=9)) == []
    assert reasons() == ["completed"]


def test_who_comes_back_is_thanked_in_other_words_and_followed_after_five_days(
    shopper: Any, product: Any, member: Any
) -> None:
    agree(shopper.email)
    place("old", user=member, guest_email="", date_placed=timezone.now() - timedelta(days=30))
    story = Story("thanks")
    shopper.add(product)
    order = shopper.place_order()
    assert story.letter().subject == f"Thank you for your order {order.number}"
    assert story.letters(timedelta(days=4, hours=23)) == []
    letter = story.letter(timedelta(hours=1, minutes=5))
    assert letter.subject == "Enjoy what you bought"
    # Nothing is known of care, and nothing goes with it.
    assert "Good to know" not in letter.body
    assert "goes well" not in letter.body


def test_who_did_not_agree_gets_no_thanks_that_advertise(shopper: Any, product: Any) -> None:
    story = Story("thanks")
    shopper.add(product)
    shopper.place_order()
    assert story.letters() == []
    assert story.letters(timedelta(days=6)) == []


@pytest.mark.parametrize("status", ["Cancelled", "Refunded"])
def test_an_order_that_was_taken_back_is_not_to_be_enjoyed(
    shopper: Any, product: Any, status: str
) -> None:
    agree(shopper.email)
    story = Story("thanks")
    shopper.add(product)
    order = shopper.place_order()
    story.letter()
    set_silently(order, status)
    assert story.letters(timedelta(days=6)) == []


def test_the_second_letter_of_thanks_can_carry_a_voucher(shopper: Any, product: Any) -> None:
    agree(shopper.email)
    story = Story("thanks")
    preset = presets.find("thanks")
    assert preset is not None
    told = preset.definition.to_dict()
    told["steps"][-1]["options"]["voucher"] = {"percent": 10, "valid": "30d"}
    flows.publish(FlowDefinition.from_dict(told), owner=Owner.FILE, now=story.now)
    call_command("triggers_check", "thanks", "--strict", verbosity=0)
    shopper.add(product)
    shopper.place_order()
    story.letter()
    letter = story.letter(timedelta(days=5, minutes=5))
    assert VoucherGrant.objects.get().code in letter.body


def test_another_order_that_arrives_is_not_this_one(shop_site: Any) -> None:
    agree("guest@example.com")
    story = Story("thanks")
    one = place("1001", date_placed=story.now)
    story.letter()
    place("1002", date_placed=story.now)
    story.letter()
    set_silently(one, "Delivered")
    letter = story.letter(timedelta(days=1))
    assert "1001" in letter.body


# ── Welcome ──────────────────────────────────────────────────────────────────────────────────────


def test_who_opens_an_account_is_welcomed_once(shop_site: Any, client: Client) -> None:
    story = Story("welcome")
    password = "a-Long-w0rd-for-this"
    form = {"email": "new@example.com", "password1": password, "password2": password}
    response = client.post(reverse("customer:register"), form)
    assert response.status_code == 302, response.content
    mail.outbox.clear()  # Oscar's own
    letter = story.letter()
    assert letter.to == ["new@example.com"]
    assert letter.subject.startswith("Welcome to")
    assert "Unsubscribe" not in letter.body
    assert story.letters(timedelta(days=3)) == []


def test_the_welcome_can_take_the_place_of_oscars_own(
    shop_site: Any, client: Client, settings: Any
) -> None:
    mails = {"REGISTRATION": "welcome"}
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "OSCAR_MAILS": mails}
    story = Story("welcome")
    password = "a-Long-w0rd-for-this"
    form = {"email": "new@example.com", "password1": password, "password2": password}
    client.post(reverse("customer:register"), form)
    assert mail.outbox == []
    assert story.letter().subject.startswith("Welcome to")


# ── A paid period ────────────────────────────────────────────────────────────────────────────────


class Subscriber:
    """Somebody who paid until some day, and the letters that come of it."""

    def __init__(self) -> None:
        start = datetime(2030, 1, 7, 8, tzinfo=UTC)
        self.story = Story("period-ending", now=start)
        self.contact: Contact = contact(
            "anna@example.com", now=start, topics=(), time_zone="Europe/London"
        )

    def pays_until(self, day: str) -> None:
        """Keep another last day."""
        fields.set_field_many([self.contact.pk], "paid_until", day, self.story.now)

    def hears_until(self, day: str) -> list[tuple[str, str]]:
        """Let time pass; return the days and subjects of the letters.

        Each morning the engine looks twice: the first time it gathers, the second time it sends.
        """
        found = []
        end = datetime.fromisoformat(f"{day}T23:00:00+00:00")
        while self.story.now < end:
            clock = self.story.now.replace(second=0, microsecond=0)
            nine = clock.replace(hour=9, minute=0)
            looks = [nine + timedelta(minutes=5), nine + timedelta(minutes=20)]
            looks.append(nine + timedelta(hours=14))
            later = next(look for look in [*looks, nine + timedelta(days=1)] if look > clock)
            letters = self.story.letters(max(later - self.story.now, timedelta(0)), ticks=2)
            found += [
                (f"{self.story.now:%m-%d}", one.subject.rpartition(" ")[2]) for one in letters
            ]
        return found


@pytest.fixture
def subscriber(shop_site: Any) -> Subscriber:
    """Return somebody who pays for periods."""
    return Subscriber()


def test_the_end_of_a_paid_period_is_told_three_times(subscriber: Subscriber) -> None:
    subscriber.pays_until("2030-01-17")
    assert subscriber.hears_until("2030-01-20") == [
        ("01-10", "week"),
        ("01-16", "tomorrow"),
        ("01-17", "today"),
    ]


def test_who_paid_for_a_short_time_hears_what_is_still_to_come(subscriber: Subscriber) -> None:
    subscriber.pays_until("2030-01-10")
    assert subscriber.hears_until("2030-01-11") == [("01-09", "tomorrow"), ("01-10", "today")]


def test_a_day_that_is_over_is_not_told(subscriber: Subscriber) -> None:
    subscriber.pays_until("2030-01-05")
    assert subscriber.hears_until("2030-01-08") == []
    assert reasons() == []


def test_who_renews_hears_of_the_new_day_and_of_each_once(subscriber: Subscriber) -> None:
    subscriber.pays_until("2030-01-16")
    assert subscriber.hears_until("2030-01-10") == [("01-09", "week")]
    subscriber.pays_until("2030-01-21")
    assert subscriber.hears_until("2030-01-23") == [
        ("01-14", "week"),
        ("01-20", "tomorrow"),
        ("01-21", "today"),
    ]


def test_who_renews_early_hears_of_each_day_once(subscriber: Subscriber) -> None:
    subscriber.pays_until("2030-01-17")
    assert subscriber.hears_until("2030-01-08") == []
    subscriber.pays_until("2030-01-18")
    assert subscriber.hears_until("2030-01-19") == [
        ("01-11", "week"),
        ("01-17", "tomorrow"),
        ("01-18", "today"),
    ]
    assert set(reasons()) == {"completed"}


def test_who_stops_paying_for_good_is_left_in_peace(subscriber: Subscriber) -> None:
    subscriber.pays_until("2030-01-17")
    assert subscriber.hears_until("2030-01-10") == [("01-10", "week")]
    fields.clear_field_many([subscriber.contact.pk], "paid_until", subscriber.story.now)
    assert subscriber.hears_until("2030-01-18") == []
