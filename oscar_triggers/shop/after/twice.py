"""Oscar's letter or ours, never both: what Oscar sent while a flow was held up is noted.

The order itself reaches the flow when the engine goes on. Then the first letter of that way
through the flow, the one that stands in for Oscar's, is left out; what follows it goes.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import connections, transaction
from django.db.models import Min
from django.utils.translation import pgettext_lazy

from ... import events
from ...conf import triggers_settings
from ...content import context
from ...content.context import Provided, Wanted
from ...engine import faults, intake
from ...events import Event
from ...models import JournalEntry, MessageItem
from ...models.sql import database_for
from ...snapshots import About, Subject
from ..events import about_order

logger = logging.getLogger(__name__)

#: A skip reason.
SENT_BY_OSCAR = "sent_by_oscar"


@events.register
@dataclass(frozen=True, kw_only=True)
class OscarMailSent(Event):
    """Oscar sent a letter that a flow would have sent, had it not been held up."""

    kind: ClassVar[str] = "oscar_mail_sent"
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "The shop wrote a letter of its own, as after an order."
    )
    label: ClassVar[Any] = pgettext_lazy("triggers", "Oscar sent a letter itself")
    about_type: ClassVar[str] = "order"
    can_trigger: ClassVar[bool] = False

    number: str
    code: str

    def act_key(self, about: About | None) -> str:
        """Return one key for each letter about each order."""
        return f"order:{self.number}:{self.code}"


def note(order: Any, code: str, now: datetime) -> None:
    """Note that Oscar sent a letter; never raises into the shop's page."""
    alias = database_for(JournalEntry)
    try:
        # A statement that fails inside a page's transaction must not poison it.
        inside = connections[alias].in_atomic_block
        with transaction.atomic(using=alias) if inside else nullcontext():
            intake.record(
                OscarMailSent(number=str(order.number), code=code),
                about=about_order(order.number),
                occurred_at=now,
                site_id=order.site_id,
            )
    except Exception as error:  # noqa: BLE001 - the shop's page must not fail for it
        logger.error("That Oscar sent %s could not be noted: %s", code, faults.told(error))


@context.register
class TwiceContext(context.ContextProvider):
    """Holds back the first letter of a flow about an order to which Oscar wrote already."""

    name = "oscars_letters"
    about_types = frozenset({"order"})

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Say nothing where nobody knows which letter it is about."""
        return [Provided() for _subject in subjects]

    def provide_wanted(self, wanted: Sequence[Wanted], now: datetime) -> list[Provided]:
        """Say nothing, but for whom there must be no letter; two queries where flows stand in."""
        codes: dict[str, set[str]] = defaultdict(set)
        for code, key in triggers_settings().oscar_mails.items():
            codes[key].add(code)
        standing_in = [one.subject for one in wanted if one.subject.flow_key in codes]
        sent = _sent({one.about.id for one in standing_in}) if standing_in else {}
        first = _first_letters([one.enrollment_id for one in standing_in if one.about.id in sent])
        return [
            Provided(unavailable=SENT_BY_OSCAR, compared={"order": one.subject.about.id})
            if codes.get(one.subject.flow_key, set()) & sent.get(one.subject.about.id, set())
            and one.message_id is not None
            and first.get(one.subject.enrollment_id) == one.message_id
            else Provided()
            for one in wanted
        ]


def _sent(numbers: set[str]) -> dict[str, set[str]]:
    sent: dict[str, set[str]] = defaultdict(set)
    for number, payload in JournalEntry.objects.filter(
        kind=OscarMailSent.kind, about_type="order", about_id__in=numbers
    ).values_list("about_id", "payload"):
        sent[number].add(str(payload.get("code", "")))
    return sent


def _first_letters(enrollment_ids: Sequence[int]) -> dict[int, int]:
    """Return the first message of each way through a flow."""
    if not enrollment_ids:
        return {}
    return dict(
        MessageItem.objects.filter(enrollment_id__in=enrollment_ids)
        .order_by()
        .values("enrollment_id")
        .annotate(first=Min("message_id"))
        .values_list("enrollment_id", "first")
    )
