"""One of several processes that report the same act again and again, each time a little different."""

from __future__ import annotations

import sys
import time
from datetime import date, timedelta
from typing import Any

import django


def start_checkout(basket_id: int, user_id: int, turn: int) -> None:
    """Send Oscar's start_checkout and basket_addition as a view would, with other extras."""
    from django.contrib.auth import get_user_model
    from django.test import RequestFactory
    from oscar.apps.basket.signals import basket_addition
    from oscar.apps.checkout.signals import start_checkout
    from oscar.core.loading import get_model

    request: Any = RequestFactory().get("/checkout/", {"turn": turn})
    request.user = get_user_model().objects.get(pk=user_id)
    # As Oscar's middleware leaves them.
    request.basket = request._basket_cache = get_model("basket", "Basket").objects.get(pk=basket_id)
    request.COOKIES["triggers_time_zone"] = "Europe/Berlin"
    line = request.basket.lines.first()
    basket_addition.send(
        sender=turn, product=line.product, user=request.user, request=request, turn=turn
    )
    start_checkout.send_robust(sender=turn, request=request, **{f"extra_{turn}": turn})


def record(turn: int, card: str = "7") -> None:
    """Record the expiry of one gift card, with another payload and another moment."""
    from django.utils import timezone

    from oscar_triggers.engine import intake
    from oscar_triggers.snapshots import About, Person
    from sandbox.shop_extras.triggers import GiftCardExpiring

    intake.record(
        GiftCardExpiring(code=f"C{turn}", expires_on=date(2030, 5, 1) + timedelta(days=turn)),
        person=Person(email="Anna@Example.com" if turn % 2 else "anna@example.com"),
        about=About(type="gift_card", id=card),
        occurred_at=timezone.now() - timedelta(seconds=turn),
    )


def main() -> None:
    """Wait for the common moment, then report."""
    kind, begin, first, times, *ids = sys.argv[1:]
    django.setup()
    time.sleep(max(0.0, float(begin) - time.time()))
    for turn in range(int(first), int(first) + int(times)):
        if kind == "signals":
            start_checkout(int(ids[0]), int(ids[1]), turn)
        else:
            record(turn, *ids)


if __name__ == "__main__":
    main()
