"""Whole crowds for storms: customers with left baskets, and people whose gift cards expire."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows, intake, templates
from oscar_triggers.engine.intake import Record
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Dispatch,
    DispatchState,
    Flow,
    JournalEntry,
    Owner,
    point_hash,
)
from oscar_triggers.policy.points import EMAIL, normalise_email
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring
from tests.shopping import make_product

BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{ contact.first_name|default:"friend" }}, {{ gift_card.code }} is yours.</mj-text>
<mj-button href="{{ shop.url }}">To the shop</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""


def agree(emails: Sequence[str]) -> None:
    """Let people agree to letters."""
    moment = timezone.now() - timedelta(days=1)
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            channel=EMAIL,
            point_hash=point_hash(EMAIL, normalise_email(email)),
            topic="offers",
            action=ConsentAction.GRANT,
            basis=ConsentBasis.CONSENT,
            text="Write to me.",
            source="test",
            occurred_at=moment,
            recorded_at=moment,
        )
        for email in emails
    )


# ── Gift cards: the whole way of a letter without a shop around it ───────────────────────────────


def publish_card_flow(**rest: Any) -> None:
    """Publish a flow that sends one letter about each gift card, at once."""
    moment = timezone.now() - timedelta(minutes=5)
    templates.publish(
        "card",
        "Card",
        LetterSource(subject="Your card {{ gift_card.code }}", body=BODY, language="en"),
        owner=Owner.FILE,
        now=moment,
    )
    letter = {"key": "letter", "kind": "send", "options": {"template": "card"}}
    flows.publish(
        FlowDefinition.from_dict(
            {"flow": "cards", "trigger": "gift_card_expiring", "steps": [letter], **rest}
        ),
        owner=Owner.FILE,
        now=moment,
    )


def publish_card_flows(letters: str, **rest: Any) -> None:
    """Publish such a flow for the cards whose code begins with certain letters."""
    publish_card_flow(
        flow=f"cards-{letters.lower()}",
        entry=[{"kind": "card_begins_with", "letters": letters}],
        **rest,
    )


def card_records(
    count: int, at: datetime | None = None, *, letters: str = "C", who: str = "person"
) -> list[Record]:
    """Return events about gift cards of different people, who agreed to letters."""
    emails = [f"{who}-{number}@example.com" for number in range(count)]
    agree(emails)
    return [
        Record(
            event=GiftCardExpiring(code=f"{letters}{number}", expires_on=date(2030, 5, 1)),
            person=Person(email=email, first_name="Anna", language="en"),
            about=About(type="gift_card", id=str(number) if who == "person" else f"{who}{number}"),
            occurred_at=at,
        )
        for number, email in enumerate(emails)
    ]


def plan_cards(count: int) -> None:
    """Bring letters about gift cards to the point where they are due, and send none."""
    records = card_records(count)
    for start in range(0, count, 5_000):
        intake.record_many(records[start : start + 5_000])
    _tick_until_due(count)


def _tick_until_due(count: int) -> None:
    """Tick without sending until so many letters are due: a tick gives way to other work."""
    planned = -1
    before: tuple[int, int] | None = None
    while planned < count:
        clockwork.tick(timezone.now() + timedelta(seconds=1), send=False)
        planned = Dispatch.objects.filter(state=DispatchState.PLANNED).count()
        moved = JournalEntry.objects.filter(routed_at=None).count(), planned
        assert planned == count or moved != before, f"{planned} of {count} letters are due"
        before = moved


# ── Baskets ──────────────────────────────────────────────────────────────────────────────────────


def leave_baskets(count: int, *, products: int = 12) -> list[Any]:
    """Let customers, who agreed to letters, leave a basket each two hours ago; return them."""
    # Several: an open checkout keeps the stock record of its product locked.
    goods = [
        make_product(f"Enamel mug {n}", price=Decimal("12.50"), num_in_stock=count)
        for n in range(products)
    ]
    stocks = [product.stockrecords.get() for product in goods]
    users = get_user_model().objects.bulk_create(
        get_user_model()(username=f"member-{n}", email=f"member-{n}@example.com", first_name="Anna")
        for n in range(count)
    )
    baskets = get_model("basket", "Basket").objects.bulk_create(
        get_model("basket", "Basket")(owner=user) for user in users
    )
    lines = get_model("basket", "Line").objects
    lines.bulk_create(
        lines.model(
            basket=basket,
            line_reference=f"{stock.product_id}_{stock.pk}",
            product_id=stock.product_id,
            stockrecord=stock,
            quantity=1,
            price_currency="EUR",
            price_excl_tax=Decimal("12.50"),
            price_incl_tax=Decimal("12.50"),
            tax_code="",
        )
        for basket, stock in zip(baskets, cycle(stocks), strict=False)
    )
    left_at = timezone.now() - timedelta(hours=2)
    lines.update(date_created=left_at, date_updated=left_at)
    agree([user.email for user in users])
    return baskets


def plan_basket_letters(count: int, *, products: int = 12) -> list[Any]:
    """Bring the first shipped letter about left baskets to where it is due; return the baskets."""
    call_command("triggers_publish", "preset:abandoned-basket", stdout=io.StringIO())
    Flow.objects.update(active_since=timezone.now() - timedelta(days=1))
    baskets = leave_baskets(count, products=products)
    _tick_until_due(count)
    return baskets
