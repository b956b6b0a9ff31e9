"""What tests of the shop room share: a flow about left baskets, and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows
from oscar_triggers.models import (
    BasketWatch,
    Enrollment,
    FlowVersion,
    JournalEntry,
    Message,
    Owner,
    Template,
)
from oscar_triggers.snapshots import About, Subject


def commit() -> None:
    """Run what waits for the commit that the test's transaction keeps back."""
    while connection.run_on_commit:
        waiting, connection.run_on_commit = connection.run_on_commit, []
        for _savepoints, function, _robust in waiting:
            function()


class Clock:
    """The engine's time: it begins now, and the test moves it on, running a tick."""

    def __init__(self) -> None:
        self.now = timezone.now() + timedelta(seconds=5)

    def tick(self, later: timedelta = timedelta(0)) -> clockwork.TickReport:
        """Move time on and ring once; sweeps are always due."""
        commit()
        self.now += max(later, timedelta(seconds=31))
        report = clockwork.tick(self.now, send=False)
        for name, found in report.sweeps.items():
            assert "error" not in found, f"the sweep {name} failed: {found}"
        errors = list(JournalEntry.objects.exclude(error="").values_list("kind", "error"))
        assert errors == []
        return report


@pytest.fixture
def clock(db: None) -> Clock:
    """Return the engine's clock."""
    return Clock()


def publish_flow(
    key: str = "left-baskets",
    *,
    at: datetime | None = None,
    include_waiting: bool = True,
    **trigger: Any,
) -> FlowVersion:
    """Publish a flow that listens to left baskets and waits for a long time."""
    definition = FlowDefinition.from_dict(
        {
            "flow": key,
            "trigger": {"kind": "basket_left", **trigger},
            "include_waiting": include_waiting,
            "goals": ["order_placed"],
            "steps": [{"key": "pause", "kind": "wait", "options": {"duration": "20d"}}],
        }
    )
    return flows.publish(definition, owner=Owner.FILE, now=at or timezone.now())


@pytest.fixture
def flow(db: None) -> FlowVersion:
    """Publish a flow about baskets left for one hour."""
    return publish_flow()


def lefts() -> list[dict[str, Any]]:
    """Return what was told about left baskets, oldest first."""
    entries = JournalEntry.objects.filter(kind="basket_left").order_by("pk")
    return list(entries.values_list("payload", flat=True))


def kinds() -> list[str]:
    """Return the kinds of all events that were recorded, oldest first."""
    return list(JournalEntry.objects.order_by("pk").values_list("kind", flat=True))


def enrollment_of(basket: Any) -> Enrollment:
    """Return the newest enrollment about a basket."""
    found = Enrollment.objects.filter(about_type="basket", about_id=str(basket.pk))
    newest = found.order_by("-pk").first()
    assert newest is not None, f"nobody entered for basket {basket.pk}"
    return newest


def watch_of(basket: Any) -> BasketWatch:
    """Return what is remembered of a basket."""
    return BasketWatch.objects.get(basket_id=basket.pk)


def backdate(basket: Any, age: timedelta) -> None:
    """Make a basket's lines as old as that, for all that Oscar's tables tell."""
    basket.lines.update(date_updated=timezone.now() - age, date_created=timezone.now() - age)


def subject_of(basket: Any, **known: Any) -> Subject:
    """Return someone on the way through a flow about a basket, without a flow."""
    moment = timezone.now()
    values: dict[str, Any] = {
        "enrollment_id": 1,
        "flow_id": 1,
        "flow_key": "left-baskets",
        "contact_id": 1,
        "user_id": None,
        "about": About(type="basket", id=str(basket.pk)),
        "entered_at": moment,
        "clock_at": moment,
    }
    return Subject(**{**values, **known})


@pytest.fixture
def make_message(db: None) -> Callable[..., Message]:
    """Return a function that writes a planned message about a basket."""

    def make(
        basket: Any, *, key: str = "one", planned_at: datetime | None = None, **rest: Any
    ) -> Message:
        moment = planned_at or timezone.now()
        template, _ = Template.objects.get_or_create(
            key="reminder",
            defaults={"name": "Reminder", "owner": Owner.FILE, "created_at": moment},
        )
        return Message.objects.create(
            idempotency_key=f"test:{key}",
            template=template,
            stream="promotional",
            about_type="basket",
            about_id=str(basket.pk),
            planned_at=moment,
            due_at=moment,
            not_after=moment + timedelta(hours=12),
            **rest,
        )

    return make


def titles(lines: Sequence[Any]) -> list[str]:
    """Return the titles of lines as a letter says them."""
    return [line["title"] for line in lines]


def make_order(number: str, **fields: Any) -> Any:
    """Write an order as an import or another checkout does: no signal of Oscar's."""
    values = {
        "currency": "EUR",
        "total_incl_tax": Decimal("12.50"),
        "total_excl_tax": Decimal("12.50"),
        "date_placed": timezone.now(),
    }
    return get_model("order", "Order").objects.create(number=number, **{**values, **fields})
