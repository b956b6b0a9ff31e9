"""The sweep that sees when it is time to ask for reviews.

The moment follows from what is known of an order: when it was received; else when it was shipped;
else when it was placed. What became due before the first look is left in peace, so that a shop
with years of orders writes to nobody about them. What an outage hid is found, and missed by rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from ...conf import triggers_settings
from ...engine import intake, plans, sweeping
from ...engine.intake import Record
from ...exceptions import TriggersError
from ...models import RUNNING, Flow, JournalEntry, OrderWatch, Pulse
from ...snapshots import Person
from .. import tables
from ..events import about_order
from .asking import Answer, Asked, is_open, to_review_many
from .events import PLACED, RECEIVED, SHIPPED, ReviewDue, ReviewDueOptions, act_key_of

BATCH = 500
#: What is later than any flow allows is told for so much longer, so that the log can say why
#: nobody was asked.
_TOLD_FOR = timedelta(days=2)
#: Moments are compared as text first; offsets other than UTC's differ by less than this.
_MARGIN = timedelta(days=1)


@sweeping.register
class ReviewDueSweep(sweeping.Sweep):
    """Tells which orders arrived long enough ago, for the running flows that ask for reviews."""

    name = "reviews_due"
    every = timedelta(minutes=2)

    def run(self, now: datetime, pulse: Pulse) -> dict[str, Any]:
        """Record what is due; the first look records nothing, and only marks where it began."""
        if pulse.position_at is None or pulse.position_at > now:
            pulse.position_at = now
        found = 0
        if not is_open():
            return {"due": found}
        for wish, patience in _wishes().items():
            since = max(pulse.position_at, now - patience - _TOLD_FOR)
            for batch in _batches(_candidates(wish, since, now)):
                records = _records(batch, wish, since, now)
                intake.record_many(records)
                found += len(records)
        return {"due": found}


def moment_of(watch: Mapping[str, Any], wish: ReviewDueOptions) -> tuple[datetime | None, str]:
    """Return when to ask about an order and from which stage that is counted; None for never."""
    for stage, after in (
        (RECEIVED, wish.after_receipt),
        (SHIPPED, wish.after_shipping),
        (PLACED, wish.after_placing),
    ):
        reached = watch["placed_at"] if stage == PLACED else _moment(watch["stages"].get(stage))
        if reached is not None:
            return (reached + after if after is not None else None), stage
    return None, PLACED


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _wishes() -> dict[ReviewDueOptions, timedelta]:
    """Return what running flows listen to, each with the most that one of them may be late."""
    found: dict[ReviewDueOptions, timedelta] = {}
    for flow in Flow.objects.filter(
        trigger_kind=ReviewDue.kind, state__in=RUNNING, live_version__isnull=False
    ).select_related("live_version"):
        assert flow.live_version is not None
        try:
            definition = plans.plan_of(flow.live_version).definition
            _event_class, options = definition.trigger_event()
        except TriggersError:
            # Routing tells of it, for every kind of event.
            continue
        if isinstance(options, ReviewDueOptions):
            patience = definition.max_lateness
            found[options] = max(patience, found.get(options, patience))
    return found


def _candidates(wish: ReviewDueOptions, since: datetime, now: datetime) -> QuerySet[Any, Any]:
    """Return the watched orders whose moment lies about there."""
    young = now - triggers_settings().order_max_age
    rows = OrderWatch.objects.annotate(
        received=Cast(KeyTextTransform(RECEIVED, "stages"), TextField()),
        shipped=Cast(KeyTextTransform(SHIPPED, "stages"), TextField()),
    )

    def text(moment: datetime) -> str:
        return moment.astimezone(UTC).isoformat()

    begin, end = since - _MARGIN, now + _MARGIN
    due = Q(
        received__gte=text(begin - wish.after_receipt), received__lte=text(end - wish.after_receipt)
    )
    if (after := wish.after_shipping) is not None:
        due |= Q(received=None, shipped__gte=text(begin - after), shipped__lte=text(end - after))
    if (after := wish.after_placing) is not None:
        due |= Q(received=None, shipped=None, placed_at__range=(begin - after, end - after))
    return (
        rows.filter(due, closed_at=None, placed_at__gte=young)
        .order_by("pk")
        .values("pk", "number", "contact_id", "stages", "placed_at")
    )


def _batches(rows: QuerySet[Any, Any]) -> Iterator[list[dict[str, Any]]]:
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        yield batch
        last = batch[-1]["pk"]


def _records(
    batch: Sequence[Mapping[str, Any]], wish: ReviewDueOptions, since: datetime, now: datetime
) -> list[Record]:
    due: dict[str, tuple[Mapping[str, Any], datetime, str]] = {}
    for watch in batch:
        moment, stage = moment_of(watch, wish)
        if moment is not None and since < moment <= now:
            due[watch["number"]] = (watch, moment, stage)
    keys = {f"{ReviewDue.kind}:{act_key_of(number, wish)}": number for number in due}
    for key in JournalEntry.objects.filter(dedup_key__in=keys).values_list("dedup_key", flat=True):
        del due[keys[key]]
    if not due:
        return []
    numbers = list(due)
    answers = to_review_many(
        [Asked(number=one, ask_after_rejection=wish.ask_after_rejection) for one in numbers]
    )
    people = _people(numbers)
    return [
        _record(*due[number], answer, people[number], wish)
        for number, answer in zip(numbers, answers, strict=True)
        if answer.products and number in people
    ]


def _record(
    watch: Mapping[str, Any],
    moment: datetime,
    stage: str,
    answer: Answer,
    order: Mapping[str, Any],
    wish: ReviewDueOptions,
) -> Record:
    nameless = order["user_id"] is None and not order["guest_email"]
    return Record(
        event=ReviewDue(
            number=watch["number"],
            products=len(answer.products),
            counted_from=stage,
            after_receipt=wish.after_receipt,
            after_shipping=wish.after_shipping,
            after_placing=wish.after_placing,
            ask_after_rejection=wish.ask_after_rejection,
        ),
        about=about_order(watch["number"]),
        person=Person(
            user_id=order["user_id"],
            email=(order["guest_email"] or "") if order["user_id"] is None else "",
            # Of an account that was deleted, Oscar's order keeps nothing.
            contact_id=watch["contact_id"] if nameless else None,
        ),
        site_id=order["site_id"],
        occurred_at=moment,
    )


def _people(numbers: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        str(row["number"]): row
        for row in tables.orders()
        .filter(number__in=numbers)
        .values("number", "user_id", "guest_email", "site_id")
    }
