"""Rows that tests of policy stand on: a flow, someone in it, a letter that waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from oscar_triggers.models import (
    ContactPoint,
    Dispatch,
    Enrollment,
    Flow,
    FlowVersion,
    Message,
    MessageItem,
    Owner,
    Template,
    point_hash,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_flow(
    key: str, *, stream: str = "promotional", trigger: str = "basket_left", topic: str = "offers"
) -> Flow:
    """Make a live flow."""
    flow = Flow.objects.create(
        key=key, name=key, owner=Owner.FILE, trigger_kind=trigger, created_at=NOW
    )
    version = FlowVersion.objects.create(
        flow=flow,
        number=1,
        definition={
            "flow": key,
            "name": key,
            "trigger": {"kind": trigger},
            "stream": stream,
            "topic": topic,
            "steps": [{"key": "wait-1", "kind": "wait", "options": {"duration": "1h"}}],
        },
        content_hash=key,
        published_at=NOW,
    )
    Flow.objects.filter(pk=flow.pk).update(live_version=version)
    flow.refresh_from_db()
    return flow


def enroll(flow: Flow, contact_id: int | None, episode: str, **values: Any) -> Enrollment:
    """Put a contact into a flow."""
    assert flow.live_version is not None
    assert contact_id is not None
    return Enrollment.objects.create(
        flow=flow,
        version=flow.live_version,
        contact_id=contact_id,
        episode_key=episode,
        about_type="basket",
        about_id=episode.split(":")[1],
        due_at=NOW,
        clock_at=NOW,
        entered_at=NOW,
        **values,
    )


def plan_message(
    enrollment: Enrollment, email: str, *, stream: str = "promotional", **values: Any
) -> Message:
    """Plan a letter for an enrollment."""
    template, _ = Template.objects.get_or_create(
        key="letter",
        defaults={"name": "Letter", "owner": Owner.FILE, "channel": "email", "created_at": NOW},
    )
    message = Message.objects.create(
        idempotency_key=f"enrollment:{enrollment.pk}:{Message.objects.count()}",
        contact_id=enrollment.contact_id,
        flow=enrollment.flow,
        template=template,
        stream=stream,
        planned_at=NOW,
        due_at=NOW,
        not_after=NOW + timedelta(hours=12),
        **{"topic": "offers", **values},
    )
    MessageItem.objects.create(message=message, enrollment=enrollment)
    point = ContactPoint.objects.filter(
        contact_id=enrollment.contact_id, channel="email", normalised=email
    ).first()
    Dispatch.objects.create(
        message=message,
        channel="email",
        point=point,
        point_hash=point_hash("email", email),
        due_at=NOW,
    )
    return message
