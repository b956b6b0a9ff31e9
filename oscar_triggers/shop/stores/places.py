"""Where people live: by what the shop noted, else by the last parcel, else by their address book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Q

from ...content.stores import Place, spelled
from ...models import Contact
from ...snapshots import Subject
from .. import purchases, tables

#: So many of a person's last orders are looked at: some are fetched, or are no parcels.
_LAST = 5


def places_of(subjects: Sequence[Subject]) -> list[Place | None]:
    """Return where each person lives, None where nobody knows; a constant number of queries."""
    noted = _noted(subjects)
    sent = _sent_to(subjects)
    kept = _kept(subjects)
    return [
        _chosen(noted.get(one.contact_id), (last, kept.get(str(one.user_id))))
        for one, last in zip(subjects, sent, strict=True)
    ]


def _chosen(noted: Place | None, others: Sequence[Place | None]) -> Place | None:
    """Return the first place that is known; a city alone gets its country from an address there."""
    known = [one for one in others if one is not None]
    if noted is None:
        return known[0] if known else None
    for one in known:
        is_there = spelled(one.city) == spelled(noted.city)
        if is_there and noted.country.upper() in ("", one.country.upper()):
            return replace(noted, country=one.country, postcode=noted.postcode or one.postcode)
    return noted


def _noted(subjects: Sequence[Subject]) -> dict[int, Place]:
    """Return the contact fields city, country and postcode, of whom the city is known."""
    rows = Contact.objects.filter(pk__in={one.contact_id for one in subjects})
    return {
        pk: place
        for pk, fields in rows.values_list("pk", "fields")
        if (place := _place(*(fields.get(name) for name in ("city", "country", "postcode"))))
    }


def _sent_to(subjects: Sequence[Subject]) -> list[Place | None]:
    """Return where the last parcel of each went."""
    orders = [
        [one.order_id for one in reversed(bought[-_LAST:])]
        for bought in purchases.purchases_of(subjects)
    ]
    wanted = {pk for some in orders for pk in some}
    rows = tables.orders().filter(pk__in=wanted, shipping_address__isnull=False)
    places = {
        pk: place
        for pk, *told in rows.values_list(
            "pk",
            "shipping_address__line4",
            "shipping_address__country_id",
            "shipping_address__postcode",
        )
        if (place := _place(*told))
    }
    return [next((places[pk] for pk in some if pk in places), None) for some in orders]


def _kept(subjects: Sequence[Subject]) -> Mapping[str, Place]:
    """Return the default address of each account, for parcels before that for bills."""
    rows = (
        tables.rows("address", "UserAddress")
        .filter(user_id__in={one.user_id for one in subjects if one.user_id is not None})
        .filter(Q(is_default_for_shipping=True) | Q(is_default_for_billing=True))
        .order_by("is_default_for_shipping", "pk")
    )
    return {
        str(user_id): place
        for user_id, *told in rows.values_list("user_id", "line4", "country_id", "postcode")
        if (place := _place(*told))
    }


def _place(city: Any, country: Any, postcode: Any) -> Place | None:
    if not isinstance(city, str) or not spelled(city):
        return None
    return Place(city=city, country=str(country or ""), postcode=str(postcode or ""))
