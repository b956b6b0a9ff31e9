"""Consent on its way into the ledger: what people tick, say on the unsubscribe page, and buy."""

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
from ..conf import PROMOTIONAL, triggers_settings
from ..events import Event
from ..models import (
    ALL_TOPICS,
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Contact,
    ContactPoint,
    Dispatch,
    Enrollment,
    Message,
    MessageState,
    point_hash,
)
from ..models.sql import database_for
from ..policy import consent
from ..policy.points import EMAIL, SMS, normalise_or_nothing
from ..snapshots import Person
from . import enrollments, joining, wording
from .intake import Record, Routed, listener

CTX = "triggers"
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
    label: ClassVar[object] = pgettext_lazy(CTX, "Someone opted in")
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
    label: ClassVar[object] = pgettext_lazy(CTX, "Someone opted out")
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
    """Append what people refused to the ledger."""
    _write_spoken(entries, ConsentAction.WITHDRAW, now)


def _write_spoken(entries: Sequence[Routed], action: ConsentAction, now: datetime) -> None:
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
    value = person.email if channel == EMAIL else person.phone
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
        if topic == ALL_TOPICS:
            stop_promotion(point.channel, point.point_hash, point.contact_id, now)


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


def unsubscribe(public_id: str, now: datetime, *, source: str) -> bool:
    """Stop all promotional messages to the point that a message went to; safe to repeat.

    The withdrawal, the exits and the cancelled messages are one transaction. Returns False for
    an id that names no message to a contact; callers answer the same.
    """
    found = _point_of(public_id)
    if found is None:
        return False
    channel, hash_, contact_id = found
    with transaction.atomic(using=database_for(ConsentEvent)):
        _withdraw_once(channel, hash_, contact_id, now, source=source)
        stop_promotion(channel, hash_, contact_id, now)
    return True


def subscribe_again(public_id: str, now: datetime, *, shown: str) -> bool:
    """Append a new consent for the point that a message went to, in the words on the page.

    Only someone who unsubscribed can take it back here. Returns False for an id that names no
    message, and where nothing was withdrawn; callers answer the same.
    """
    found = _point_of(public_id)
    if found is None:
        return False
    channel, hash_, contact_id = found
    words = wording.subscribe_again(shown)
    newest = _newest_spoken(channel, hash_)
    if words is None or newest is None or newest.action != ConsentAction.WITHDRAW:
        return False
    moment = max(now, newest.occurred_at)
    consent.write_many(
        [
            consent.Line(
                channel=channel,
                point_hash=hash_,
                topic=ALL_TOPICS,
                action=ConsentAction.GRANT,
                contact_id=contact_id,
                text=words.text,
                text_version=words.version,
                language=words.language,
                source="unsubscribe_page",
                occurred_at=moment,
                dedup_key=f"again:{newest.pk}",
            )
        ],
        moment,
    )
    return True


def _point_of(public_id: str) -> tuple[str, str, int] | None:
    row = (
        Dispatch.objects.filter(message__public_id=public_id, message__contact__isnull=False)
        .exclude(point_hash="")
        .order_by("hop")
        .values_list("channel", "point_hash", "message__contact")
    )
    rows = list(row)
    if not rows:
        return None
    # The link stands in a letter; other hops of a cascade have their own ways to say stop.
    channel, hash_, contact_id = next((r for r in rows if r[0] == EMAIL), rows[0])
    ends = joining.follow(Contact.objects.filter(pk=contact_id))
    return channel, hash_, ends[contact_id].pk


def _newest_spoken(channel: str, hash_: str) -> ConsentEvent | None:
    return (
        ConsentEvent.objects.filter(channel=channel, point_hash=hash_)
        .exclude(action=ConsentAction.GRANT, basis__in=consent.WEAK_BASES)
        .order_by("-occurred_at", "-id")
        .first()
    )


def _withdraw_once(
    channel: str, hash_: str, contact_id: int, now: datetime, *, source: str
) -> None:
    newest = _newest_spoken(channel, hash_)
    if (
        newest is not None
        and newest.action == ConsentAction.WITHDRAW
        and newest.topic == ALL_TOPICS
    ):
        return
    # Clocks of two servers differ: a withdrawal is never older than what it withdraws.
    moment = max(now, newest.occurred_at) if newest is not None else now
    consent.write_many(
        [
            consent.Line(
                channel=channel,
                point_hash=hash_,
                topic=ALL_TOPICS,
                action=ConsentAction.WITHDRAW,
                contact_id=contact_id,
                source=source,
                occurred_at=moment,
                # Two clicks at once are one withdrawal.
                dedup_key=f"unsubscribe:{hash_}:{newest.pk if newest else 0}",
            )
        ],
        moment,
    )


def stop_promotion(channel: str, hash_: str, contact_id: int, now: datetime) -> None:
    """End a person's promotional enrollments and cancel promotional messages to a point."""
    people = {contact_id}
    people.update(
        ContactPoint.objects.filter(channel=channel, point_hash=hash_).values_list(
            "contact_id", flat=True
        )
    )
    running = (
        Enrollment.objects.filter(contact_id__in=people, state__in=enrollments.UNFINISHED)
        .filter(version__definition__stream=PROMOTIONAL)
        .values_list("pk", flat=True)
    )
    enrollments.exit_many(
        list(running),
        "unsubscribed",
        now,
        rule="consent",
        compared={"channel": channel, "action": "withdraw"},
    )
    waiting = (
        Message.objects.filter(
            contact_id__in=people, stream=PROMOTIONAL, state=MessageState.PLANNED
        )
        .filter(dispatches__channel=channel)
        .values_list("pk", flat=True)
    )
    enrollments.cancel_planned(list(waiting), "unsubscribed", now)
