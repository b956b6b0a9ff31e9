"""Asking to be told: by whom, how often, what has to be confirmed first, and taking it back.

Guests confirm by a letter: the page behind its link has a button, and opening the link changes
nothing. Whoever asks gets the same answer whether an address is known or not.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.cache import cache
from django.db.models import Q, QuerySet

from ...conf import triggers_settings
from ...content import links
from ...engine import contacts, intake
from ...models import (
    OPEN_REQUESTS,
    Contact,
    ProductRequest,
    RequestKind,
    RequestState,
    point_hash,
)
from ...models.sql import insert_or_ignore
from ...policy.points import EMAIL, normalise_or_nothing
from ...snapshots import Person
from .. import tables
from . import alerts, terms
from .context import CONFIRM
from .events import RequestMade, about_request

logger = logging.getLogger(__name__)

#: How long the link in the letter of confirmation works.
CONFIRM_WITHIN = timedelta(days=7)
LARGEST_QUANTITY = 999


class Answer(StrEnum):
    """What somebody who asked is told."""

    #: Signed in: we tell as soon as it is time.
    NOTED = "noted"
    #: A guest: there is a letter on its way, where the address is right and nobody asked before.
    CONFIRM = "confirm"
    #: This visitor asked too often.
    TOO_OFTEN = "too_often"
    #: No e-mail address.
    NO_ADDRESS = "no_address"
    #: The product is not shown, or nobody could tell.
    NOT_POSSIBLE = "not_possible"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks to be told."""

    product_id: int
    kind: str = RequestKind.BACK.value
    quantity: int = 1
    #: For RequestKind.CHEAPER: None is any price that is lower.
    target_price: Decimal | None = None
    currency: str = ""


def ask(
    wish: Wish, person: Person, now: datetime, *, site_id: int | None = None, visitor: str = ""
) -> Answer:
    """Note that somebody wants to be told; asked again, the newest quantity and price count.

    `visitor` tells one visitor from another (a session, an address on the internet); only a
    keyed hash of it is kept, for as long as it is counted.
    """
    offered = terms.offered()
    is_offered = offered.back if wish.kind == RequestKind.BACK else offered.cheaper
    is_member = person.user_id is not None
    if not is_offered or not (is_member or offered.guests) or not _is_shown(wish.product_id):
        return Answer.NOT_POSSIBLE
    address = normalise_or_nothing(EMAIL, person.email)
    if not is_member and not address:
        return Answer.NO_ADDRESS
    if visitor and not _may_ask("visitor", visitor):
        return Answer.TOO_OFTEN
    answer = Answer.NOTED if is_member else Answer.CONFIRM
    if not is_member and not _may_ask(EMAIL, address):
        # Nobody learns that this address was asked for before.
        return answer
    contact_id = contacts.resolve(person, site_id=site_id, now=now)
    if contact_id is None:
        return answer
    if is_member:
        _note(wish, contact_id, RequestState.WAITING, person, site_id, now)
    else:
        _ask_to_confirm(wish, contact_id, person, site_id, now)
    return answer


def _is_shown(product_id: int) -> bool:
    return bool(
        tables.rows("catalogue", "Product")
        .filter(pk=product_id, is_public=True)
        .exclude(parent__is_public=False)
        .exists()
    )


def _may_ask(what: str, who: str) -> bool:
    """Count one asking; a cache that is down must not keep anybody from asking."""
    most, within = triggers_settings().request_limits
    key = f"oscar_triggers:request:{point_hash(f'request-{what}', who)}"
    try:
        cache.add(key, 0, timeout=int(within.total_seconds()))
        return int(cache.incr(key)) <= most
    except Exception as error:  # noqa: BLE001 - see above; the letters have a limit of their own
        logger.warning("Requests are not counted: the cache failed (%s).", type(error).__name__)
        return True


def _note(
    wish: Wish,
    contact_id: int,
    state: RequestState,
    person: Person,
    site_id: int | None,
    now: datetime,
) -> ProductRequest | None:
    """Write a request, or change the open one; None where it just ended."""
    is_waiting = state == RequestState.WAITING
    wanted = {
        "quantity": min(max(1, wish.quantity), LARGEST_QUANTITY),
        "target_price": wish.target_price if wish.kind == RequestKind.CHEAPER else None,
        "currency": wish.currency[:12],
    }
    written = insert_or_ignore(
        ProductRequest,
        [
            {
                "contact_id": contact_id,
                "kind": wish.kind,
                "state": state,
                "product_id": wish.product_id,
                "language": person.language[:20],
                "site_id": site_id,
                "created_at": now,
                "confirmed_at": now if is_waiting else None,
                "expires_at": now
                + (triggers_settings().request_valid if is_waiting else CONFIRM_WITHIN),
                **wanted,
            }
        ],
        conflict=(),
    )
    open_one = ProductRequest.objects.filter(
        contact_id=contact_id,
        product_id=wish.product_id,
        kind=wish.kind,
        state__in=OPEN_REQUESTS,
    )
    if not written and is_waiting:
        # Who is signed in has proved the address: what waited for its letter needs none.
        open_one.filter(state=RequestState.UNCONFIRMED).update(
            state=RequestState.WAITING,
            confirmed_at=now,
            expires_at=now + triggers_settings().request_valid,
        )
        open_one.update(**wanted)
    return open_one.first()


def _ask_to_confirm(
    wish: Wish, contact_id: int, person: Person, site_id: int | None, now: datetime
) -> None:
    """Send the letter of confirmation, unless one was sent or nothing is to be confirmed.

    What a stranger types changes nothing about a request that is confirmed.
    """
    most, within = triggers_settings().request_limits
    recent = ProductRequest.objects.filter(
        contact_id=contact_id, created_at__gt=now - within
    ).count()
    if recent >= most:
        return
    request = _note(wish, contact_id, RequestState.UNCONFIRMED, person, site_id, now)
    if request is None or request.state != RequestState.UNCONFIRMED:
        return
    if request.created_at != now and request.expires_at is not None:
        since = request.expires_at - CONFIRM_WITHIN
        again = ProductRequest.objects.filter(
            pk=request.pk, state=RequestState.UNCONFIRMED, expires_at=request.expires_at
        )
        # One letter in a while; of two clicks at once, one sends it.
        if since > now - within or not again.update(expires_at=now + CONFIRM_WITHIN):
            return
    intake.record(
        RequestMade(
            request_id=request.pk,
            product_id=wish.product_id,
            what=wish.kind,
            quantity=request.quantity,
            target_price=request.target_price,
            asked_at=now,
        ),
        contact=contact_id,
        about=about_request(request.pk),
        person=person,
        occurred_at=now,
        site_id=site_id,
    )


def confirmable(token: str) -> ProductRequest | None:
    """Return the request that a letter of confirmation is about, None for any other text."""
    public_id = links.read(token, CONFIRM)
    return ProductRequest.objects.filter(public_id=public_id).first() if public_id else None


def confirm(token: str, now: datetime) -> bool:
    """Let a guest's request wait in the line, at the place of its first asking; safe to repeat.

    Returns whether it waits now.
    """
    request = confirmable(token)
    if request is None:
        return False
    ProductRequest.objects.filter(
        pk=request.pk, state=RequestState.UNCONFIRMED, expires_at__gt=now
    ).update(
        state=RequestState.WAITING,
        confirmed_at=now,
        expires_at=now + triggers_settings().request_valid,
    )
    return ProductRequest.objects.filter(pk=request.pk, state=RequestState.WAITING).exists()


def by_public_id(public_id: str) -> ProductRequest | None:
    """Return the request that a letter's link names."""
    return ProductRequest.objects.filter(public_id=public_id).first()


def cancel(request: ProductRequest, now: datetime) -> bool:
    """Take a request back, with the alert that it stands for; safe to repeat.

    Also of somebody who was told and does not want the goods: the next in the line is told.
    """
    cancelled = ProductRequest.objects.filter(
        pk=request.pk, state__in=[*OPEN_REQUESTS, RequestState.TOLD]
    ).update(state=RequestState.CANCELLED, ended_at=now, buy_until=None)
    if cancelled and request.alert_id is not None:
        alerts.cancel([request.alert_id], now)
    return bool(cancelled)


def cancel_all(contact_id: int, now: datetime) -> int:
    """Take back everything that a contact asked for; return how many requests."""
    rows = ProductRequest.objects.filter(
        contact_id=contact_id, state__in=[*OPEN_REQUESTS, RequestState.TOLD]
    )
    return sum(cancel(row, now) for row in rows)


def requests_of(user_id: Any) -> QuerySet[ProductRequest]:
    """Return what an account waits for, newest first; also what was asked for before signing in."""
    return _open_of(Contact.objects.filter(user_id=user_id))


def requests_of_contact(contact_id: int) -> QuerySet[ProductRequest]:
    """Return what a person waits for, newest first, with an account or without one."""
    return _open_of(Contact.objects.filter(pk=contact_id))


def _open_of(people: QuerySet[Contact]) -> QuerySet[ProductRequest]:
    mine = people.values("pk")
    whose = Q(contact__in=mine) | Q(contact__joined_into__in=mine)
    return ProductRequest.objects.filter(whose, state__in=OPEN_REQUESTS).order_by("-pk")


def asked_by(user_id: Any, product_ids: Collection[int]) -> set[tuple[int, str]]:
    """Return which of these products an account waits for, and what for: one query."""
    return set(
        requests_of(user_id).filter(product_id__in=product_ids).values_list("product_id", "kind")
    )
