"""What tests about people who wait share: a flow that tells them, a sold-out mug, and time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, contacts, flows
from oscar_triggers.models import JournalEntry, Owner, ProductRequest, RequestKind, RequestState
from oscar_triggers.snapshots import Person
from oscar_triggers.testing import factories
from tests.shop.conftest import commit
from tests.shopping import make_product

FLOW = {
    "flow": "back",
    "stream": "transactional",
    "steps": [{"key": "letter", "kind": "send", "options": {"template": "back"}}],
}
LETTER = """<mjml><mj-body><mj-section><mj-column>
<mj-text>{{ product.title }} is back.{% if request.hurry %} Hurry!{% endif %}
{{ request.waiting }} wait. <a href="{{ request.cancel_url }}">Stop</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""


class Shop:
    """The engine's time, and who got a letter in it."""

    def __init__(self) -> None:
        self.now = timezone.now() + timedelta(seconds=5)

    def ring(self, later: timedelta = timedelta(0)) -> list[str]:
        """Move time on and tick until all is done; return who was written to, in order."""
        commit()
        self.now += later + timedelta(seconds=31)
        before = len(mail.outbox)
        for _tick in range(3):
            self.now += timedelta(seconds=1)
            report = clockwork.tick(self.now)
            for name, found in report.sweeps.items():
                assert "error" not in found, f"the sweep {name} failed: {found}"
        errors = list(JournalEntry.objects.exclude(error="").values_list("kind", "error"))
        assert errors == []
        return [address for letter in mail.outbox[before:] for address in letter.to]

    def sweep(self, later: timedelta = timedelta(0)) -> dict[str, Any]:
        """Move time on and sweep, sending nothing; return what the sweep of requests found."""
        commit()
        self.now += later + timedelta(seconds=31)
        return clockwork.tick(self.now, send=False).sweeps["requests"]


@pytest.fixture
def shop(shop_site: Any) -> Shop:
    """Return the engine's time."""
    cache.clear()
    return Shop()


@pytest.fixture
def publish(shop: Shop) -> Callable[..., Any]:
    """Return a function that publishes the flow that tells people, with options of its trigger."""

    def make(kind: str = "back_in_stock", **options: Any) -> Any:
        key = "back" if kind == "back_in_stock" else kind
        factories.letter("back", now=shop.now, subject="Back: {{ product.title }}", body=LETTER)
        definition = FlowDefinition.from_dict(
            {**FLOW, "flow": key, "trigger": {"kind": kind, **options}}
        )
        return flows.publish(definition, owner=Owner.FILE, now=shop.now - timedelta(seconds=10))

    return make


@pytest.fixture
def mug(db: None) -> Any:
    """Return a mug that is sold out."""
    return make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=0)


def restock(product: Any, number: int) -> None:
    """Put units on the shelf as the dashboard does."""
    record = product.stockrecords.get()
    record.num_in_stock = number
    record.save()


def sell(product: Any, number: int = 1) -> None:
    """Promise units to somebody else's order."""
    product.stockrecords.get().allocate(number)


def wait_for(
    product: Any, number: int, *, quantity: int = 1, kind: RequestKind = RequestKind.BACK
) -> list[ProductRequest]:
    """Let guests ask and confirm, one after the other."""
    moment = timezone.now() - timedelta(hours=1)
    people = [(Person(email=f"guest-{n}@example.com"), None) for n in range(number)]
    return [
        ProductRequest.objects.create(
            contact_id=contact_id,
            kind=kind,
            state=RequestState.WAITING,
            product_id=product.pk,
            quantity=quantity,
            created_at=moment + timedelta(seconds=position),
            confirmed_at=moment,
        )
        for position, contact_id in enumerate(contacts.resolve_many(people, moment))
    ]


def alert(product: Any, **fields: Any) -> Any:
    """Return one of Oscar's own alerts, active."""
    alerts = get_model("customer", "ProductAlert").objects
    made = alerts.create(product=product, **fields)
    # A guest's is unconfirmed when it is first saved.
    alerts.filter(pk=made.pk).update(status="Active")
    made.refresh_from_db()
    return made


def states() -> list[str]:
    """Return the states of all requests, in the order of asking."""
    return list(ProductRequest.objects.order_by("created_at", "pk").values_list("state", flat=True))
