"""Staff and test addresses: people to whom flows do not speak, and whom reports leave out."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet

from ..conf import triggers_settings
from ..models import Contact, ContactPoint


def people() -> QuerySet[Contact]:
    """Return the contacts who are staff or a test: reports write `.exclude(contact__in=people())`.

    Nobody at all unless OSCAR_TRIGGERS names STAFF_ADDRESSES or sets STAFF_ACCOUNTS.
    """
    wanted = _wanted()
    return Contact.objects.none() if wanted is None else Contact.objects.filter(wanted)


def among(contact_ids: Collection[int]) -> set[int]:
    """Return those of some contacts who are staff or a test; asks nothing where none are named."""
    wanted = _wanted()
    if wanted is None or not contact_ids:
        return set()
    mine = Contact.objects.filter(pk__in=contact_ids)
    return set(mine.filter(wanted).values_list("pk", flat=True))


def _wanted() -> Q | None:
    """Return what makes a contact one of them; None where the setting names nobody."""
    general = triggers_settings()
    found = Q(pk__in=[])
    if general.staff_accounts:
        found |= Q(user__is_staff=True)
    points = Q()
    for written in general.staff_addresses:
        address = written.strip().lower()
        if address.rpartition("@")[0]:
            points |= Q(normalised=address)
        else:
            # "shop.example" and "@shop.example" are everybody at that domain.
            points |= Q(normalised__endswith=f"@{address.removeprefix('@')}")
    if points:
        found |= Q(pk__in=ContactPoint.objects.filter(points).values("contact_id"))
    return found if general.staff_accounts or points else None
