"""Finding or making the one contact of a person, and joining two that are the same person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Q

from .. import channels
from ..models import Contact, ContactPoint, point_hash
from ..models.sql import database_for, insert_or_ignore
from ..policy.points import EMAIL, SMS, normalise_or_nothing
from ..snapshots import Person, Subject
from . import joining

#: How exact `Contact.seen_at` and `ContactPoint.verified_at` are: exacter costs a write an act.
SEEN_EVERY = timedelta(hours=1)
_FILLED = ("first_name", "last_name", "language", "time_zone", "site_id")
_LENGTHS = {"first_name": 150, "last_name": 150, "language": 20, "time_zone": 64}


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A person with points in their one spelling, and by what contacts know them."""

    person: Person
    site_id: int | None
    email: str
    phone: str
    #: "" when only a link that we sent says who it is.
    identity_key: str
    #: Whether they were in the shop themselves; False for what we noticed or staff did.
    seen: bool = True

    @property
    def proved(self) -> bool:
        """Whether the person is logged in or proved the address, instead of only typing it."""
        return bool(self.person.user_id or self.person.email_verified)


def resolve_many(
    persons: Sequence[tuple[Person, int | None]],
    now: datetime,
    *,
    seen: Sequence[bool] | None = None,
) -> list[int | None]:
    """Return the contact of each (person, site id), in order; make those that are missing.

    `seen` says who of them was in the shop just then (all, unless given): they count as seen.

    Two processes that resolve the same new person get the same contact. Addresses and numbers
    that are none are left out. Raises nothing for what people type. The number of queries does
    not depend on the number of persons.
    """
    with transaction.atomic(using=database_for(Contact)):
        known = _know(persons, seen or [True] * len(persons))
        found = _find_or_make(known, now)
        _add_points(known, found, now)
        _join_proved(known, found, now)
        _refresh(known, found, now)
    return [contact.pk if contact is not None else None for contact in found]


def resolve(person: Person, *, site_id: int | None = None, now: datetime) -> int | None:
    """Return the contact of one person; make it when it is missing."""
    return resolve_many([(person, site_id)], now)[0]


def join(winner_id: int, loser_id: int, now: datetime) -> bool:
    """Make one contact of two that are the same person; see `joining.join`."""
    return joining.join(winner_id, loser_id, now)


def hold(contact_ids: Iterable[int]) -> None:
    """Keep others from routing or deciding for these people until the caller's commit.

    Contacts are locked before enrollments, by everybody who locks both. NO KEY: a message that
    is planned for them at this moment refers to them, and must not wait. SQLite has one writer
    at a time.
    """
    list(
        Contact.objects.select_for_update(no_key=True)
        .filter(pk__in=set(contact_ids))
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def same_person_ids(person: Person) -> set[int]:
    """Return all contacts with this person's account, e-mail address or phone.

    Contacts that were joined into another are among them, and so is the other.
    """
    [ids] = same_people_ids([person])
    return ids


def same_people_ids(people: Sequence[Person]) -> list[set[int]]:
    """Return for each person what `same_person_ids` returns, by two queries for all."""
    users: dict[str, list[int]] = defaultdict(list)
    contact_ids: dict[int, list[int]] = defaultdict(list)
    keys: dict[str, list[int]] = defaultdict(list)
    points: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, person in enumerate(people):
        if person.user_id:
            # Numbers and UUIDs come as text from journals.
            users[str(person.user_id)].append(index)
        if person.contact_id:
            contact_ids[person.contact_id].append(index)
        for channel, value in ((EMAIL, person.email), (SMS, person.phone)):
            if normalised := normalise_or_nothing(channel, value):
                keys[identity_key(channel, point_hash(channel, normalised))].append(index)
                points[channel, normalised].append(index)
    found: list[set[int]] = [set() for _person in people]
    if not (users or contact_ids or keys):
        return found
    for pk, joined_into_id, user_id, key in Contact.objects.filter(
        Q(user_id__in=[person.user_id for person in people if person.user_id])
        | Q(pk__in=list(contact_ids))
        | Q(identity_key__in=list(keys))
    ).values_list("pk", "joined_into_id", "user_id", "identity_key"):
        for index in (*users.get(str(user_id), ()), *contact_ids.get(pk, ()), *keys.get(key, ())):
            found[index] |= {pk, joined_into_id or pk}
    if points:
        for pk, into_id, channel, normalised in ContactPoint.objects.filter(
            channel__in={channel for channel, _normalised in points},
            normalised__in={normalised for _channel, normalised in points},
        ).values_list("contact_id", "contact__joined_into_id", "channel", "normalised"):
            for index in points.get((channel, normalised), ()):
                found[index] |= {pk, into_id or pk}
    return found


def identity_key(channel: str, hash_: str) -> str:
    """Return the key by which a guest is known: "email:<hash>" or "phone:<hash>"."""
    return f"{'email' if channel == EMAIL else 'phone'}:{hash_}"


def _know(persons: Sequence[tuple[Person, int | None]], seen: Sequence[bool]) -> list[_Known]:
    accounts = _accounts(person.user_id for person, _site in persons)
    known = []
    for (given, site_id), was_there in zip(persons, seen, strict=True):
        person = given
        if person.user_id and str(person.user_id) not in accounts:
            # The account is gone: what is left is what a guest would have told.
            person = replace(person, user_id=None)
        if person.user_id:
            person = _with_account(person, accounts[str(person.user_id)])
        email = normalise_or_nothing(EMAIL, person.email)
        phone = normalise_or_nothing(SMS, person.phone)
        if person.user_id:
            key = f"user:{person.user_id}"
        elif email:
            key = identity_key(EMAIL, point_hash(EMAIL, email))
        elif phone:
            key = identity_key(SMS, point_hash(SMS, phone))
        else:
            key = ""
        known.append(
            _Known(
                person=person,
                site_id=site_id,
                email=email,
                phone=phone,
                identity_key=key,
                seen=was_there,
            )
        )
    return known


def _accounts(user_ids: Iterable[int | str | UUID | None]) -> dict[str, models.Model]:
    wanted: set[Any] = {user_id for user_id in user_ids if user_id}
    if not wanted:
        return {}
    users = get_user_model()._default_manager.using(database_for(Contact)).filter(pk__in=wanted)
    return {str(user.pk): user for user in users}


def _with_account(person: Person, account: Any) -> Person:
    email_field = type(account).get_email_field_name()
    return replace(
        person,
        email=person.email or getattr(account, email_field, "") or "",
        first_name=person.first_name or getattr(account, "first_name", "") or "",
        last_name=person.last_name or getattr(account, "last_name", "") or "",
    )


def _find_or_make(known: Sequence[_Known], now: datetime) -> list[Contact | None]:
    linked = _linked(known)
    by_key = _by_key(one for one, contact in zip(known, linked, strict=True) if contact is None)
    missing: dict[str, dict[str, Any]] = {}
    for one, contact in zip(known, linked, strict=True):
        if contact is None and one.identity_key and one.identity_key not in by_key:
            missing.setdefault(one.identity_key, _new_row(one, now))
    if missing:
        # Sorted, so that two batches wait for each other's rows in the same order.
        rows = [missing[key] for key in sorted(missing)]
        insert_or_ignore(Contact, rows, conflict="identity_key")
        made = Contact.objects.filter(identity_key__in=missing)
        by_key.update({row.identity_key: row for row in made})
    ends = joining.follow(by_key.values())
    found: list[Contact | None] = []
    for one, contact in zip(known, linked, strict=True):
        if contact is None and one.identity_key in by_key:
            contact = ends[by_key[one.identity_key].pk]
        found.append(contact)
    return _one_instance_each(found)


def _one_instance_each(found: Sequence[Contact | None]) -> list[Contact | None]:
    first: dict[int, Contact] = {}
    return [first.setdefault(c.pk, c) if c is not None else None for c in found]


def _by_key(known: Iterable[_Known]) -> dict[str, Contact]:
    keys = {one.identity_key for one in known if one.identity_key}
    if not keys:
        return {}
    return {row.identity_key: row for row in Contact.objects.filter(identity_key__in=keys)}


def _linked(known: Sequence[_Known]) -> list[Contact | None]:
    """Return the contacts that links which we sent name, where it is they who acted."""
    named = {one.person.contact_id for one in known if one.person.contact_id}
    if not named:
        return [None] * len(known)
    ends = joining.follow(Contact.objects.filter(pk__in=named))
    points = ContactPoint.objects.filter(contact_id__in={contact.pk for contact in ends.values()})
    owned = set(points.values_list("contact_id", "channel", "normalised"))
    linked: list[Contact | None] = []
    for one in known:
        contact = ends.get(one.person.contact_id or 0)
        fits = contact is not None and _fits(one, contact, owned)
        linked.append(contact if fits else None)
    return linked


def _fits(one: _Known, contact: Contact, owned: set[tuple[int, str, str]]) -> bool:
    """Say whether a link's contact is who acted: a forwarded link must not join two people."""
    if one.person.user_id:
        # One side may have been through JSON, where a UUID is text.
        return str(contact.user_id) == str(one.person.user_id)
    if not one.identity_key:
        return True
    told = [(EMAIL, one.email)] if one.email else [(SMS, one.phone)]
    return all((contact.pk, channel, normalised) in owned for channel, normalised in told)


def _new_row(one: _Known, now: datetime) -> dict[str, Any]:
    return {
        "identity_key": one.identity_key,
        "user_id": one.person.user_id,
        "created_at": now,
        "seen_at": now if one.seen else None,
        **{name: value for name, value in _told(one).items() if value},
    }


def _told(one: _Known) -> dict[str, Any]:
    told: dict[str, Any] = {
        name: getattr(one.person, name).replace("\0", "")[:length]
        for name, length in _LENGTHS.items()
    }
    told["site_id"] = one.site_id
    return told


def _add_points(known: Sequence[_Known], found: Sequence[Contact | None], now: datetime) -> None:
    wanted: dict[tuple[int, str, str], ContactPoint] = {}
    for one, contact in zip(known, found, strict=True):
        if contact is None:
            continue
        for channel, value, normalised in (
            (EMAIL, one.person.email, one.email),
            (SMS, one.person.phone, one.phone),
            *_other_points(one.person),
        ):
            if not normalised or not _may_tell(one, contact):
                continue
            verified = channel == EMAIL and one.person.email_verified
            key = (contact.pk, channel, normalised)
            point = wanted.get(key)
            if point is None:
                point = wanted[key] = ContactPoint(
                    contact_id=contact.pk,
                    channel=channel,
                    value=value.replace("\0", "").strip()[:320],
                    normalised=normalised,
                    point_hash=point_hash(channel, normalised),
                    created_at=now,
                )
            if verified:
                point.verified_at = now
    if not wanted:
        return
    present = {
        (point.contact_id, point.channel, point.normalised): point
        for point in ContactPoint.objects.filter(
            contact_id__in={contact_id for contact_id, _channel, _normalised in wanted}
        )
    }
    ContactPoint.objects.bulk_create(
        [wanted[key] for key in sorted(wanted) if key not in present], ignore_conflicts=True
    )
    proved_again = [
        point.pk
        for key, point in present.items()
        if key in wanted
        and wanted[key].verified_at is not None
        and (point.verified_at is None or point.verified_at < now - SEEN_EVERY)
    ]
    if proved_again:
        ContactPoint.objects.filter(pk__in=proved_again).update(verified_at=now)


def _other_points(person: Person) -> list[tuple[str, str, str]]:
    """Return (channel, as written, in its one spelling) of what extensions' channels reach."""
    return [
        (channel, value, normalise_or_nothing(channel, value))
        for channel, value in person.points.items()
        if channel in channels.registry
    ]


def _may_tell(one: _Known, contact: Contact) -> bool:
    """Say whether the act may add a point or change what we know of this contact.

    Whoever types a customer's address without proof gets the customer's contact when a guest was
    joined into it before; what else that visitor types must not become the customer's.
    """
    return one.proved or not is_account(contact)


def is_account(contact: Contact) -> bool:
    """Say whether a contact is an account's, also after the account was deleted."""
    return contact.user_id is not None or contact.identity_key.startswith("user:")


def _join_proved(known: Sequence[_Known], found: list[Contact | None], now: datetime) -> None:
    """Join contacts of people who proved that an e-mail address is theirs."""
    proofs = {
        one.email: contact
        for one, contact in zip(known, found, strict=True)
        if contact is not None and one.email and one.person.email_verified
    }
    if not proofs:
        return
    sharing: dict[str, dict[int, ContactPoint]] = defaultdict(dict)
    for point in ContactPoint.objects.filter(
        channel=EMAIL, normalised__in=proofs, contact__joined_into=None
    ).select_related("contact"):
        sharing[point.normalised][point.contact_id] = point
    pairs = [pair for email, contact in proofs.items() for pair in _pairs(contact, sharing[email])]
    for winner_id, loser_id in pairs:
        joining.join(winner_id, loser_id, now)
    if pairs:
        # Also where another worker was quicker and nothing was left to join.
        goals = joining.follow(
            Contact.objects.filter(pk__in={c.pk for c in found if c is not None})
        )
        found[:] = _one_instance_each([goals[c.pk] if c is not None else None for c in found])


def _pairs(contact: Contact, sharing: Mapping[int, ContactPoint]) -> list[tuple[int, int]]:
    others = [point for pk, point in sorted(sharing.items()) if pk != contact.pk]
    guests = [point.contact_id for point in others if not is_account(point.contact)]
    if is_account(contact):
        return [(contact.pk, guest_id) for guest_id in guests]
    members = [
        point.contact_id
        for point in others
        if is_account(point.contact) and point.verified_at is not None
    ]
    # Two accounts proved the same address: nobody can tell whose guest this is.
    winner_id = members[0] if len(members) == 1 else contact.pk
    losers = [*guests, contact.pk] if winner_id != contact.pk else guests
    return [(winner_id, loser_id) for loser_id in losers]


def _refresh(known: Sequence[_Known], found: Sequence[Contact | None], now: datetime) -> None:
    """Keep what the newest act told: language, time zone, site, names."""
    changed: dict[int, Contact] = {}
    for one, contact in zip(known, found, strict=True):
        if contact is None:
            continue
        may_tell = _may_tell(one, contact)
        for name, value in _told(one).items():
            present = getattr(contact, name)
            if value and value != present and (may_tell or not present):
                setattr(contact, name, value)
                changed[contact.pk] = contact
        if one.seen and (contact.seen_at is None or contact.seen_at < now - SEEN_EVERY):
            contact.seen_at = now
            changed[contact.pk] = contact
    if changed:
        Contact.objects.bulk_update([changed[pk] for pk in sorted(changed)], [*_FILLED, "seen_at"])


def same_people(subjects: Sequence[Subject]) -> list[set[int]]:
    """Return for each subject the contacts that are the same person, its own among them.

    By account, e-mail and phone; two queries for all.
    """
    told: list[tuple[int, Person]] = []
    for index, one in enumerate(subjects):
        told.append((index, Person(user_id=one.user_id, contact_id=one.contact_id)))
        told += [(index, Person(email=email)) for email in one.emails]
        told += [(index, Person(phone=phone)) for phone in one.phones]
    found = [{one.contact_id} for one in subjects]
    ids = same_people_ids([person for _index, person in told])
    for (index, _person), some in zip(told, ids, strict=True):
        found[index] |= some
    return found
