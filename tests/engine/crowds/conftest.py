"""What tests of segments and one-off letters share: people with tags, a segment, a letter to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from oscar_triggers.engine import saved_segments
from oscar_triggers.models import Contact, OneOffLetter, SavedSegment
from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock

TEA: list[dict[str, Any]] = [{"kind": "has_tag", "tag": "tea"}]


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands on a Monday at ten (UTC)."""
    return Clock()


@pytest.fixture
def people(db: None, clock: Clock) -> Callable[..., list[Contact]]:
    """Return a function that makes people with names of their own."""

    def make(*names: str, tags: Sequence[str] = ("tea",), **rest: Any) -> list[Contact]:
        return [
            factories.contact(f"{name}@example.com", now=clock.now, tags=tags, **rest)
            for name in names
        ]

    return make


@pytest.fixture
def tea(db: None, clock: Clock) -> SavedSegment:
    """Return the segment of those who carry the tag tea."""
    return saved_segments.save(key="tea", name="Tea drinkers", asked=TEA, now=clock.now)


@pytest.fixture
def letter(tea: SavedSegment, clock: Clock) -> Callable[..., OneOffLetter]:
    """Return a function that writes a one-off letter to the tea drinkers."""
    factories.letter("harvest", now=clock.now)

    def write(**fields: Any) -> OneOffLetter:
        return OneOffLetter.objects.create(
            **{
                "name": "First flush",
                "segment": tea.key,
                "template": "harvest",
                "topic": "offers",
                "created_at": clock.now,
                "changed_at": clock.now,
                **fields,
            }
        )

    return write


def sent_to(contacts: Sequence[Contact], state: str = "sent") -> list[bool]:
    """Say of each whether a message to it ended so."""
    return [one.messages.filter(state=state).exists() for one in contacts]


def at(text: str) -> datetime:
    """Read a moment with its zone."""
    return datetime.fromisoformat(text)
