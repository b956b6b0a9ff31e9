"""Looks at product pages: one INSERT for people whom we know, and what it cost them then.

Nobody else leaves a trace: without an account, and without a basket whose visitor told an e-mail
address, nothing is written. The price is asked when the tick routes the look, seconds later
(`viewing`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.db import connections
from django.utils import timezone
from oscar.apps.catalogue.signals import product_viewed

from ...engine import intake
from ...engine.intake import Record
from ...kinds import to_json
from ...models import BasketWatch, JournalEntry
from ...models.sql import database_for
from ...snapshots import Person
from .. import visitors
from ..receivers import Write, harmless
from .events import ProductViewed, about_product

_UID = "oscar_triggers.note_view"

#: What search engines, previews and programs call themselves, and pages that are fetched ahead.
_MACHINES = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|facebookexternalhit|whatsapp|headless|python-|curl/"
    r"|wget|libwww|okhttp|go-http|axios|node-fetch|lighthouse|pingdom|uptime",
    re.IGNORECASE,
)
_AHEAD = ("Sec-Purpose", "Purpose", "X-Moz", "X-Purpose")


@harmless
def note_view(
    product: Any = None, user: Any = None, request: Any = None, response: Any = None, **kwargs: Any
) -> Write | None:
    """Record that somebody whom we know looked at a product."""
    if request is None or getattr(product, "pk", None) is None or not _is_person(request, response):
        return None
    now = timezone.now()
    hour = f"{now.astimezone(UTC):%Y-%m-%dT%H}"
    event = ProductViewed(product_id=product.pk, hour=hour)
    site_id = visitors.site_id(request)
    about = about_product(product.pk)
    if getattr(user, "is_authenticated", False):
        record = Record(
            event=event,
            about=about,
            person=visitors.person(request, user=user),
            occurred_at=now,
            site_id=site_id,
            key=f"user:{user.pk}:{product.pk}:{hour}",
        )
        return lambda: intake.record_many([record])
    basket_id = visitors.cookie_basket_id(request)
    if basket_id is None:
        return None
    values = {
        "kind": event.kind,
        "dedup_key": f"{event.kind}:basket:{basket_id}:{product.pk}:{hour}",
        "about_type": about.type,
        "about_id": about.id,
        "payload": event.to_options(),
        "site_id": site_id,
        "occurred_at": now,
        "recorded_at": now,
    }
    told = Person(language=visitors.language(), time_zone=visitors.time_zone(request))
    return lambda: _insert_if_known(basket_id, values, told)


def _is_person(request: Any, response: Any) -> bool:
    if request.method != "GET" or getattr(response, "status_code", 200) != 200:
        return False
    headers = request.headers
    if any("prefetch" in headers.get(name, "").lower() for name in _AHEAD):
        return False
    return _MACHINES.search(headers.get("User-Agent", "")) is None


def _insert_if_known(basket_id: int, values: Mapping[str, Any], told: Person) -> None:
    """Write a journal row where the visitor of this basket is known: one statement."""
    connection = connections[database_for(JournalEntry)]
    quote = connection.ops.quote_name
    postgresql = connection.vendor == "postgresql"
    columns, selected, params = [], [], []
    for field in JournalEntry._meta.concrete_fields:
        if field.primary_key:
            continue
        columns.append(quote(str(field.column)))
        placeholder = f"%s::{field.cast_db_type(connection)}" if postgresql else "%s"
        if field.name == "person":
            # The contact stands in another table; Python never sees it.
            selected.append(
                f"{placeholder} || jsonb_build_object('contact_id', contact_id)"
                if postgresql
                else "json_set(%s, '$.contact_id', contact_id)"
            )
            value: Any = to_json(told.to_json())
        elif field.name == "contact":
            selected.append("contact_id")
            continue
        else:
            selected.append(placeholder)
            value = values.get(field.name, field.get_default())
        params.append(field.get_db_prep_save(value, connection))
    statement = (
        f"INSERT INTO {quote(JournalEntry._meta.db_table)} ({', '.join(columns)}) "  # noqa: S608 - our own names, values are parameters
        f"SELECT {', '.join(selected)} FROM {quote(BasketWatch._meta.db_table)} "
        "WHERE basket_id = %s AND contact_id IS NOT NULL "
        f"ON CONFLICT ({quote('dedup_key')}) DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, basket_id])


def connect() -> None:
    """Listen to the shop's product pages; connecting twice changes nothing."""
    product_viewed.connect(note_view, dispatch_uid=_UID)


def disconnect() -> None:
    """Stop listening."""
    product_viewed.disconnect(dispatch_uid=_UID)
