"""What tests of the engine share: gift cards, people who agreed, flows about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, contacts, flows, intake, templates
from oscar_triggers.models import ConsentAction, ConsentBasis, ConsentEvent, ContactPoint, Owner
from oscar_triggers.snapshots import About, Person
from sandbox.shop_extras.triggers import GiftCardExpiring

BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{ contact.first_name|default:"friend" }}, {{ gift_card.code }} is yours.</mj-text>
<mj-button href="{{ shop.url }}">To the shop</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture
def now() -> datetime:
    """Return a moment a little ahead of the clock, so that nothing is from the future."""
    return timezone.now() + timedelta(seconds=5)


@pytest.fixture
def publish_letter(db: None, now: datetime) -> Callable[..., Any]:
    """Return a function that publishes a letter about gift cards."""

    def publish(
        key: str = "card",
        language: str = "en",
        subject: str = "Your card {{ gift_card.code }}",
        body: str = BODY,
    ) -> Any:
        return templates.publish(
            key, key, LetterSource(subject=subject, body=body, language=language),
            owner=Owner.FILE, now=now,
        )  # fmt: skip

    return publish


@pytest.fixture
def publish_flow(publish_letter: Callable[..., Any], now: datetime) -> Callable[..., Any]:
    """Return a function that publishes a flow about gift cards; its letters exist."""

    def publish(*steps: dict[str, Any], key: str = "gift-cards", **rest: Any) -> Any:
        publish_letter()
        definition = FlowDefinition.from_dict(
            {"flow": key, "trigger": "gift_card_expiring", "steps": list(steps), **rest}
        )
        return flows.publish(definition, owner=Owner.FILE, now=now - timedelta(minutes=1))

    return publish


@pytest.fixture
def person() -> Person:
    """Return Anna, who has no account."""
    return Person(email="Anna@Example.com", first_name="Anna", language="en")


@pytest.fixture
def agreed(db: None, person: Person, now: datetime) -> int:
    """Let Anna agree to letters; return her contact's id."""
    [contact_id] = contacts.resolve_many([(person, None)], now)
    assert contact_id is not None
    point = ContactPoint.objects.get(contact_id=contact_id, channel="email")
    ConsentEvent.objects.create(
        contact_id=contact_id,
        channel="email",
        point_hash=point.point_hash,
        topic="offers",
        action=ConsentAction.GRANT,
        basis=ConsentBasis.CONSENT,
        text="Write to me.",
        source="test",
        occurred_at=now - timedelta(days=1),
        recorded_at=now,
    )
    return contact_id


@pytest.fixture
def expire(person: Person) -> Callable[..., None]:
    """Return a function that tells the engine that a gift card is about to expire."""

    def tell(
        code: str = "A1", card: str = "7", at: datetime | None = None, who: Person = person
    ) -> None:
        intake.record(
            GiftCardExpiring(code=code, expires_on=date(2030, 5, 1)),
            person=who,
            about=About(type="gift_card", id=card),
            occurred_at=at,
        )

    return tell


@pytest.fixture
def tick() -> Callable[[datetime], clockwork.TickReport]:
    """Return the tick."""
    return clockwork.tick


SEND = {"key": "letter", "kind": "send", "options": {"template": "card"}}
#: A moment that no test reaches.
NEVER = datetime(2090, 1, 1, tzinfo=UTC)


def wait(key: str, duration: str) -> dict[str, Any]:
    """Return a Wait step."""
    return {"key": key, "kind": "wait", "options": {"duration": duration}}
