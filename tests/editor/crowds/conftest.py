"""What tests of the crowds' pages share: people with tags, a published letter, forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from wagtail.test.utils.form_data import nested_form_data, streamfield

from oscar_triggers.engine import saved_segments
from oscar_triggers.models import SavedSegment
from oscar_triggers.testing import factories
from tests.editor.conftest import (  # noqa: F401 - fixtures of the editor are these tests' too
    editor,
    person,
    publisher,
    publisher_client,
)


@pytest.fixture
def now() -> datetime:
    """Return this moment."""
    return timezone.now()


@pytest.fixture
def people(db: None, now: datetime) -> Callable[..., Any]:
    """Return a function that makes tea drinkers."""

    def make(*names: str, **rest: Any) -> list[Any]:
        return [
            factories.contact(f"{name}@example.com", now=now, tags=("tea",), **rest)
            for name in names
        ]

    return make


@pytest.fixture
def tea(db: None, now: datetime) -> SavedSegment:
    """Return the segment of those who carry the tag tea."""
    return saved_segments.save(
        key="tea", name="Tea drinkers", asked=[{"kind": "has_tag", "tag": "tea"}], now=now
    )


def segment_form(*conditions: tuple[str, Any], **rest: Any) -> dict[str, Any]:
    """Return what the form of a segment posts."""
    return dict(
        nested_form_data(
            {
                "name": "Tea drinkers",
                "key": "tea",
                "conditions": streamfield(list(conditions)),
                **rest,
            }
        )
    )


def letter_form(**rest: Any) -> dict[str, Any]:
    """Return what the form of a one-off letter posts."""
    return {
        "name": "First flush",
        "segment": "tea",
        "template": "letter-1",
        "topic": "offers",
        "send_at": "",
        "max_lateness_0": "12",
        "max_lateness_1": "h",
        "max_lateness_amount": "12",
        "max_lateness_unit": "h",
        **rest,
    }
