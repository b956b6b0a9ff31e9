"""People who see prices, and a shop that changes them without a word."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from oscar.apps.partner import strategy

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows, templates
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Contact,
    JournalEntry,
    Owner,
    PriceSeen,
    StockChange,
    point_hash,
)
from tests.shop.conftest import Clock, commit


def agree(email: str, clock: Any) -> None:
    """Have somebody agree to letters."""
    ConsentEvent.objects.create(
        channel="email",
        point_hash=point_hash("email", email),
        topic="offers",
        action=ConsentAction.GRANT,
        basis=ConsentBasis.CONSENT,
        source="test",
        occurred_at=clock.now - timedelta(days=1),
        recorded_at=clock.now - timedelta(days=1),
    )


BODY = """<mjml><mj-body><mj-section><mj-column><mj-text>
{% for one in products %}({{ one.title }}: {{ one.old_price }} now {{ one.price }},
{{ one.percent }} percent, lowest {{ one.lowest_30d }}){% endfor %}
</mj-text><mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a>
{{ shop.postal_address }}</mj-text></mj-column></mj-section></mj-body></mjml>"""


def publish(clock: Any, *, key: str = "cheaper", wait: str = "", **trigger: Any) -> None:
    """Publish a flow that writes to people about prices that fell."""
    steps: list[dict[str, Any]] = []
    if wait:
        steps.append({"key": "pause", "kind": "wait", "options": {"duration": wait}})
    steps.append({"key": "letter", "kind": "send", "options": {"template": "cheaper"}})
    definition = FlowDefinition.from_dict(
        {
            "flow": key,
            "trigger": {"kind": "price_dropped", **trigger},
            "steps": steps,
        }
    )
    source = LetterSource(subject="Cheaper now", body=BODY, language="en")
    templates.publish("cheaper", "Cheaper", source, owner=Owner.FILE, now=clock.now)
    flows.publish(definition, owner=Owner.FILE, now=clock.now)


class Shop:
    """Time and prices of the shop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def tick(self, later: timedelta = timedelta(0), *, send: bool = False) -> list[str]:
        """Move time on and ring, a few times in a row; return what letters said."""
        commit()
        self.clock.tick(later)
        before = len(mail.outbox)
        for _ in range(3 if send else 0):
            self.clock.now += timedelta(seconds=1)
            clockwork.tick(self.clock.now, send=send)
        return [str(one.body) for one in mail.outbox[before:]]

    def price(self, product: Any, price: str, *, later: timedelta = timedelta(minutes=5)) -> None:
        """Change a price as a bulk update does, and look."""
        product.stockrecords.update(price=Decimal(price))
        self.tick(later)


@pytest.fixture
def shop(clock: Clock, shop_site: Any) -> Shop:
    """Return the shop, of which everything was looked at once."""
    found = Shop(clock)
    found.tick()
    return found


def drops() -> list[dict[str, Any]]:
    """Return what was recorded about fallen prices, oldest first."""
    entries = JournalEntry.objects.filter(kind="price_dropped").order_by("pk")
    return list(entries.values_list("payload", flat=True))


def fell(payload: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    """Return (product, old, new, source) of each product of an event."""
    return [(p["product_id"], p["old"], p["new"], p["source"]) for p in payload["products"]]


def saw(product: Any, **more: Any) -> list[tuple[str, str, str]]:
    """Return (source, price, currency) of what was seen of a product."""
    rows = PriceSeen.objects.filter(product_id=product.pk, **more).order_by("source")
    return [(row.source, str(row.price), row.currency) for row in rows]


class Dollars(strategy.Default):
    """Sells what is priced in dollars."""

    def select_stockrecord(self, product: Any) -> Any:
        records = [one for one in product.stockrecords.all() if one.price_currency == "USD"]
        return records[0] if records else None


def _by_person(selector: Any, request: Any = None, user: Any = None, **kwargs: Any) -> Any:
    """Select as a shop that overrides Oscar's Selector: by who the person is."""
    user = user if user is not None else getattr(request, "user", None)
    name = getattr(user, "username", "")
    if name.startswith("trader"):
        return strategy.Default(request)
    return Dollars(request) if name.startswith("american") else strategy.UK(request)


@pytest.fixture
def personal_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the shop ask 20 % tax of everybody but traders, and dollars of Americans."""
    monkeypatch.setattr(strategy.Selector, "strategy", _by_person)


def contact_of(user: Any) -> Contact:
    """Return a member's contact."""
    return Contact.objects.get(user=user)


def changes() -> list[tuple[str, Any, Any]]:
    """Return the journal of stock and prices."""
    return list(
        StockChange.objects.order_by("pk").values_list("cause", "price_before", "price_after")
    )
