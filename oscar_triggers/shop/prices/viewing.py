"""What products cost the people who looked at them, asked when the tick routes their looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings

from ...engine import intake
from ...engine.intake import Routed
from ...models import PriceSource
from . import quotes, seen
from .events import ProductViewed
from .seen import Sight

#: A look that is routed later than this was at a price that may have changed meanwhile.
_FRESH = timedelta(minutes=2)


def remember_prices(entries: Sequence[Routed], now: datetime) -> None:
    """Keep what these products cost the people who looked at them; constant queries."""
    looks = [
        (one, one.contact_id, one.event.product_id)
        for one in entries
        if isinstance(one.event, ProductViewed) and one.contact_id is not None
    ]
    # A late look was at a price that we cannot know, where it changed since.
    late = [one for one in looks if now - one[0].occurred_at > _FRESH]
    changed = quotes.changed_since(late, now)
    looks = [one for one in looks if one[0].entry_id not in changed]
    asked = quotes.ask([(contact_id, product_id) for _one, contact_id, product_id in looks], now)
    seen.note(
        Sight(
            contact_id=contact_id,
            product_id=product_id,
            source=PriceSource.VIEW.value,
            price=quote.price,
            currency=quote.currency,
            seen_at=min(one.occurred_at, now),
            site_id=one.site_id if one.site_id is not None else getattr(settings, "SITE_ID", None),
        )
        for one, contact_id, product_id in looks
        if (quote := asked.get((contact_id, product_id))) is not None
    )


def listen() -> None:
    """Have prices remembered when the engine routes looks."""
    intake.listener(ProductViewed.kind)(remember_prices)
