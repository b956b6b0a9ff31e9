"""For each of Oscar's letters a shop chooses who sends it: Oscar, or a flow, never both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from oscar_triggers.engine import clockwork, flows, installation
from oscar_triggers.insight import health
from oscar_triggers.models import Dispatch, Flow, JournalEntry, Pulse
from oscar_triggers.shop.after import mails
from tests.shop.after.conftest import letter, publish
from tests.shop.conftest import commit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ours(settings: Any) -> None:
    """Give the confirmation of orders to a flow."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "OSCAR_MAILS": {"ORDER_PLACED": "thanks"}}
    settings.LANGUAGE_CODE = "en"


def publish_thanks(**fields: Any) -> None:
    """Publish the flow that confirms orders; the clockwork ticks."""
    clockwork.tick(timezone.now())
    letter("thanks", "<mj-text>Thank you for {{ order.number }}.</mj-text>", subject="Ours")
    publish(
        "order_placed",
        {"key": "letter", "kind": "send", "options": {"template": "thanks"}},
        key="thanks",
        **fields,
    )


def sent() -> list[str]:
    """Return the subjects of what was sent, ours by a tick, and forget them."""
    commit()
    for _tick in range(3):
        clockwork.tick(timezone.now())
    subjects = ["ours" if one.subject == "Ours" else "Oscar's" for one in mail.outbox]
    mail.outbox.clear()
    return subjects


def buy(shopper: Any, product: Any) -> Any:
    """Order something by the shop's own checkout."""
    shopper.add(product)
    return shopper.place_order()


@pytest.mark.parametrize("who", ["guest", "shopper"])
def test_an_order_is_confirmed_by_our_flow_while_it_is_live(
    who: str, request: pytest.FixtureRequest, product: Any
) -> None:
    customer = request.getfixturevalue(who)
    buy(customer, product)
    assert sent() == ["Oscar's"]
    publish_thanks()
    order = buy(customer, product)
    assert sent() == ["ours"]
    # Oscar writes down what it sent; this it did not.
    assert not get_model("order", "CommunicationEvent").objects.filter(order=order).exists()
    flows.pause("thanks", timezone.now())
    buy(customer, product)
    assert sent() == ["Oscar's"]
    flows.resume("thanks", timezone.now())
    buy(customer, product)
    assert sent()[-1] == "ours"
    flows.archive("thanks", timezone.now())
    buy(customer, product)
    assert sent() == ["Oscar's"]


def test_a_rehearsal_leaves_the_confirmation_to_oscar(guest: Any, product: Any) -> None:
    publish_thanks()
    flows.shadow("thanks", timezone.now())
    buy(guest, product)
    assert sent() == ["Oscar's"]


def test_in_doubt_oscars_letter_goes(
    guest: Any, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_thanks()

    def fails(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the table is gone")

    monkeypatch.setattr(Flow.objects, "filter", fails)
    buy(guest, product)
    assert len(mail.outbox) == 1
    assert mail.outbox[0].subject != "Ours"


@pytest.mark.parametrize("how", ["stands still", "never ticked", "stopped", "off"])
def test_oscars_letter_goes_while_ours_would_not_leave(
    guest: Any, product: Any, settings: Any, how: str
) -> None:
    publish_thanks()
    tick = Pulse.objects.filter(name="tick")
    if how == "stands still":
        tick.update(ran_at=timezone.now() - timedelta(minutes=10))
    elif how == "never ticked":
        tick.delete()
    elif how == "stopped":
        installation.stop(timezone.now())
    else:
        settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SENDING": False}
    buy(guest, product)
    assert len(mail.outbox) == 1
    said = " ".join(one.text for one in health.examine(timezone.now()))
    assert "Oscar sends all its letters itself for now" in said


def test_ours_does_not_follow_oscars_when_the_engine_goes_on(guest: Any, product: Any) -> None:
    letter("later", "<mj-text>How is it?</mj-text>", subject="Later")
    send = {"kind": "send", "options": {"template": "thanks"}}
    publish_thanks()
    publish(
        "order_placed",
        {"key": "letter", **send},
        {"key": "later", **send, "options": {"template": "later"}},
        key="thanks",
    )
    installation.stop(timezone.now())
    order = buy(guest, product)
    assert sent() == ["Oscar's"]
    installation.resume(timezone.now())
    now = timezone.now()
    for _tick in range(6):
        now += timedelta(minutes=20)
        clockwork.tick(now)
    assert [one.subject for one in mail.outbox] == ["Later"]
    assert Dispatch.objects.get(reason="sent_by_oscar").state == "skipped"
    assert JournalEntry.objects.get(kind="oscar_mail_sent").about_id == order.number


def test_a_server_that_starts_anew_changes_nothing(guest: Any, product: Any) -> None:
    publish_thanks()
    Pulse.objects.filter(name="tick").update(ran_at=timezone.now() - timedelta(minutes=2))
    buy(guest, product)
    assert mail.outbox == []


def test_other_letters_of_oscars_are_left_alone(member: Any, shop_site: Any) -> None:
    publish_thanks()
    dispatcher = get_class("customer.utils", "CustomerDispatcher")()
    dispatcher.send_registration_email_for_user(member, {"user": member})
    assert len(mail.outbox) == 1


def test_a_letter_to_a_customer_can_be_ours_too(member: Any, shop_site: Any, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "OSCAR_MAILS": {"REGISTRATION": "thanks"}}
    publish_thanks()
    dispatcher = get_class("customer.utils", "CustomerDispatcher")()
    dispatcher.send_registration_email_for_user(member, {"user": member})
    assert mail.outbox == []


def test_a_letter_with_a_link_of_oscars_cannot_be_ours(settings: Any) -> None:
    from django.core.exceptions import ImproperlyConfigured

    from oscar_triggers.conf import triggers_settings

    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "OSCAR_MAILS": {"PASSWORD_RESET": "x"}}
    with pytest.raises(ImproperlyConfigured, match="PASSWORD_RESET"):
        triggers_settings()


def test_wrapping_twice_changes_nothing() -> None:
    dispatcher = get_class("communication.utils", "Dispatcher")
    before = dispatcher.dispatch_user_messages
    mails.take_over()
    assert dispatcher.dispatch_user_messages is before


def test_the_doctor_says_who_sends_what(db: None) -> None:
    def said() -> str:
        return " ".join(f"{one.level} {one.text}" for one in health.examine(timezone.now()))

    assert "warning Oscar sends its letter ORDER_PLACED: the flow “thanks” does not exist" in said()
    publish_thanks()
    assert "ok The flow “thanks” sends ORDER_PLACED" in said()
    Flow.objects.update(state="paused")
    assert "warning Oscar sends its letter ORDER_PLACED" in said()


def test_the_doctor_warns_where_customers_would_get_neither(db: None) -> None:
    letter(
        "thanks",
        "<mj-text>Thank you. {{ shop.name }}, {{ shop.postal_address }} "
        '<a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>',
    )
    publish(
        "order_placed",
        {"key": "letter", "kind": "send", "options": {"template": "thanks"}},
        key="thanks",
        stream="promotional",
        topic="offers",
    )
    problems = [one for one in health.examine(timezone.now()) if one.level == "problem"]
    assert any("gets neither letter" in one.text for one in problems)
