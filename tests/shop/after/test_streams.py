"""Letters that inform go to who unsubscribed too, and sell nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import checking, clockwork, unsubscribing
from oscar_triggers.models import ConsentEvent, Dispatch, Message
from tests.shop.after.conftest import letter, place, publish
from tests.shop.conftest import Clock

pytestmark = pytest.mark.django_db


def definition(stream: str, template: str = "note", **options: Any) -> FlowDefinition:
    """Return a flow about orders with one letter."""
    return FlowDefinition.from_dict(
        {
            "flow": "orders",
            "trigger": {"kind": "order_shipped"},
            "stream": stream,
            "steps": [
                {"key": "letter", "kind": "send", "options": {"template": template, **options}}
            ],
        }
    )


def rules(found: FlowDefinition) -> set[str]:
    """Return the rules that speak of a flow."""
    return {one.rule for one in checking.findings_of(found)}


def test_who_unsubscribed_still_hears_of_the_order(watched: Clock, reminder: Any) -> None:
    step = {"key": "letter", "kind": "send", "options": {"template": "note"}}
    publish("order_placed", step, key="thanks")
    publish("order_shipped", step, key="shipped")
    order = place("1001", date_placed=watched.now)
    for _tick in range(3):
        watched.tick()
    clockwork.tick(watched.now + timedelta(seconds=5))
    first = Message.objects.get()
    assert unsubscribing.unsubscribe(first.public_id, watched.now, source="test")
    assert ConsentEvent.objects.get().action == "withdraw"
    order.lines.update(status="Shipped")
    for _tick in range(3):
        watched.tick()
    clockwork.tick(watched.now + timedelta(seconds=5))
    assert list(Dispatch.objects.values_list("state", flat=True)) == ["sent", "sent"]


@pytest.mark.parametrize(
    "tag",
    [
        "{{ voucher.code }}",
        "{% for one in recommended.similar %}{{ one.title }}{% endfor %}",
    ],
)
def test_adverts_in_a_letter_that_informs_are_told(tag: str) -> None:
    letter("note", f"<mj-text>It is on its way. {tag}</mj-text>")
    assert "mixed_streams" in rules(definition("transactional"))


def test_a_voucher_in_a_step_that_informs_is_told(reminder: Any) -> None:
    voucher = {"percent": 10, "valid": "7d"}
    assert "consent_basis" in rules(definition("transactional", voucher=voucher))


def test_a_letter_that_only_informs_is_left_in_peace(reminder: Any) -> None:
    assert not rules(definition("transactional")) & {"mixed_streams", "consent_basis"}


def test_a_promotional_letter_without_a_way_out_cannot_be_published(reminder: Any) -> None:
    found = checking.findings_of(definition("promotional"))
    assert any("unsubscribe" in str(one) for one in found if one.level == "error")
