"""What tests of stock and prices share: a shop that was looked at once, and what changed since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from oscar.apps.partner import strategy
from oscar.core.loading import get_model

from oscar_triggers.engine import sweeping
from oscar_triggers.models import Pulse, StockChange
from oscar_triggers.models.sql import insert_or_ignore
from tests.shop.conftest import commit


class Watch:
    """The stock sweep alone, in its own time."""

    def __init__(self) -> None:
        insert_or_ignore(Pulse, [{"name": "sweep:stock"}], conflict="name")
        self.now: datetime = timezone.now()

    def look(self, later: timedelta = timedelta(minutes=1)) -> list[StockChange]:
        """Run the sweep and return the lines that it wrote, oldest first."""
        commit()
        self.now += later
        newest = StockChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        pulse = Pulse.objects.get(name="sweep:stock")
        sweeping.registry.get("stock").run(self.now, pulse)
        pulse.save()
        return list(StockChange.objects.filter(pk__gt=newest).order_by("pk"))

    def marked(self) -> list[StockChange]:
        """Run the sweep right after the last look: only what was marked is looked at."""
        return self.look(timedelta(seconds=1))


@pytest.fixture
def watch(db: None) -> Watch:
    """Return the sweep, before its first look."""
    return Watch()


def record_of(product: Any) -> Any:
    """Return the product's first stock record, read afresh."""
    return (
        get_model("partner", "StockRecord").objects.filter(product=product).order_by("pk").first()
    )


def records_of(product: Any) -> Any:
    """Return the product's stock records, for writes that send no signal."""
    return get_model("partner", "StockRecord").objects.filter(product=product)


def told(lines: list[StockChange]) -> list[tuple[Any, ...]]:
    """Return of each line: cause, available before and after, price before and after."""
    return [
        (
            line.cause,
            (line.was_available, line.available_before),
            (line.is_available, line.available_after),
            line.price_before,
            line.price_after,
        )
        for line in lines
    ]


def _personal(selector: Any, request: Any = None, user: Any = None, **kwargs: Any) -> Any:
    """Select as a shop of its own: traders see no tax, Americans dollars, all others 20 %."""
    name = getattr(user, "username", "")
    if name.startswith("trader"):
        return strategy.Default()
    return DollarStrategy() if name.startswith("american") else strategy.UK()


class DollarStrategy(strategy.Default):
    """Sells what is priced in dollars."""

    def select_stockrecord(self, product: Any) -> Any:
        records = [one for one in product.stockrecords.all() if one.price_currency == "USD"]
        return records[0] if records else None


@pytest.fixture
def personal_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the shop quote by person, as a shop does that overrides Oscar's Selector."""
    monkeypatch.setattr(strategy.Selector, "strategy", _personal)


@pytest.fixture
def make_offer(db: None) -> Callable[..., Any]:
    """Return a function that makes an offer of so many percent on some goods."""
    from oscar.test import factories

    def make(*products: Any, percent: int = 10, name: str = "Spring", **fields: Any) -> Any:
        goods = factories.RangeFactory(name=f"Goods of {name}", products=products)
        condition = factories.ConditionFactory(range=goods, type="Count", value=1)
        benefit = factories.BenefitFactory(range=goods, type="Percentage", value=percent)
        return factories.ConditionalOfferFactory(
            name=name,
            condition=condition,
            benefit=benefit,
            **{"start_datetime": None, "end_datetime": None, "offer_type": "Site", **fields},
        )

    return make
