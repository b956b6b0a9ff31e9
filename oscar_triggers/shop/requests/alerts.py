"""Oscar's product alerts: taken into our line, closed in step with it, and given back.

People subscribe by Oscar's own form, and see and cancel their alerts in Oscar's own pages: the rows
stay Oscar's. While a flow of ours tells of stock, each active one has a request that stands for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from ...conf import triggers_settings
from ...engine import contacts
from ...models import OPEN_REQUESTS, ProductRequest, RequestKind, RequestState
from ...models.sql import insert_or_ignore
from ...snapshots import Person
from .. import tables

UNCONFIRMED, ACTIVE, CANCELLED, CLOSED = "Unconfirmed", "Active", "Cancelled", "Closed"
BATCH = 1_000
_MOST_BATCHES = 100
#: However long ago somebody asked Oscar: so long from now on they are still told.
_AT_LEAST = timedelta(days=30)


def rows() -> QuerySet[Any]:
    """Return all of Oscar's product alerts, in no particular order."""
    return tables.rows("customer", "ProductAlert").order_by()


def unadopted() -> QuerySet[Any]:
    """Return the active alerts for which no request stands."""
    return rows().filter(
        ~Exists(ProductRequest.objects.filter(alert_id=OuterRef("pk"))), status=ACTIVE
    )


def adopt(now: datetime) -> int:
    """Let a request stand for every active alert, at its place in the line; return how many.

    A constant number of queries for each thousand. Who asked by our form too has one request,
    which stands for both; a second alert of one person for one product is closed.
    """
    adopted = 0
    for _batch in range(_MOST_BATCHES):
        batch = list(
            unadopted()
            .order_by("pk")
            .values("pk", "product_id", "user_id", "email", "date_created", "date_confirmed")[
                :BATCH
            ]
        )
        if not batch:
            break
        adopted += _adopt(batch, now)
        if len(batch) < BATCH:
            break
    return adopted


def _adopt(batch: Sequence[dict[str, Any]], now: datetime) -> int:
    people = [(Person(user_id=one["user_id"], email=_email_of(one)), None) for one in batch]
    # Nobody was in the shop: they asked some time ago.
    contact_ids = contacts.resolve_many(people, now, seen=[False] * len(people))
    known = [
        (one, contact_id)
        for one, contact_id in zip(batch, contact_ids, strict=True)
        if contact_id is not None
    ]
    insert_or_ignore(
        ProductRequest,
        [
            {
                "contact_id": contact_id,
                "kind": RequestKind.BACK,
                "state": RequestState.WAITING,
                "product_id": one["product_id"],
                "alert_id": one["pk"],
                "created_at": one["date_created"],
                "confirmed_at": one["date_confirmed"] or one["date_created"],
                "expires_at": max(
                    one["date_created"] + triggers_settings().request_valid, now + _AT_LEAST
                ),
            }
            for one, contact_id in known
        ],
        conflict=(),
    )
    stand = set(
        ProductRequest.objects.filter(alert_id__in=[one["pk"] for one in batch]).values_list(
            "alert_id", flat=True
        )
    )
    others = [(one, contact_id) for one, contact_id in known if one["pk"] not in stand]
    nobody = {one["pk"] for one in batch} - {one["pk"] for one, _contact in known}
    if others or nobody:
        close(_join(others, now) | nobody, now)
    return len(batch)


def _email_of(alert: dict[str, Any]) -> str:
    return "" if alert["user_id"] is not None else str(alert["email"])


def _join(others: Sequence[tuple[dict[str, Any], int]], now: datetime) -> set[int]:
    """Let open requests that are there already stand for alerts; return the alerts left over."""
    left = {one["pk"] for one, _contact in others}
    open_ones = ProductRequest.objects.filter(
        kind=RequestKind.BACK, state__in=OPEN_REQUESTS, alert_id=None
    )
    present = {
        (request.contact_id, request.product_id): request
        for request in open_ones.filter(
            contact_id__in={contact_id for _one, contact_id in others},
            product_id__in={one["product_id"] for one, _contact in others},
        )
    }
    for one, contact_id in others:
        request = present.pop((contact_id, one["product_id"]), None)
        if request is None:
            continue
        # An alert that is active was confirmed, or is an account's: it needs no letter, and waits
        # for longer than a letter of confirmation is valid.
        confirmed: dict[str, Any] = {"alert_id": one["pk"], "state": RequestState.WAITING}
        if request.state == RequestState.UNCONFIRMED:
            confirmed["expires_at"] = now + triggers_settings().request_valid
        if request.confirmed_at is None:
            confirmed["confirmed_at"] = one["date_created"]
        # Who was told or said no a moment ago does not wait again, and the alert is over too.
        if open_ones.filter(pk=request.pk).update(**confirmed):
            left.discard(one["pk"])
    return left


def follow(now: datetime) -> int:
    """End requests whose alert was cancelled, told of or deleted by Oscar: two statements."""
    open_requests = ProductRequest.objects.filter(state__in=OPEN_REQUESTS, alert_id__isnull=False)
    alert = rows().filter(pk=OuterRef("alert_id"))
    told = open_requests.filter(Exists(alert.filter(status=CLOSED))).update(
        state=RequestState.TOLD, told_at=now, ended_at=now
    )
    over = open_requests.filter(~Exists(alert.filter(status__in=[ACTIVE, CLOSED]))).update(
        state=RequestState.CANCELLED, ended_at=now
    )
    return int(told + over)


def claim(alert_ids: Collection[int], now: datetime) -> set[int]:
    """Close the alerts that are still active, and return just those; the caller's transaction.

    Another who closes one at the same moment waits for us, or we for them: each is claimed once.
    """
    if not alert_ids:
        return set()
    held = set(
        rows()
        .select_for_update()
        .filter(pk__in=alert_ids, status=ACTIVE)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    closed = rows().filter(pk__in=held, status=ACTIVE).update(status=CLOSED, date_closed=now)
    assert closed == len(held), "an alert that is locked was closed by somebody else"
    return held


def close(alert_ids: Collection[int], now: datetime) -> None:
    """Close alerts that nobody needs to be told of any more."""
    if alert_ids:
        rows().filter(pk__in=alert_ids, status=ACTIVE).update(status=CLOSED, date_closed=now)


def cancel(alert_ids: Collection[int], now: datetime) -> None:
    """Cancel alerts as Oscar's own page does."""
    if alert_ids:
        rows().filter(pk__in=alert_ids, status__in=[UNCONFIRMED, ACTIVE]).update(
            status=CANCELLED, date_cancelled=now
        )


def give_back(requests: Collection[ProductRequest]) -> None:
    """Open alerts again that were closed when their requests were told, in vain."""
    by_moment: dict[datetime, list[int]] = {}
    for request in requests:
        if request.alert_id is not None and request.told_at is not None:
            by_moment.setdefault(request.told_at, []).append(request.alert_id)
    for moment, alert_ids in by_moment.items():
        rows().filter(pk__in=alert_ids, status=CLOSED, date_closed=moment).update(
            status=ACTIVE, date_closed=None
        )
