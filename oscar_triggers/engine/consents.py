"""Consent on its way into the ledger: what people tick, what a sale allows, what staff note."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import pgettext_lazy

from .. import events
from ..conf import triggers_settings
from ..events import Event
from ..models import (
    ALL_TOPICS,
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    ContactPoint,
    point_hash,
)
from ..models.sql import database_for
from ..policy import consent
from ..policy.points import EMAIL, SMS, normalise_or_nothing
from ..snapshots import Person
from . import unsubscribing, wording
from .intake import Record, Routed, listener

#: Name of the box on registration and checkout pages; ticked is a consent.
OPT_IN_FIELD = "triggers_opt_in"
#: Name of the box by which a buyer refuses letters that a sale would allow.
OPT_OUT_FIELD = "triggers_opt_out"
#: Begins the names of hidden fields that say in which words a box was shown, as in
#: "triggers_opt_shown:email:offers".
SHOWN_FIELD = "triggers_opt_shown"
CHANNELS = (EMAIL, SMS)


@events.register
@dataclass(frozen=True, kw_only=True)
class ConsentGiven(Event):
    """A person allowed messages on a channel."""

    kind: ClassVar[str] = "consent_given"
    description: ClassVar[object] = pgettext_lazy(
        "triggers",
        "Somebody agreed to be written to: on a page, at the checkout or by a member of staff.",
    )
    label: ClassVar[object] = pgettext_lazy("triggers", "Someone opted in")
    can_trigger: ClassVar[bool] = False

    channel: str = EMAIL
    #: A key of OSCAR_TRIGGERS["TOPICS"], or models.ALL_TOPICS.
    topic: str = ALL_TOPICS
    #: The words the person agreed to, whole.
    text: str = ""
    text_version: str = ""
    language: str = ""
    #: "registration", "checkout", …
    source: str = ""


@events.register
@dataclass(frozen=True, kw_only=True)
class ConsentWithdrawn(Event):
    """A person refused messages on a channel."""

    kind: ClassVar[str] = "consent_withdrawn"
    description: ClassVar[object] = pgettext_lazy("triggers", "Somebody no longer wants a mailing.")
    label: ClassVar[object] = pgettext_lazy("triggers", "Someone opted out")
    can_trigger: ClassVar[bool] = False

    channel: str = EMAIL
    topic: str = ALL_TOPICS
    text: str = ""
    text_version: str = ""
    language: str = ""
    source: str = ""


@listener(ConsentGiven.kind)
def write_granted(entries: Sequence[Routed], now: datetime) -> None:
    """Append what people allowed to the ledger."""
    _write_spoken(entries, ConsentAction.GRANT, now)


@listener(ConsentWithdrawn.kind)
def write_withdrawn(entries: Sequence[Routed], now: datetime) -> None:
    """Append what people refused to the ledger, and stop what is on its way to them."""
    for line in _write_spoken(entries, ConsentAction.WITHDRAW, now):
        unsubscribing.stop_promotion(
            line.channel, line.point_hash, line.contact_id, now, topic=line.topic
        )


def _write_spoken(
    entries: Sequence[Routed], action: ConsentAction, now: datetime
) -> list[consent.Line]:
    lines = []
    for entry in entries:
        event = entry.event
        assert isinstance(event, ConsentGiven | ConsentWithdrawn)
        hash_ = _hash_of(entry.person, event.channel)
        if not hash_:
            continue
        lines.append(
            consent.Line(
                channel=event.channel,
                point_hash=hash_,
                topic=event.topic,
                action=action,
                contact_id=entry.contact_id,
                text=event.text,
                text_version=event.text_version,
                language=event.language,
                source=event.source[:40],
                occurred_at=entry.occurred_at,
                dedup_key=f"journal:{entry.entry_id}",
            )
        )
    consent.write_many(lines, now)
    return lines


@listener("order_placed")
def write_soft_opt_in(entries: Sequence[Routed], now: datetime) -> None:
    """Append what a sale allows, where OSCAR_TRIGGERS["SOFT_OPT_IN"] is on.

    Such a line never counts against anything that the person said (see policy.consent).
    """
    if not triggers_settings().soft_opt_in:
        return
    lines = []
    for entry in entries:
        hash_ = _hash_of(entry.person, EMAIL)
        if not hash_ or entry.about is None:
            continue
        shown = wording.soft_opt_in(entry.person.language)
        lines.append(
            consent.Line(
                channel=EMAIL,
                point_hash=hash_,
                topic=ALL_TOPICS,
                action=ConsentAction.GRANT,
                basis=ConsentBasis.SOFT_OPT_IN,
                contact_id=entry.contact_id,
                text=shown.text,
                text_version=shown.version,
                language=shown.language,
                source="sale",
                source_detail=f"order {entry.about.id}"[:200],
                occurred_at=entry.occurred_at,
                dedup_key=f"sale:{entry.about}"[:120],
            )
        )
    consent.write_many(lines, now)


def _hash_of(person: Person, channel: str) -> str:
    told = {**person.points, EMAIL: person.email, SMS: person.phone}
    value = told.get(channel, "")
    normalised = normalise_or_nothing(channel, value)
    return point_hash(channel, normalised) if normalised else ""


def from_request(
    request: HttpRequest | None,
    person: Person,
    *,
    source: str,
    site_id: int | None = None,
    occurred_at: datetime | None = None,
) -> list[Record]:
    """Return what the opt-in boxes of a posted form say, ready for `intake.record_many`.

    Reads request.POST and nothing else; no box, no ticked box or no way to reach the person is
    an empty list. A box whose words are no longer ours is left out: such a consent has no proof.
    """
    if request is None or request.method != "POST" or not (person.email or person.phone):
        return []
    moment = occurred_at or timezone.now()
    records: list[Record] = []
    for event in _ticked(request.POST, source, site_id):
        if not (hash_ := _hash_of(person, event.channel)):
            continue
        # To the minute: the same click reported twice is one line; ticked again after an
        # unsubscription, it counts again.
        key = f"{event.channel}:{event.topic}:{source}:{hash_}:{moment:%Y%m%d%H%M}"
        records.append(
            Record(event=event, person=person, occurred_at=moment, site_id=site_id, key=key)
        )
    return records


def _ticked(
    posted: QueryDict, source: str, site_id: int | None
) -> Iterator[ConsentGiven | ConsentWithdrawn]:
    for ticked in dict.fromkeys(posted.getlist(OPT_IN_FIELD)[:10]):
        box = _read_box(ticked)
        if box is None:
            continue
        channel, topic = box
        shown = posted.get(f"{SHOWN_FIELD}:{channel}:{topic}", "")
        words = wording.opt_in(channel, topic, shown, site_id=site_id)
        if words is None:
            continue
        yield ConsentGiven(
            channel=channel,
            topic=topic,
            text=words.text,
            text_version=words.version,
            language=words.language,
            source=source,
        )
    if posted.get(OPT_OUT_FIELD):
        # A refusal counts whatever the words were.
        words = wording.opt_out(posted.get(f"{SHOWN_FIELD}:{OPT_OUT_FIELD}", ""), site_id=site_id)
        yield ConsentWithdrawn(
            text=words.text if words else "",
            text_version=words.version if words else "",
            language=words.language if words else "",
            source=source,
        )


def _read_box(value: str) -> tuple[str, str] | None:
    """Read "email:offers"; a bare tick ("on") is e-mail and the first topic."""
    topics = triggers_settings().topics
    if value in ("on", "1", "true", "yes"):
        return EMAIL, next(iter(topics), ALL_TOPICS)
    channel, _colon, topic = value.partition(":")
    if channel not in CHANNELS or (topic not in topics and topic != ALL_TOPICS):
        return None
    return channel, topic


def grant(
    point: ContactPoint,
    *,
    topic: str,
    words: wording.Words,
    source: str,
    now: datetime,
    source_detail: str = "",
    actor_id: int | str | None = None,
) -> None:
    """Append a grant for a contact's point."""
    _write_direct(point, ConsentAction.GRANT, topic, words, source, now, source_detail, actor_id)


def withdraw(
    point: ContactPoint,
    *,
    topic: str = ALL_TOPICS,
    source: str,
    now: datetime,
    source_detail: str = "",
    actor_id: int | str | None = None,
) -> None:
    """Append a withdrawal for a contact's point, and stop what is on its way to that person."""
    with transaction.atomic(using=database_for(ConsentEvent)):
        _write_direct(
            point, ConsentAction.WITHDRAW, topic, None, source, now, source_detail, actor_id
        )
        unsubscribing.stop_promotion(
            point.channel, point.point_hash, point.contact_id, now, topic=topic
        )


def _write_direct(
    point: ContactPoint,
    action: ConsentAction,
    topic: str,
    words: wording.Words | None,
    source: str,
    now: datetime,
    source_detail: str,
    actor_id: int | str | None,
) -> None:
    consent.write_many(
        [
            consent.Line(
                channel=point.channel,
                point_hash=point.point_hash,
                topic=topic,
                action=action,
                contact_id=point.contact_id,
                text=words.text if words else "",
                text_version=words.version if words else "",
                language=words.language if words else "",
                source=source,
                source_detail=source_detail,
                actor_id=actor_id,
                occurred_at=now,
            )
        ],
        now,
    )
