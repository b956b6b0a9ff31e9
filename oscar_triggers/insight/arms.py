"""The arms of a split side by side: what was sent to those of each, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from django.db.models import BigIntegerField, Count, Q, Value
from django.db.models.fields.json import KeyTextTransform

from ..engine.attribution import ORDER
from ..models import Conversion, Message, MessageState
from ..policy import staff
from .footsteps import WINDOW
from .reports import Figures, Period, counted

_NONE = Value(0, output_field=BigIntegerField())
_COLUMNS = ("arm", "sent", "clicked", "orders")


def of_split(flow_key: str, split: str, now: datetime) -> Mapping[str, Figures]:
    """Return what came of the messages behind a split, by arm, of the last thirty days; one query.

    Whatever is sent to somebody after they were given an arm counts for it, also below the split.
    """
    period = Period(days=WINDOW.days, now=now, compares=False)
    messages = (
        Message.objects.filter(
            counted(period, None, ""), flow__key=flow_key, variants__has_key=split
        )
        .exclude(contact__in=staff.people())
        .order_by()
        .values(arm=KeyTextTransform(split, "variants"))
        .annotate(
            sent=Count("pk", filter=Q(state=MessageState.SENT)),
            clicked=Count("clicked_at"),
            orders=_NONE,
        )
        .values_list(*_COLUMNS)
    )
    orders = (
        Conversion.objects.filter(
            counted(period, None, "message__"),
            kind=ORDER,
            message__flow__key=flow_key,
            message__variants__has_key=split,
        )
        .exclude(message__contact__in=staff.people())
        .order_by()
        .values(arm=KeyTextTransform(split, "message__variants"))
        .annotate(sent=_NONE, clicked=_NONE, orders=Count("pk"))
        .values_list(*_COLUMNS)
    )
    found: dict[str, Figures] = defaultdict(Figures)
    for arm, sent, clicked, ordered in messages.union(orders, all=True):
        found[arm].add(Figures(sent=sent, clicked=clicked, orders=ordered))
    return dict(found)
