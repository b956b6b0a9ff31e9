"""Clicks: who followed a link of a message, as far as one can tell, and where it leads.

Every request is kept as it came, with our guess beside it. Mail servers, scanners and mailboxes
follow links too: what they do is kept and steers nothing. No address of a visitor is stored.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import connections, transaction
from django.db.models import Q
from django.utils.translation import pgettext_lazy

from .. import events, signals
from ..conf import site_settings
from ..content import links, rendering, targets
from ..content.letters import kept
from ..content.values import from_json
from ..events import Event
from ..kinds import clean_text
from ..models import (
    Contact,
    Dispatch,
    DispatchState,
    Hit,
    HitClass,
    JournalEntry,
    Message,
    MessageState,
)
from ..models.sql import database_for
from ..snapshots import About, Person
from . import faults, intake, resolving, tagging

logger = logging.getLogger(__name__)

#: Hit.link_no of what has an address of its own, and of the link that no person sees.
BASKET_LINK = -1
TRAP_LINK = -2

#: Nobody reads so fast: what comes so soon after the hand-over, or the delivery, is a machine.
TOO_EARLY = timedelta(seconds=10)
#: Two different links within this are opened by a machine …
AT_ONCE = timedelta(seconds=2)
#: … and so are three within this; what touches the hidden link speaks for as long.
NEARBY = timedelta(seconds=10)
_MANY = 3
#: A click is told to flows after this: until then the hidden link may still speak.
CERTAIN_AFTER = timedelta(seconds=10)
#: More requests for one message than this are answered and no longer written down.
MOST_HITS = 200

#: Words in the names that scanners, previews and programs give themselves.
_MACHINES = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|preview|prefetch|proxy|proofpoint|mimecast|barracuda"
    r"|safelinks|safebrowsing|google-safety|ms-office|microsoft office|facebookexternalhit"
    r"|whatsapp|headless|phantomjs|python|curl/|wget|libwww|java/|okhttp|go-http|axios|node-fetch"
    r"|httpclient|apache-http|guzzle|ruby|perl",
    re.IGNORECASE,
)
#: How every browser has begun its name since 1995; some set-top boxes say "Opera".
_BROWSER = re.compile(r"(?:Mozilla|Opera)/\d")


@events.register
@dataclass(frozen=True, kw_only=True)
class MessageClicked(Event):
    """A person followed a link of a message; once for each message."""

    kind: ClassVar[str] = "message_clicked"
    label: ClassVar[Any] = pgettext_lazy("triggers", "A link in a message was followed")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Somebody clicked in a message. Scanners and other machines do not count."
    )

    is_visit: ClassVar[bool] = True

    #: Message.public_id.
    message: str
    #: Key of the flow that sent it.
    flow: str = ""
    step: str = ""
    #: Position of the link in the message, from 0; -1 for the link back to the basket.
    link_no: int = 0
    #: The basket that the visitor carried, if any.
    basket_id: int | None = None

    def act_key(self, about: About | None) -> str:
        """Return one key for each message."""
        return self.message


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a request for a link tells about who asks."""

    at: datetime
    method: str = "GET"
    user_agent: str = ""
    #: Whether it says itself that it only looks ahead ("Sec-Purpose: prefetch").
    looks_ahead: bool = False
    #: The basket that comes with it.
    basket_id: int | None = None


def follow(token: str, request: Request) -> str:
    """Return the web address that a link of a message leads to, and write the request down.

    "" for a text that is no link of ours, a message whose words are erased, and the hidden link:
    callers answer all of them in the same way.
    """
    found = links.read_click_token(token)
    if found is None:
        return ""
    public_id, number = found
    message = _message(public_id)
    if message is None or not message.payload:
        return ""
    if number == targets.TRAP_NUMBER:
        write_down(message, TRAP_LINK, request)
        return ""
    target = _target(message, number)
    if target:
        write_down(message, number - targets.FIRST_NUMBER, request)
    return target


def note_basket(token: str, request: Request, *, restored: bool) -> None:
    """Write down that the link back to a basket was followed; only who got it back is a person."""
    public_id = links.read_basket_token(token)
    message = _message(public_id) if public_id else None
    if message is not None:
        write_down(message, BASKET_LINK, request, came_through=restored)


def _message(public_id: str) -> Message | None:
    return (
        Message.objects.filter(public_id=public_id)
        .select_related("template_version", "flow")
        # Read only where no earlier request of this process has.
        .defer("template_version__compiled", "template_version__source")
        .first()
    )


def _target(message: Message, number: int) -> str:
    version, payload = message.template_version, message.payload
    if version is None or payload is None or "values" not in payload:
        return ""
    compiled = kept((version.pk, version.content_hash), lambda: version.compiled)
    found = rendering.targets(
        compiled,
        from_json(payload["values"]),
        language=version.language,
        time_zone=payload["time_zone"],
    )
    position = number - targets.FIRST_NUMBER
    if position >= len(found) or not targets.is_safe(found[position]):
        return ""
    parameters = tagging.parameters_of(
        message,
        flow_key=message.flow.key if message.flow is not None else "",
        channel=_channel(message),
    )
    base_url = site_settings(message.site_id).base_url
    return targets.with_parameters(found[position], parameters, base_url)


def _channel(message: Message) -> str:
    return (
        Dispatch.objects.filter(message=message)
        .order_by("hop")
        .values_list("channel", flat=True)
        .first()
        or ""
    )


def write_down(
    message: Message, link_no: int, request: Request, *, came_through: bool = True
) -> None:
    """Keep a request with our guess about who asked; a visitor never waits for our troubles."""
    alias = database_for(Message)
    # Within a transaction of the page (ATOMIC_REQUESTS), what fails must leave the rest whole.
    is_within = connections[alias].in_atomic_block
    try:
        with transaction.atomic(using=alias) if is_within else nullcontext():
            _write_down(message, link_no, request, came_through)
    except Exception as error:  # noqa: BLE001 - the way to the shop matters more than its record
        logger.error(
            "A click of message %s was not written down: %s", message.pk, faults.told(error)
        )


def _write_down(message: Message, link_no: int, request: Request, came_through: bool) -> None:
    if Hit.objects.filter(message=message)[: MOST_HITS + 1].count() >= MOST_HITS:
        return
    signs = _signs(message, link_no, request)
    guess = HitClass.MACHINE if signs else HitClass.HUMAN
    if guess is HitClass.HUMAN and not _BROWSER.match(request.user_agent):
        guess, signs = HitClass.UNKNOWN, ["no_browser"]
    if guess is HitClass.HUMAN and not came_through:
        guess, signs = HitClass.UNKNOWN, ["not_restored"]
    hit = Hit.objects.create(
        message=message,
        link_no=link_no,
        occurred_at=request.at,
        method=request.method[:10],
        user_agent=clean_text(request.user_agent)[:300],
        hit_class=guess,
        signs=signs,
    )
    if message.state == MessageState.UNKNOWN:
        # Nobody knows the address of the link but who got the letter.
        doubts = message.dispatches.filter(state=DispatchState.UNKNOWN)
        for dispatch_id in doubts.values_list("pk", flat=True):
            resolving.mark_arrived(dispatch_id, request.at)
    # Written before it looks around: of two requests at once, the second sees the first.
    if not _find_machines(message, request.at) and guess is HitClass.HUMAN:
        _count(message, hit, request)


def _signs(message: Message, link_no: int, request: Request) -> list[str]:
    signs = []
    if link_no == TRAP_LINK:
        signs.append("trap")
    if request.method != "GET":
        signs.append("head")
    if request.looks_ahead:
        signs.append("prefetch")
    if not request.user_agent.strip():
        signs.append("no_user_agent")
    elif _MACHINES.search(request.user_agent):
        signs.append("known_machine")
    moments = Dispatch.objects.filter(message=message).values_list(
        "sending_at", "settled_at", "delivered_at"
    )
    if any(
        moment is not None and abs(request.at - moment) < TOO_EARLY
        for row in moments
        for moment in row
    ):
        signs.append("too_early")
    return signs


def _find_machines(message: Message, at: datetime) -> bool:
    """Tell machines by what stands near; return whether what stands at this moment is one's."""
    near = list(
        Hit.objects.filter(
            message=message, occurred_at__gte=at - NEARBY, occurred_at__lte=at + NEARBY
        )
    )
    found: dict[str, Sequence[Hit]] = {}
    if any(hit.link_no == TRAP_LINK for hit in near):
        found["trap"] = near
    at_once = [hit for hit in near if abs(hit.occurred_at - at) <= AT_ONCE]
    if _different(near) >= _MANY:
        found["many_links"] = near
    elif _different(at_once) > 1:
        found["many_links"] = at_once
    changed = False
    for sign, hits in found.items():
        for hit in hits:
            if hit.hit_class != HitClass.MACHINE or sign not in hit.signs:
                changed = changed or hit.hit_class == HitClass.HUMAN
                hit.hit_class = HitClass.MACHINE
                hit.signs = sorted({*hit.signs, sign} - {"no_browser", "not_restored"})
                hit.save(update_fields=["hit_class", "signs"])
    if changed:
        _count_again(message)
    return bool(found)


def _different(hits: Iterable[Hit]) -> int:
    return len({hit.link_no for hit in hits if hit.link_no != TRAP_LINK})


def _count(message: Message, hit: Hit, request: Request) -> None:
    """Note a person's click; the first one is told."""
    if message.contact_id is not None:
        Contact.objects.filter(
            Q(seen_at=None) | Q(seen_at__lt=request.at), pk=message.contact_id
        ).update(seen_at=request.at)
    alias = database_for(Message)
    with transaction.atomic(using=alias):
        # Another request may have found out meanwhile that this one was a machine's.
        first = Message.objects.filter(
            pk=message.pk, clicked_at=None, hits__pk=hit.pk, hits__hit_class=HitClass.HUMAN
        ).update(clicked_at=request.at)
        if not first:
            return
        intake.record_many([_record(message, hit.link_no, request)])
        transaction.on_commit(lambda: _tell(message, hit.link_no), using=alias, robust=True)


def _record(message: Message, link_no: int, request: Request) -> intake.Record:
    about = About(type=message.about_type, id=message.about_id) if message.about_id else None
    return intake.Record(
        event=MessageClicked(
            message=message.public_id,
            flow=message.flow.key if message.flow is not None else "",
            step=message.step_key,
            link_no=link_no,
            basket_id=request.basket_id,
        ),
        about=about,
        person=Person(contact_id=message.contact_id),
        occurred_at=request.at,
        site_id=message.site_id,
        not_before=request.at + CERTAIN_AFTER,
    )


def _tell(message: Message, link_no: int) -> None:
    signals.message_clicked.send_robust(
        sender=None, message_id=message.pk, contact_id=message.contact_id, link_no=link_no
    )


def _count_again(message: Message) -> None:
    """Take back a click that turned out to be a machine's, as far as nobody was told of it."""
    with transaction.atomic(using=database_for(Message)):
        first = (
            Hit.objects.filter(message=message, hit_class=HitClass.HUMAN)
            .order_by("occurred_at", "pk")
            .values_list("occurred_at", flat=True)
            .first()
        )
        Message.objects.filter(pk=message.pk).update(clicked_at=first)
        if first is None:
            JournalEntry.objects.filter(
                dedup_key=f"{MessageClicked.kind}:{message.public_id}", routed_at=None
            ).delete()
