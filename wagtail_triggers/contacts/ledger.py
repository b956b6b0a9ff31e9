"""The consent ledger in words: what may be sent now, and every line of how it came so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers import channels
from oscar_triggers.conf import triggers_settings
from oscar_triggers.models import (
    ALL_TOPICS,
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    ContactPoint,
    Suppression,
)
from oscar_triggers.policy import consent

#: Where somebody said it; a shop's own sources read as they are written.
_SOURCES: dict[str, Any] = {
    "registration": pgettext_lazy("triggers", "when registering"),
    "checkout": pgettext_lazy("triggers", "in the checkout"),
    "sale": pgettext_lazy("triggers", "with an order"),
    "import": pgettext_lazy("triggers", "brought by an import"),
    "one_click": pgettext_lazy("triggers", "by the mail program's button"),
    "unsubscribe_page": pgettext_lazy("triggers", "on the page behind a letter's link"),
    "provider": pgettext_lazy("triggers", "as the provider told"),
    "admin": pgettext_lazy("triggers", "written down by staff"),
}


@dataclass(frozen=True, kw_only=True)
class Topic:
    """Whether letters of one mailing group may go to one point."""

    channel: str
    point: ContactPoint
    topic: str
    name: str
    allowed: bool
    #: Why, in words.
    because: str
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the ledger."""

    occurred_at: datetime
    recorded_at: datetime
    allowed: bool
    text: str
    #: The words that the person saw, "" when none were kept.
    shown: str = ""
    shown_version: str = ""
    by: str = ""


def channel_name(kind: str) -> str:
    """Return the name of a channel."""
    if kind not in channels.registry:
        return kind
    return str(channels.registry.get(kind).label or kind)


def topic_name(topic: str) -> str:
    """Return the name of a mailing group."""
    if topic == ALL_TOPICS:
        return pgettext("triggers", "every mailing")
    return str(triggers_settings().topics.get(topic, topic))


def topics_of(
    points: Sequence[ContactPoint], blocked: Mapping[tuple[str, str], Suppression]
) -> list[Topic]:
    """Return each point's standing with each mailing group, by one query for all."""
    asked = [
        (point, consent.TopicPoint(channel=point.channel, point_hash=point.point_hash, topic=topic))
        for point in points
        for topic in triggers_settings().topics
    ]
    states = consent.state_many([one for _point, one in asked])
    return [
        _topic(point, one.topic, state, blocked.get((point.channel, point.point_hash)))
        for (point, one), state in zip(asked, states, strict=True)
    ]


def _topic(
    point: ContactPoint, topic: str, state: consent.State | None, block: Suppression | None
) -> Topic:
    if block is not None:
        because = pgettext("triggers", "the address is blocked: %(reason)s") % {
            "reason": block.get_reason_display()
        }
    elif state is None:
        because = pgettext("triggers", "never agreed")
    elif state.action == ConsentAction.WITHDRAW:
        because = pgettext("triggers", "unsubscribed %(where)s") % {"where": _where(state.source)}
    else:
        because = f"{ConsentBasis(state.basis).label} {_where(state.source)}"
    return Topic(
        channel=channel_name(point.channel),
        point=point,
        topic=topic,
        name=topic_name(topic),
        allowed=block is None and state is not None and state.allowed,
        because=capfirst(because),
        since=block.created_at if block is not None else _since(state),
    )


def _since(state: consent.State | None) -> datetime | None:
    return state.occurred_at if state is not None else None


def history_of(rows: Iterable[ConsentEvent]) -> list[Entry]:
    """Return lines of the ledger in words, in the order given; `actor` must be loaded."""
    return [
        Entry(
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            allowed=row.action == ConsentAction.GRANT,
            text=_sentence(row),
            shown=row.text,
            shown_version=row.text_version,
            by=str(row.actor) if row.actor is not None else "",
        )
        for row in rows
    ]


def _sentence(row: ConsentEvent) -> str:
    said = {
        "topic": topic_name(row.topic),
        "channel": channel_name(row.channel),
        "where": _where(row.source),
        "basis": ConsentBasis(row.basis).label,
    }
    if row.action == ConsentAction.WITHDRAW:
        text = pgettext("triggers", "Refused %(topic)s by %(channel)s, %(where)s")
    elif row.basis == ConsentBasis.CONSENT:
        text = pgettext("triggers", "Agreed to %(topic)s by %(channel)s, %(where)s")
    else:
        text = pgettext("triggers", "May get %(topic)s by %(channel)s (%(basis)s), %(where)s")
    detail = f" ({row.source_detail})" if row.source_detail else ""
    return f"{text % said}{detail}"


def _where(source: str) -> str:
    return str(_SOURCES.get(source) or source.replace("_", " "))
