"""Oscar's signals in: each is one INSERT after the commit, and none can break a page.

A receiver of `order_placed` that raised would leave an order without confirmation and a basket
that can never be ordered again, so whatever goes wrong here is logged and forgotten: the sweeps
find what was missed.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from threading import Lock
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone
from oscar.apps.basket.signals import basket_addition
from oscar.apps.checkout.signals import start_checkout
from oscar.apps.customer.signals import user_registered
from oscar.apps.order.signals import order_placed

from ..engine import consents, intake
from ..engine.intake import Record
from ..models import BasketWatch, JournalEntry
from ..models.sql import database_for, upsert
from ..snapshots import About, Person
from . import visitors
from .events import (
    CheckoutStarted,
    CustomerLoggedIn,
    CustomerRegistered,
    OrderPlaced,
    about_basket,
    about_order,
)

logger = logging.getLogger(__name__)

Write = Callable[[], object]
#: How often each receiver failed in this process.
failures: Counter[str] = Counter()


def harmless(collect: Callable[..., Write | None]) -> Callable[..., None]:
    """Make a receiver of a function that reads a signal and returns what is to be written.

    The write happens after the shop's commit, so that it can neither undo nor poison what the
    shop did. Nothing is ever raised; logs name the kind of the error only, never its values.
    """
    name = collect.__name__

    def failed(error: Exception) -> None:
        failures[name] += 1
        logger.error(
            "The receiver %s could not note what happened (%s); a sweep will find it.",
            name,
            type(error).__name__,
        )

    @wraps(collect)
    def receive(sender: object = None, **kwargs: Any) -> None:
        kwargs.pop("signal", None)
        try:
            write = collect(**kwargs)
            if write is None:
                return

            def written() -> None:
                try:
                    write()
                except Exception as error:  # noqa: BLE001 - the shop's page must not fail for it
                    failed(error)

            transaction.on_commit(written, using=database_for(JournalEntry), robust=True)
        except Exception as error:  # noqa: BLE001 - the shop's page must not fail for it
            failed(error)

    return receive


class _Recent:
    """What was written of the last baskets, so that an unchanged visitor costs no query."""

    def __init__(self, size: int = 10_000, keep: timedelta = timedelta(minutes=10)) -> None:
        self._size = size
        self._keep = keep
        self._entries: OrderedDict[object, tuple[object, Any]] = OrderedDict()
        self._lock = Lock()

    def has(self, key: object, value: object) -> bool:
        with self._lock:
            known = self._entries.get(key)
        return known is not None and known[0] == value and timezone.now() - known[1] < self._keep

    def put(self, key: object, value: object) -> None:
        with self._lock:
            self._entries[key] = (value, timezone.now())
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)


_recent = _Recent()


@harmless
def note_visitor(request: Any = None, **kwargs: Any) -> Write | None:
    """Remember in which language, time zone and site a basket is being filled."""
    basket = visitors.loaded_basket(request)
    if basket is None:
        return None
    noted = {
        "language": visitors.language(),
        "time_zone": visitors.time_zone(request),
        "site_id": visitors.site_id(request),
    }
    # The date tells it from a basket of another database with the same number.
    key = (basket.pk, getattr(basket, "date_created", None))
    if _recent.has(key, noted):
        return None
    basket_id = basket.pk

    def write() -> None:
        upsert(
            BasketWatch,
            [{"basket_id": basket_id, "seen_at": timezone.now(), **noted}],
            conflict="basket_id",
            update=["seen_at", *noted],
        )
        _recent.put(key, noted)

    return write


@harmless
def note_checkout(request: Any = None, email: str = "", **kwargs: Any) -> Write | None:
    """Record that someone began the checkout, who it is, and what they ticked."""
    if request is None:
        return None
    person = visitors.person(request, user=getattr(request, "user", None), email=email)
    basket_id = visitors.basket_id(request)
    site_id = visitors.site_id(request)
    records = _consents(request, person, site_id, source="checkout")
    if basket_id is not None and person:
        records.insert(
            0,
            Record(
                event=CheckoutStarted(basket_id=basket_id),
                about=about_basket(basket_id),
                person=person,
                site_id=site_id,
                occurred_at=timezone.now(),
            ),
        )
    return _record(records)


@harmless
def note_registration(request: Any = None, user: Any = None, **kwargs: Any) -> Write | None:
    """Record that someone opened an account, and what they ticked."""
    if getattr(user, "pk", None) is None:
        return None
    person = visitors.person(request, user=user)
    site_id = visitors.site_id(request)
    return _record(
        [
            Record(
                event=CustomerRegistered(),
                about=About(type="customer", id=str(user.pk)),
                person=person,
                site_id=site_id,
                occurred_at=timezone.now(),
            ),
            *_consents(request, person, site_id, source="registration"),
        ]
    )


@harmless
def note_login(request: Any = None, user: Any = None, **kwargs: Any) -> Write | None:
    """Record that a customer signed in, and the basket filled before (Oscar merges it later)."""
    if getattr(user, "pk", None) is None:
        return None
    basket_id = visitors.cookie_basket_id(request)
    return _record(
        [
            Record(
                event=CustomerLoggedIn(basket_id=basket_id),
                about=about_basket(basket_id) if basket_id is not None else None,
                person=visitors.person(request, user=user),
                site_id=visitors.site_id(request),
                occurred_at=timezone.now(),
            )
        ]
    )


@harmless
def note_order(order: Any = None, user: Any = None, **kwargs: Any) -> Write | None:
    """Record that an order was placed; reads nothing that is not in memory."""
    if order is None:
        return None
    return _record([order_record(order, user=user)])


def order_record(order: Any, *, user: Any = None) -> Record:
    """Return the event of an order, from what is loaded of it."""
    return Record(
        event=OrderPlaced(
            number=str(order.number),
            basket_id=order.basket_id,
            total=order.total_incl_tax,
            value=order.total_incl_tax - (order.shipping_incl_tax or 0),
            currency=order.currency or "",
        ),
        about=about_order(order.number),
        person=person_of(order, user=user),
        site_id=order.site_id,
        occurred_at=order.date_placed or timezone.now(),
    )


def person_of(order: Any, *, user: Any = None) -> Person:
    """Return who placed an order, from what is loaded of it.

    A guest's order proves no address: anybody can type a customer's.
    """
    account_email = ""
    if order.user_id is not None and getattr(user, "pk", None) == order.user_id:
        account_email = visitors.account_email_of(user)
    told = {"phone_number": "", "first_name": "", "last_name": ""}
    # Only addresses that are in memory: a receiver may not read.
    for name in ("shipping_address", "billing_address"):
        address = order._state.fields_cache.get(name)
        for field, value in told.items():
            told[field] = value or str(getattr(address, field, "") or "")
    guest = order.user_id is None
    return Person(
        user_id=order.user_id,
        email=account_email or order.guest_email or "",
        email_verified=bool(account_email),
        phone=told["phone_number"],
        # An account has names of its own.
        first_name=told["first_name"] if guest else "",
        last_name=told["last_name"] if guest else "",
    )


def _record(records: list[Record]) -> Write | None:
    if not records:
        return None
    return lambda: intake.record_many(records)


def _consents(request: Any, person: Person, site_id: int | None, *, source: str) -> list[Record]:
    return consents.from_request(request, person, source=source, site_id=site_id)


_CONNECTIONS: tuple[tuple[Signal, Callable[..., None]], ...] = (
    (basket_addition, note_visitor),
    (start_checkout, note_checkout),
    (user_registered, note_registration),
    (user_logged_in, note_login),
    (order_placed, note_order),
)


def connect() -> None:
    """Listen to the shop; connecting twice changes nothing.

    Oscar sends its signals from instances, so no sender is named.
    """
    for signal, receiver in _CONNECTIONS:
        signal.connect(receiver, dispatch_uid=f"oscar_triggers.{receiver.__name__}")


def disconnect() -> None:
    """Stop listening; what happens then is found by the sweeps alone."""
    for signal, receiver in _CONNECTIONS:
        signal.disconnect(dispatch_uid=f"oscar_triggers.{receiver.__name__}")
