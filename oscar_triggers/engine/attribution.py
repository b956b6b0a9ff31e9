"""Attribution: which message an order or another goal followed.

The last message that the person clicked counts, within the window of its flow. A click of a
machine is no click, and an opened letter is nothing at all.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from ..definitions import FlowDefinition
from ..exceptions import TriggersError
from ..models import Conversion, FlowVersion, Hit, HitClass, Message, MessageItem
from ..models.sql import insert_or_ignore
from ..snapshots import About
from . import plans
from .clicks import MessageClicked
from .intake import Routed

logger = logging.getLogger(__name__)

#: Counts for every flow, whether or not it names it as a goal.
ORDER = "order_placed"
#: Fields of events that say what they are worth, in this order.
_WORTH = ("total", "value", "amount")


@dataclass(frozen=True, kw_only=True)
class _Clicked:
    """A message that a person clicked, and when."""

    message_id: int
    contact_id: int | None
    abouts: frozenset[About]
    definition: FlowDefinition
    moments: tuple[datetime, ...]


def attribute(routed: Sequence[Routed], now: datetime) -> int:
    """Write a conversion for each of these events that followed a click; return how many are new.

    One for each journal entry, whatever repeats. The number of queries does not depend on the
    number of events.
    """
    asked = [one for one in routed if one.event.kind != MessageClicked.kind]
    clicked = _clicked(asked)
    if not clicked:
        return 0
    rows: list[dict[str, Any]] = []
    for one in asked:
        message_id = _last_clicked(one, clicked)
        if message_id is None:
            continue
        value, currency = _worth(one)
        rows.append(
            {
                "message_id": message_id,
                "kind": one.event.kind,
                "about_type": one.about.type if one.about is not None else "",
                "about_id": one.about.id if one.about is not None else "",
                "value": value,
                "currency": currency,
                "occurred_at": one.occurred_at,
                "journal_entry_id": one.entry_id,
            }
        )
    return insert_or_ignore(Conversion, rows, conflict="journal_entry")


def _concerned(one: Routed) -> set[About]:
    return {about for about in (one.about, *one.event.concerns()) if about is not None}


def _clicked(asked: Sequence[Routed]) -> list[_Clicked]:
    people = {one.contact_id for one in asked if one.contact_id is not None}
    abouts = {about for one in asked for about in _concerned(one)}
    ids = _ids(people, abouts)
    if not ids:
        return []
    moments: dict[int, set[datetime]] = defaultdict(set)
    owners: dict[int, int | None] = {}
    for pk, contact_id, clicked_at in Message.objects.filter(pk__in=ids).values_list(
        "pk", "contact_id", "clicked_at"
    ):
        owners[pk] = contact_id
        # Hits are pruned one day; that there was a click stays.
        if clicked_at is not None:
            moments[pk].add(clicked_at)
    hits = Hit.objects.filter(message_id__in=ids, hit_class=HitClass.HUMAN)
    for pk, occurred_at in hits.values_list("message_id", "occurred_at"):
        moments[pk].add(occurred_at)
    spoken: dict[int, set[About]] = defaultdict(set)
    definitions: dict[int, FlowDefinition] = {}
    for pk, version_id, content_hash, about_type, about_id in MessageItem.objects.filter(
        message_id__in=ids
    ).values_list(
        "message_id",
        "enrollment__version_id",
        "enrollment__version__content_hash",
        "enrollment__about_type",
        "enrollment__about_id",
    ):
        spoken[pk].add(About(type=about_type, id=about_id))
        definition = _definition(version_id, content_hash)
        if definition is not None:
            definitions[pk] = definition
    return [
        _Clicked(
            message_id=pk,
            contact_id=owners[pk],
            abouts=frozenset(spoken[pk]),
            definition=definitions[pk],
            moments=tuple(sorted(moments[pk])),
        )
        for pk in sorted(ids & definitions.keys())
    ]


def _ids(people: set[int], abouts: set[About]) -> set[int]:
    """Return the clicked messages to these people, or about these things.

    Two queries that use an index each.
    """
    ids: set[int] = set()
    if people:
        own = Message.objects.filter(contact_id__in=people, clicked_at__isnull=False)
        ids.update(own.values_list("pk", flat=True))
    by_type: dict[str, set[str]] = defaultdict(set)
    for about in abouts:
        by_type[about.type].add(about.id)
    same = Q()
    for type_, about_ids in by_type.items():
        same |= Q(enrollment__about_type=type_, enrollment__about_id__in=about_ids)
    if same:
        about_it = MessageItem.objects.filter(same, message__clicked_at__isnull=False)
        ids.update(about_it.values_list("message_id", flat=True))
    return ids


def _definition(version_id: int, content_hash: str) -> FlowDefinition | None:
    try:
        version = FlowVersion(pk=version_id, content_hash=content_hash)
        return plans.plan_of(version).definition
    except TriggersError as error:
        logger.error("Version %s cannot be read; its clicks earn nothing: %s", version_id, error)
        return None


def _last_clicked(one: Routed, clicked: Sequence[_Clicked]) -> int | None:
    concerned = _concerned(one)
    best: tuple[datetime, int] | None = None
    for message in clicked:
        theirs = one.contact_id is not None and message.contact_id == one.contact_id
        if not theirs and not concerned & message.abouts:
            continue
        if one.event.kind != ORDER and one.event.kind not in message.definition.goals:
            continue
        earliest = one.occurred_at - message.definition.attribution_window
        within = [at for at in message.moments if earliest <= at <= one.occurred_at]
        if within:
            best = max(best or (within[-1], message.message_id), (within[-1], message.message_id))
    return best[1] if best is not None else None


def _worth(one: Routed) -> tuple[Decimal | None, str]:
    """Return what an event is worth and in which currency (ISO 4217), as its payload says."""
    currency = str(getattr(one.event, "currency", "") or "")[:3]
    for name in _WORTH:
        value = getattr(one.event, name, None)
        if isinstance(value, Decimal):
            return value.quantize(Decimal("0.01")), currency
    return None, ""
