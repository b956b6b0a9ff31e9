"""What people looked at lately: by their account in the shop's statistics, and as we saw it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Window
from django.db.models.functions import Coalesce, RowNumber

from ...engine import contacts
from ...models import PriceSeen, PriceSource
from ...snapshots import Subject
from .. import tables
from .families import families_of

#: A look that is older says little about what somebody wants.
LOOKS_BACK = timedelta(days=90)
#: So many of a person's looks are read.
_MOST = 30


def viewed_by(subjects: Sequence[Subject], now: datetime) -> list[list[int]]:
    """Return what each person looked at, newest first, as products that are no variants."""
    since = now - LOOKS_BACK
    by_user = _by_user({one.user_id for one in subjects} - {None}, since)
    people = contacts.same_people(subjects)
    by_contact = _by_contact({pk for ids in people for pk in ids}, since)
    found = []
    for subject, ids in zip(subjects, people, strict=True):
        looks = list(by_user.get(str(subject.user_id), ()))
        looks += [look for pk in ids for look in by_contact.get(pk, ())]
        found.append([pk for _moment, pk in sorted(looks, key=lambda one: (one[0], one[1]))[::-1]])
    families = families_of({pk for looks in found for pk in looks})
    return [list(dict.fromkeys(families[pk] for pk in looks if pk in families)) for looks in found]


def _by_user(user_ids: set[Any], since: datetime) -> dict[str, list[tuple[datetime, int]]]:
    looks: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    if not user_ids:
        return looks
    rows = (
        tables.rows("analytics", "UserProductView")
        .order_by()
        .filter(user_id__in=user_ids, date_created__gt=since)
        .annotate(
            place=Window(
                RowNumber(),
                partition_by=[F("user_id")],
                order_by=[F("date_created").desc(), F("pk").desc()],
            )
        )
        .filter(place__lte=_MOST)
        .values_list("user_id", "date_created", Coalesce("product__parent_id", "product_id"))
    )
    for user_id, moment, product_id in rows:
        looks[str(user_id)].append((moment, product_id))
    return looks


def _by_contact(contact_ids: set[int], since: datetime) -> dict[int, list[tuple[datetime, int]]]:
    looks: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    rows = PriceSeen.objects.filter(
        contact_id__in=contact_ids, source=PriceSource.VIEW, seen_at__gt=since
    ).values_list("contact_id", "seen_at", "product_id")
    for contact_id, moment, product_id in rows:
        looks[contact_id].append((moment, product_id))
    return looks
