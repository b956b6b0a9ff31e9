"""Time passes by ageing the data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.models import OrderWatch
from sandbox.shop.travel import parse_duration, travel

if TYPE_CHECKING:
    from django.test import Client

    from tests.shopping import Shopper


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("25h", timedelta(hours=25)),
        ("3d", timedelta(days=3)),
        ("1d 2h30m", timedelta(days=1, hours=2, minutes=30)),
        ("90S", timedelta(seconds=90)),
    ],
)
def test_durations_are_written_as_people_do(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "h", "25", "25x", "1h later", "-1h"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CommandError, match="write 25h"):
        call_command("sandbox_travel", "--", text)


@pytest.mark.django_db
def test_a_basket_is_a_day_older_after_a_day(guest: Shopper, product: Any) -> None:
    guest.add(product)
    line = guest.basket.lines.get()
    before = line.date_created, line.date_updated, guest.basket.date_created

    moved = travel(timedelta(hours=25, microseconds=7))

    line.refresh_from_db()
    after = line.date_created, line.date_updated, guest.basket.date_created
    assert [old - new for old, new in zip(before, after, strict=True)] == [
        timedelta(hours=25, microseconds=7)
    ] * 3
    assert moved["basket.line"] == 1


@pytest.mark.django_db
def test_what_has_no_date_gets_none(guest: Shopper, product: Any) -> None:
    guest.add(product)

    travel(timedelta(days=1))

    assert guest.basket.date_submitted is None


@pytest.mark.django_db
def test_an_offer_that_ends_in_an_hour_is_over_tomorrow() -> None:
    from oscar.test import factories

    now = timezone.now()
    factories.ConditionalOfferFactory(
        start_datetime=now - timedelta(days=1), end_datetime=now + timedelta(hours=1)
    )
    offers = get_model("offer", "ConditionalOffer").active
    assert offers.count() == 1

    travel(timedelta(days=1))

    assert offers.count() == 0


@pytest.mark.django_db
def test_people_stay_signed_in(member_client: Client, shop_site: Any) -> None:
    travel(timedelta(days=60))

    assert "Logout" in member_client.get("/catalogue/").text


@pytest.mark.django_db
def test_an_order_that_arrived_today_arrived_a_week_ago_then() -> None:
    now = timezone.now()
    stages = {"received": now.isoformat(), "shipped": (now - timedelta(days=2)).isoformat()}
    watch = OrderWatch.objects.create(
        order_id=1, number="R-1", stages=stages, placed_at=now, seen_at=now
    )

    travel(timedelta(days=7))

    watch.refresh_from_db()
    assert {name: datetime.fromisoformat(at) for name, at in watch.stages.items()} == {
        "received": now - timedelta(days=7),
        "shipped": now - timedelta(days=9),
    }


@pytest.mark.django_db
def test_one_update_per_table() -> None:
    with CaptureQueriesContext(connection) as counted:
        moved = travel(timedelta(days=1))

    updates = [query for query in counted if query["sql"].startswith("UPDATE")]
    assert len(updates) == len(moved)
