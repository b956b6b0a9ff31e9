"""Audiences: everybody who is known, slice by slice, and who of them belongs to a segment."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .. import conditions
from ..models import Contact, ContactPoint, Stream
from ..policy import staff, verdicts
from ..snapshots import About, Subject
from .admission import STAFF
from .segments import Segment

#: How many people are asked at once.
SLICE = 500
#: Of more people than this, a count says only how many of so many belong.
MOST_COUNTED = 20_000
#: How long a count may take (seconds); then it tells how far it came.
LONGEST_COUNT = 3.0


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many people belong to a segment, and how many were asked to know it."""

    people: int
    looked_at: int
    known: int
    #: Of those who belong: how many may not be written to, by reason. Only where that was asked.
    unreachable: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Say whether everybody was asked."""
        return self.looked_at >= self.known

    @property
    def estimate(self) -> int:
        """Return how many belong if the others are like those who were asked."""
        if self.is_whole or not self.looked_at:
            return self.people
        return round(self.people * self.known / self.looked_at)

    @property
    def reachable(self) -> int:
        """Return how many of those who belong may be written to."""
        return self.people - sum(self.unreachable.values())


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What the people of an audience would be written about, and on which channel."""

    topic: str
    channel: str = "email"
    stream: str = Stream.PROMOTIONAL


def people(after: int = 0, size: int = SLICE) -> list[Contact]:
    """Return the next people in the order of their numbers; signposts to others are left out."""
    return list(Contact.objects.filter(pk__gt=after, joined_into=None).order_by("pk")[:size])


def slices() -> Iterator[list[Contact]]:
    """Yield everybody, so many at once: memory does not grow with how many there are."""
    last = 0
    while found := people(last):
        yield found
        last = found[-1].pk


def subjects_of(contacts: Sequence[Contact], now: datetime) -> list[Subject]:
    """Return people as conditions see them outside any flow, in one query."""
    points: dict[tuple[int, str], list[str]] = defaultdict(list)
    for contact_id, channel, normalised in ContactPoint.objects.filter(
        contact_id__in=[one.pk for one in contacts]
    ).values_list("contact_id", "channel", "normalised"):
        points[contact_id, channel].append(normalised)
    return [
        Subject(
            enrollment_id=0,
            flow_id=0,
            flow_key="",
            contact_id=one.pk,
            user_id=one.user_id,
            emails=tuple(points.get((one.pk, "email"), ())),
            phones=tuple(points.get((one.pk, "sms"), ())),
            about=About(type="", id=""),
            language=one.language,
            time_zone=one.time_zone,
            site_id=one.site_id,
            entered_at=now,
            clock_at=now,
        )
        for one in contacts
    ]


def members(segment: Segment, subjects: Sequence[Subject], now: datetime) -> list[Subject]:
    """Return those who belong, in their order; of who fails a question the next is not asked."""
    left = list(subjects)
    for data in segment.conditions:
        if not left:
            break
        verdicts_ = conditions.from_options(data).holds_many(left, now)
        left = [one for one, verdict in zip(left, verdicts_, strict=True) if verdict.holds]
    return left


def count(
    segment: Segment,
    now: datetime,
    *,
    writing: Writing | None = None,
    most: int = MOST_COUNTED,
    within: float = LONGEST_COUNT,
) -> Count:
    """Count who belongs, and with `writing` also who of them may not be written to, and why.

    Ends after so many people or seconds, and tells how many it looked at.
    """
    until = time.monotonic() + within
    found = looked_at = 0
    unreachable: Counter[str] = Counter()
    is_whole = True
    for contacts in slices():
        if looked_at and (looked_at >= most or time.monotonic() >= until):
            is_whole = False
            break
        belonging = members(segment, subjects_of(contacts, now), now)
        found += len(belonging)
        looked_at += len(contacts)
        if writing is not None:
            unreachable += unreachable_among(belonging, writing)
    known = looked_at if is_whole else Contact.objects.filter(joined_into=None).count()
    return Count(people=found, looked_at=looked_at, known=known, unreachable=dict(unreachable))


def unreachable_among(subjects: Sequence[Subject], writing: Writing) -> Counter[str]:
    """Count by reason who of these may not be written to: addresses, blocks, consent, staff."""
    if not subjects:
        return Counter()
    ours = staff.among([one.contact_id for one in subjects])
    hashes = points_of([one.contact_id for one in subjects], writing.channel)
    asked = [
        verdicts.SendRequest(
            message_id=0,
            contact_id=one.contact_id,
            channel=writing.channel,
            point_hash=hashes.get(one.contact_id, ""),
            stream=writing.stream,
            topic=writing.topic,
        )
        for one in subjects
        if one.contact_id not in ours
    ]
    found = Counter(
        one.reason for one in verdicts.may_be_written_to(asked) if isinstance(one, verdicts.Skip)
    )
    if ours:
        found[STAFF] += len(ours)
    return found


def points_of(contact_ids: Sequence[int], channel: str) -> dict[int, str]:
    """Return the hash of the point by which each would be reached: verified first, then the newest."""
    chosen: dict[int, tuple[bool, str]] = {}
    rows = ContactPoint.objects.filter(contact_id__in=contact_ids, channel=channel)
    for contact_id, hash_, verified_at in rows.order_by("created_at", "pk").values_list(
        "contact_id", "point_hash", "verified_at"
    ):
        present = chosen.get(contact_id)
        if present is None or verified_at or not present[0]:
            chosen[contact_id] = (bool(verified_at), hash_)
    return {contact_id: hash_ for contact_id, (_verified, hash_) in chosen.items()}
