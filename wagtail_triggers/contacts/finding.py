"""Finding people by what staff know of them: an address, a number, a name."""

from __future__ import annotations

from django.db.models import OuterRef, Q, QuerySet, Subquery

from oscar_triggers.engine import contacts
from oscar_triggers.models import Contact, ContactPoint
from oscar_triggers.policy.points import EMAIL, SMS, normalise_or_nothing
from oscar_triggers.snapshots import Person

#: More than this nobody looks through: a longer name is wanted.
MOST_FOUND = 50


def people() -> QuerySet[Contact]:
    """Return the contacts, without those that turned out to be somebody else."""
    return Contact.objects.filter(joined_into=None)


def with_address(rows: QuerySet[Contact]) -> QuerySet[Contact]:
    """Annotate contacts with the newest address, in the same query."""
    points = ContactPoint.objects.filter(contact=OuterRef("pk"), channel=EMAIL)
    return rows.annotate(
        address=Subquery(points.order_by("-created_at", "-pk").values("value")[:1])
    )


def find(written: str) -> QuerySet[Contact]:
    """Return whom an e-mail address or a phone number belongs to, else whose name holds the words.

    An address is found in any spelling, and only whole: a part of it finds nobody.
    """
    email = normalise_or_nothing(EMAIL, written)
    phone = "" if email else normalise_or_nothing(SMS, written)
    if email or phone:
        ids = contacts.same_person_ids(Person(email=email, phone=phone))
        return people().filter(pk__in=ids)
    words = written.split()
    if not words or "@" in written:
        return people().none()
    wanted = Q()
    for word in words:
        wanted &= Q(first_name__icontains=word) | Q(last_name__icontains=word)
    return people().filter(wanted)


def name_of(contact: Contact) -> str:
    """Return how a person is called, or their number."""
    return f"{contact.first_name} {contact.last_name}".strip() or str(contact)
