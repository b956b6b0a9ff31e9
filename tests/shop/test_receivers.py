"""Oscar's signals: one query each, and never a broken page."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.signing import Signer
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from oscar.core.loading import get_model

from oscar_triggers.engine import intake
from oscar_triggers.models import BasketWatch, JournalEntry
from oscar_triggers.shop import receivers

from .conftest import Clock, commit, kinds, watch_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every write of a receiver fail as a database does."""

    def fail(*args: object, **kwargs: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO no_such_table VALUES (1)")

    monkeypatch.setattr(intake, "record_many", fail)
    monkeypatch.setattr(receivers, "upsert", fail)


def test_language_zone_and_site_are_noted_with_the_first_product(guest: Any, product: Any) -> None:
    guest.client.cookies["triggers_time_zone"] = "Europe/Berlin"
    guest.client.cookies["django_language"] = "de"
    guest.add(product)
    commit()
    watch = watch_of(guest.basket)
    assert (watch.language, watch.time_zone, watch.site_id) == ("de", "Europe/Berlin", 1)
    assert watch.contact is None


@pytest.mark.parametrize("zone", ["../../etc/passwd", "Mars/Olympus", "x" * 300, "Europe", ""])
def test_a_made_up_time_zone_is_left_out(guest: Any, product: Any, zone: str) -> None:
    guest.client.cookies["triggers_time_zone"] = zone
    guest.add(product)
    commit()
    assert watch_of(guest.basket).time_zone == ""


def test_adding_a_product_costs_at_most_one_query(guest: Any, product: Any) -> None:
    guest.add(product)
    commit()
    receivers.disconnect()
    try:
        with CaptureQueriesContext(connection) as without:
            guest.add(product)
            commit()
    finally:
        receivers.connect()
    with CaptureQueriesContext(connection) as unchanged:
        guest.add(product)
        commit()
    with translation.override("ru"):
        guest.client.cookies["django_language"] = "ru"
        with CaptureQueriesContext(connection) as changed:
            guest.add(product)
            commit()
    assert len(unchanged) == len(without), "nothing new about the visitor"
    assert len(changed) == len(without) + 1
    assert watch_of(guest.basket).language == "ru"


def test_a_whole_checkout_is_one_insert_for_each_signal(
    guest: Any, product: Any, clock: Clock
) -> None:
    guest.add(product)
    with CaptureQueriesContext(connection) as queries:
        order = guest.place_order()
        commit()
    ours = [q["sql"] for q in queries.captured_queries if "oscar_triggers" in q["sql"]]
    written = [sql for sql in ours if sql.startswith("INSERT")]
    # The visitor, the checkout, the order, and the mug's stock: when it was made, when it was sold.
    assert len(written) == 5, ours
    # Of each time that its stock is saved: is it Oscar who tells those who wait? That is asked
    # anew, not remembered: a flow that was switched off a second ago keeps no alert back.
    asked = [sql for sql in ours if sql not in written]
    assert len(asked) <= 2, ours
    assert all(sql.startswith("SELECT 1") and "oscar_triggers_flow" in sql for sql in asked)
    assert sorted(kinds()) == ["checkout_started", "order_placed"]
    placed = JournalEntry.objects.get(kind="order_placed")
    assert placed.about_id == order.number
    assert placed.payload["basket_id"] == order.basket_id
    assert placed.person["email"] == guest.email
    assert "email_verified" not in placed.person, "anybody can type an address"
    clock.tick()
    assert kinds().count("order_placed") == 1, "the sweep knows it already"


def test_a_member_in_the_checkout_is_noted_once(shopper: Any, product: Any, member: Any) -> None:
    shopper.add(product)
    for _ in range(5):
        shopper.start_checkout()
    commit()
    [entry] = JournalEntry.objects.filter(kind="checkout_started")
    assert entry.person["user_id"] == member.pk
    assert entry.person["email_verified"] is True


def test_signing_in_tells_whose_the_basket_was(
    clock: Clock, guest: Any, product: Any, member: Any
) -> None:
    guest.add(product)
    basket = guest.basket
    response = guest.client.post(
        reverse("customer:login"),
        {
            "login-username": member.email,
            "login-password": "tea-and-biscuits",
            "login_submit": "Log In",
        },
    )
    assert response.status_code == 302
    commit()
    entry = JournalEntry.objects.get(kind="customer_logged_in")
    assert (entry.about_type, entry.about_id) == ("basket", str(basket.pk))
    clock.tick()
    contact = watch_of(basket).contact
    assert contact is not None
    assert contact.user_id == member.pk


@pytest.mark.parametrize(
    "cookie", ["7", "7:forged", Signer(salt="other").sign("7"), Signer().sign("x"), "", "7:" * 999]
)
def test_a_forged_basket_cookie_names_no_basket(
    guest: Any, member: Any, cookie: str, settings: Any
) -> None:
    guest.client.cookies[settings.OSCAR_BASKET_COOKIE_OPEN] = cookie
    guest.client.post(
        reverse("customer:login"),
        {
            "login-username": member.email,
            "login-password": "tea-and-biscuits",
            "login_submit": "Log In",
        },
    )
    commit()
    assert JournalEntry.objects.get(kind="customer_logged_in").about_id == ""


def test_registering_records_the_customer_once(guest: Any) -> None:
    response = guest.client.post(
        reverse("customer:register"),
        {
            "email": "new@example.com",
            "password1": "a-long-passphrase-7",
            "password2": "a-long-passphrase-7",
        },
    )
    assert response.status_code == 302, response.content
    commit()
    assert sorted(kinds()) == ["customer_logged_in", "customer_registered"]


@pytest.mark.django_db(transaction=True)
def test_nothing_that_goes_wrong_here_breaks_a_checkout(
    guest: Any, product: Any, broken_journal: None, caplog: pytest.LogCaptureFixture
) -> None:
    before = sum(receivers.failures.values())
    guest.add(product)
    order = guest.place_order()
    assert order.basket.status == "Submitted"
    assert get_model("order", "Order").objects.count() == 1
    assert sum(receivers.failures.values()) == before + 3
    assert guest.email not in caplog.text
    assert JournalEntry.objects.count() == 0
    assert BasketWatch.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_failure_inside_the_shops_own_transaction_does_not_poison_it(
    guest: Any, product: Any, broken_journal: None, settings: Any
) -> None:
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        guest.add(product)
        order = guest.place_order()
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert order.basket.status == "Submitted"


@pytest.mark.parametrize("receiver", [one for _signal, one in receivers._CONNECTIONS])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"request": None, "user": None, "order": None}, {"request": object(), "order": object()}],
)
def test_a_receiver_survives_signals_sent_by_other_apps(
    receiver: Any, arguments: dict[str, object]
) -> None:
    receiver(sender=object(), signal=object(), unheard_of=1, **arguments)
    commit()


def test_a_failure_is_counted_and_logged_without_personal_data(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @receivers.harmless
    def broken(**kwargs: object) -> receivers.Write:
        def write() -> None:
            raise DatabaseError("Key (email)=(anna@example.com) already exists")

        return write

    broken(sender=None)
    commit()
    assert receivers.failures["broken"] == 1
    assert "DatabaseError" in caplog.text
    assert "anna" not in caplog.text
