"""Whose basket it is: what checkout, login and our links tell about the visitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..engine import enrollments, intake
from ..engine.clicks import MessageClicked
from ..engine.intake import Routed
from ..models import BasketWatch, Contact, Enrollment, ExitReason
from ..models.sql import upsert
from ..snapshots import About
from . import looking, vouchers
from .events import (
    BasketRestored,
    CheckoutStarted,
    CustomerLoggedIn,
    OrderPlaced,
    about_basket,
)


def know_visitors(entries: Sequence[Routed], now: datetime) -> None:
    """Remember who a basket belongs to; what the visitor just did restarts its clock."""
    told: dict[int, Routed] = {}
    for one in entries:
        basket_id = getattr(one.event, "basket_id", None)
        if basket_id is not None and one.contact_id is not None and not _is_fresh(one):
            told[basket_id] = one
    if not told:
        return
    watches = {w.basket_id: w for w in BasketWatch.objects.filter(basket_id__in=told)}
    busy = _busy(told)
    signposts = _signposts(watches.values())
    rows: list[dict[str, Any]] = []
    moments: dict[About, datetime] = {}
    for basket_id, one in sorted(told.items()):
        watch = watches.get(basket_id) or BasketWatch(basket_id=basket_id)
        before = signposts.get(watch.contact_id or 0, watch.contact_id)
        handed_over = before is not None and before != one.contact_id
        if handed_over:
            enrollments.exit_many(
                [pk for pk, contact_id in busy.get(basket_id, ()) if contact_id != one.contact_id],
                ExitReason.SUPERSEDED,
                now,
                rule="basket",
                compared={"basket": "now of another visitor"},
            )
        if watch.told and (handed_over or (watch.closed_at and basket_id not in busy)):
            watch.episode += 1
            watch.told = []
        occurred_at = min(one.occurred_at, now)
        moments[about_basket(basket_id)] = occurred_at
        rows.append(
            {
                "basket_id": basket_id,
                "contact_id": one.contact_id,
                "changed_at": max(watch.changed_at or occurred_at, occurred_at),
                "episode": watch.episode,
                "told": watch.told,
                "closed_at": None,
                "language": one.person.language or watch.language,
                "time_zone": one.person.time_zone or watch.time_zone,
                "site_id": one.site_id if one.site_id is not None else watch.site_id,
            }
        )
    upsert(BasketWatch, rows, conflict="basket_id", update=[n for n in rows[0] if n != "basket_id"])
    enrollments.restart_clock(moments, now)


def lie_in_wait(entries: Sequence[Routed], now: datetime) -> None:
    """Remember whose a basket is that only a link has filled, as one that nobody left yet.

    A scanner that opened the link must neither end a way nor begin another. The row is closed
    with the basket as it is; the first change by a person opens it.
    """
    _keep_quietly({one.event.basket_id: one for one in entries if _is_fresh(one)}, now)  # type: ignore[attr-defined]  # a BasketRestored


def recognise(entries: Sequence[Routed], now: datetime) -> None:
    """Remember whose a basket is that came along with a click in a letter, and end nothing.

    A basket that is known to be somebody's stays theirs: letters are forwarded.
    """
    told: dict[int, Routed] = {}
    for one in entries:
        event = one.event
        if isinstance(event, MessageClicked) and event.basket_id and one.contact_id is not None:
            told[event.basket_id] = one
    known = BasketWatch.objects.filter(basket_id__in=told, contact__isnull=False)
    for basket_id in known.values_list("basket_id", flat=True):
        del told[basket_id]
    _keep_quietly(told, now)


def _keep_quietly(fresh: Mapping[int, Routed], now: datetime) -> None:
    """Keep whose these baskets are in closed rows, which the first change by a person opens."""
    if not fresh:
        return
    seen = looking.look(fresh)
    rows = [
        {
            "basket_id": basket_id,
            "contact_id": one.contact_id,
            "fingerprint": seen[basket_id].fingerprint,
            "changed_at": one.occurred_at,
            "closed_at": now,
            "language": one.person.language,
            "time_zone": one.person.time_zone,
            "site_id": one.site_id,
        }
        for basket_id, one in sorted(fresh.items())
        if basket_id in seen
    ]
    if rows:
        update = [name for name in rows[0] if name != "basket_id"]
        upsert(BasketWatch, rows, conflict="basket_id", update=update)


def leave_the_old_basket(entries: Sequence[Routed], now: datetime) -> None:
    """Let go of the basket that a link led back from: its lines stand in the visitor's own now."""
    for one in entries:
        event = one.event
        if not isinstance(event, BasketRestored) or event.basket_id == event.from_basket_id:
            continue
        if event.fresh:
            # Another letter about the old one may follow; a newer way replaces it by itself.
            continue
        BasketWatch.objects.filter(basket_id=event.from_basket_id, closed_at=None).update(
            closed_at=now
        )
        ids = Enrollment.objects.filter(
            about_type="basket",
            about_id=str(event.from_basket_id),
            state__in=enrollments.UNFINISHED,
        ).values_list("pk", flat=True)
        enrollments.exit_many(
            list(ids),
            ExitReason.SUPERSEDED,
            now,
            rule="basket",
            compared={"restored_into": str(event.basket_id)},
        )


def close_ordered(entries: Sequence[Routed], now: datetime) -> None:
    """Stop watching baskets that were ordered, and free used vouchers from other baskets."""
    events = [one.event for one in entries if isinstance(one.event, OrderPlaced)]
    basket_ids = [event.basket_id for event in events if event.basket_id is not None]
    BasketWatch.objects.filter(basket_id__in=basket_ids, closed_at=None).update(closed_at=now)
    vouchers.free_other_baskets([event.number for event in events])


def listen() -> None:
    """Have these called when the engine routes the events."""
    for event_class in (CheckoutStarted, CustomerLoggedIn, BasketRestored):
        intake.listener(event_class.kind)(know_visitors)
    intake.listener(BasketRestored.kind)(lie_in_wait)
    intake.listener(MessageClicked.kind)(recognise)
    intake.listener(BasketRestored.kind)(leave_the_old_basket)
    intake.listener(OrderPlaced.kind)(close_ordered)


def _is_fresh(one: Routed) -> bool:
    return isinstance(one.event, BasketRestored) and one.event.fresh


def _busy(basket_ids: Any) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for about_id, pk, contact_id in Enrollment.objects.filter(
        about_type="basket",
        about_id__in=[str(pk) for pk in basket_ids],
        state__in=enrollments.UNFINISHED,
    ).values_list("about_id", "pk", "contact_id"):
        found.setdefault(int(about_id), []).append((pk, contact_id))
    return found


def _signposts(watches: Any) -> dict[int, int]:
    """Return {joined contact: the contact that it became}."""
    ids = {watch.contact_id for watch in watches if watch.contact_id is not None}
    return dict(
        Contact.objects.filter(pk__in=ids, joined_into__isnull=False).values_list(
            "pk", "joined_into_id"
        )
    )
