"""Oscar's alerts are taken over and given back: no double letter, none lost, no page that fails."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_triggers.engine import flows
from oscar_triggers.insight import health
from oscar_triggers.models import ProductRequest
from oscar_triggers.shop.requests import alerts, takeover, waiting_counts
from tests.mail import use_backend
from tests.shop.conftest import commit

from .conftest import Shop, alert, restock, states, wait_for
from .test_waves import make_family

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dead_mail_server(settings: Any) -> Iterator[None]:
    """Send the shop's mail to a port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        # Bound and never listening: nobody else can take it, and it refuses.
        backend = "django.core.mail.backends.smtp.EmailBackend"
        use_backend(settings, backend, host="127.0.0.1", port=port, timeout=2)
        yield


def statuses() -> list[str]:
    rows = get_model("customer", "ProductAlert").objects.order_by("pk")
    return list(rows.values_list("status", flat=True))


def test_alerts_of_members_and_guests_are_told_by_our_flow_once(
    shop: Shop, publish: Callable[..., Any], mug: Any, member: Any
) -> None:
    publish()
    alert(mug, email="first@example.com")
    alert(mug, user=member)
    assert shop.ring() == []
    assert waiting_counts() == {mug.pk: 2}
    restock(mug, 10)
    assert mail.outbox == []
    assert sorted(shop.ring()) == ["anna@example.com", "first@example.com"]
    assert statuses() == ["Closed", "Closed"]
    call_command("oscar_send_alerts", verbosity=0)
    restock(mug, 11)
    assert shop.ring() == []
    assert len(mail.outbox) == 2


def test_an_alert_keeps_its_place_before_what_was_asked_later(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 1)
    made = alert(mug, email="early@example.com")
    get_model("customer", "ProductAlert").objects.filter(pk=made.pk).update(
        date_created=shop.now - timedelta(days=9)
    )
    restock(mug, 1)
    assert shop.ring() == ["early@example.com"]


def test_an_alert_for_a_variant_is_told_though_oscars_command_never_would(
    shop: Shop, publish: Callable[..., Any]
) -> None:
    shirt, red, _blue = make_family()
    alert(red, email="variant@example.com")
    alert(shirt, email="parent@example.com")
    # No signal: as an import, at night.
    red.stockrecords.update(num_in_stock=5)
    call_command("oscar_send_alerts", verbosity=0)
    assert mail.outbox == []
    publish()
    assert sorted(shop.ring()) == ["parent@example.com", "variant@example.com"]


def test_somebody_with_an_alert_and_a_request_is_told_once(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    wait_for(mug, 1)
    alert(mug, email="guest-0@example.com")
    alert(mug, email="Guest-0@example.com")
    shop.sweep()
    assert ProductRequest.objects.count() == 1
    assert statuses() == ["Active", "Closed"]
    restock(mug, 5)
    assert shop.ring() == ["guest-0@example.com"]
    assert statuses() == ["Closed", "Closed"]


def test_an_alert_that_is_cancelled_in_oscars_pages_ends_the_request(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    made = alert(mug, email="first@example.com")
    shop.sweep()
    made.cancel()
    restock(mug, 1)
    assert shop.ring() == []
    assert states() == ["cancelled"]


def test_a_request_that_is_cancelled_cancels_the_alert(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    from oscar_triggers.shop.requests import asking

    publish()
    alert(mug, email="first@example.com")
    shop.sweep()
    assert asking.cancel(ProductRequest.objects.get(), shop.now)
    assert statuses() == ["Cancelled"]


def test_switching_our_flow_off_gives_oscars_alerts_back_at_once(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    alert(mug, email="first@example.com")
    shop.sweep()
    flows.pause("back", shop.now)
    restock(mug, 1)
    assert mail.outbox == [], "a paused flow keeps its word"
    flows.archive("back", shop.now)
    restock(mug, 1)
    assert [letter.to for letter in mail.outbox] == [["first@example.com"]]
    shop.sweep()
    assert states() == ["told"]
    publish()
    assert shop.ring() == []


def test_who_was_told_in_vain_gets_the_alert_back(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    publish()
    alert(mug, email="first@example.com")
    restock(mug, 1)
    assert shop.sweep()["told"] == 1
    assert statuses() == ["Closed"]
    flows.archive("back", shop.now)
    shop.ring()
    assert statuses() == ["Active"]
    restock(mug, 1)
    assert [letter.to for letter in mail.outbox] == [["first@example.com"]]


def test_a_rehearsal_takes_nothing_over(shop: Shop, publish: Callable[..., Any], mug: Any) -> None:
    publish()
    flows.shadow("back", shop.now)
    alert(mug, email="first@example.com")
    assert "told" not in shop.sweep()
    restock(mug, 1)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("live", [True, False])
def test_a_dead_mail_server_stops_neither_a_stock_save_nor_an_order(
    shop: Shop,
    publish: Callable[..., Any],
    mug: Any,
    shopper: Any,
    dead_mail_server: None,
    monkeypatch: pytest.MonkeyPatch,
    live: bool,
) -> None:
    if live:
        publish()
    alert(mug, email="first@example.com")
    restock(mug, 3)
    assert mug.stockrecords.get().num_in_stock == 3
    # Oscar's own letter about the order is Oscar's business: that it fails is not what is asked.
    dispatcher = "oscar.apps.order.utils.OrderDispatcher"
    monkeypatch.setattr(
        f"{dispatcher}.send_order_placed_email_for_user", lambda *args, **kwargs: None
    )
    shopper.add(mug)
    shopper.place_order()
    assert get_model("order", "Order").objects.count() == 1
    assert statuses() == ["Active"], "nothing is lost: it is told when the mail server is back"


def test_alerts_wait_until_the_mail_server_is_back(
    shop: Shop,
    publish: Callable[..., Any],
    mug: Any,
    dead_mail_server: None,
    settings: Any,
) -> None:
    publish()
    alert(mug, email="first@example.com")
    restock(mug, 3)
    assert shop.ring() == []
    use_backend(settings, "django.core.mail.backends.locmem.EmailBackend")
    found = [to for _try in range(8) for to in shop.ring(timedelta(minutes=15))]
    assert found == ["first@example.com"]


def test_saving_a_stock_record_costs_two_queries_more_at_most_with_a_thousand_waiting(
    shop: Shop, publish: Callable[..., Any], mug: Any
) -> None:
    record = mug.stockrecords.get()
    publish()
    model = get_model("customer", "ProductAlert")
    model.objects.bulk_create(
        model(product=mug, email=f"a{n}@example.com", status="Active") for n in range(1_000)
    )
    shop.sweep()
    record.num_in_stock = 2_000
    with CaptureQueriesContext(connection) as queries:
        record.save()
        commit()
    said = [query["sql"] for query in queries]
    # The save itself, and Oscar's look for warnings of low stock.
    oscars = [sql for sql in said if "oscar_triggers_" not in sql]
    assert len(oscars) == 2, oscars
    assert len(said) - len(oscars) == 2
    assert mail.outbox == []


def test_adopting_asks_as_often_for_one_as_for_five_hundred(
    shop: Shop, publish: Callable[..., Any], mug: Any, django_assert_max_num_queries: Any
) -> None:
    publish()
    model = get_model("customer", "ProductAlert")
    model.objects.bulk_create(
        model(product=mug, email=f"a{n}@example.com", status="Active") for n in range(500)
    )
    with django_assert_max_num_queries(16):
        assert alerts.adopt(shop.now) == 500
    assert ProductRequest.objects.count() == 500


def test_the_doctor_says_who_tells(shop: Shop, publish: Callable[..., Any], mug: Any) -> None:
    def said() -> str:
        return "\n".join(one.text for one in health.examine(shop.now) if "stock" in one.text)

    assert said() == ""
    alert(mug, email="first@example.com")
    assert "Oscar's own alerts tell people" in said()
    publish()
    assert "“back” tells people, and Oscar's own alerts are silent. 1 person waits" in said()
    flows.pause("back", shop.now)
    assert "the flow is paused" in said()


def test_oscars_receiver_that_was_connected_again_is_found() -> None:
    from oscar.apps.customer.alerts.receivers import send_product_alerts

    record = get_model("partner", "StockRecord")
    assert takeover.stands_in()
    assert not takeover.is_beside_us()
    post_save.connect(send_product_alerts, sender=record)
    try:
        assert takeover.is_beside_us()
    finally:
        takeover.connect()
    assert not takeover.is_beside_us()


def test_oscars_receiver_comes_back_when_we_disconnect() -> None:
    takeover.disconnect()
    try:
        assert takeover.is_beside_us()
        assert not takeover.stands_in()
    finally:
        takeover.connect()
    assert takeover.stands_in()


def test_who_asked_oscar_years_ago_is_still_told(
    shop: Shop, publish: Callable[..., Any], mug: Any, member: Any
) -> None:
    publish()
    alert(mug, user=member)
    rows = get_model("customer", "ProductAlert").objects
    rows.update(date_created=F("date_created") - timedelta(days=900))
    assert shop.ring() == []
    restock(mug, 1)
    assert shop.ring() == ["anna@example.com"]
