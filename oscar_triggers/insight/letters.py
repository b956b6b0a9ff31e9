"""One-off letters, told: who was not chosen and why, and what became of a letter so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.utils.translation import pgettext

from ..engine import audience, one_off, segments
from ..exceptions import TriggersError
from ..models import (
    Contact,
    Conversion,
    Flow,
    FlowState,
    LetterState,
    Message,
    MessageState,
    OneOffLetter,
)
from ..policy import staff
from .lines import Line
from .telling import INFO, NOT_SENT, WAITING, clock


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of a letter so far; people who are staff or tests are left out."""

    chosen: int = 0
    sent: int = 0
    waiting: int = 0
    #: Decided against, too late, cancelled or failed, by (state, reason), the most frequent first.
    not_sent: Sequence[tuple[str, str, int]] = field(default_factory=tuple)
    clicked: int = 0
    orders: int = 0
    #: What these orders were worth, by currency.
    worth: Sequence[tuple[str, Decimal]] = field(default_factory=tuple)

    @property
    def refused(self) -> int:
        """Return how many get nothing."""
        return sum(count for _state, _reason, count in self.not_sent)


def reports(letters: Sequence[OneOffLetter]) -> dict[int, Report]:
    """Return what became of some letters by number, in two queries."""
    by_flow = {one.flow_id: one for one in letters if one.flow_id is not None}
    counts: dict[int, Counter[tuple[str, str]]] = {pk: Counter() for pk in by_flow}
    clicked: Counter[int] = Counter()
    rows = (
        Message.objects.filter(flow_id__in=by_flow, is_shadow=False)
        .exclude(contact__in=staff.people())
        .order_by()
        .values_list("flow_id", "state", "reason")
        .annotate(count=Count("pk"), clicked=Count("pk", filter=Q(clicked_at__isnull=False)))
    )
    for flow_id, state, reason, count, clicks in rows:
        assert flow_id is not None
        counts[flow_id][state, reason] += count
        clicked[flow_id] += clicks
    orders: Counter[int] = Counter()
    worth: dict[int, list[tuple[str, Decimal]]] = {pk: [] for pk in by_flow}
    sales = (
        Conversion.objects.filter(message__flow_id__in=by_flow, kind="order_placed")
        .exclude(message__contact__in=staff.people())
        .order_by("currency")
        .values_list("message__flow_id", "currency")
        .annotate(count=Count("pk"), value=Sum("value"))
    )
    for flow_id, currency, count, value in sales:
        assert flow_id is not None
        orders[flow_id] += count
        worth[flow_id].append((currency, value or Decimal(0)))
    return {
        letter.pk: _report(letter, counts[pk], clicked[pk], orders[pk], worth[pk])
        for pk, letter in by_flow.items()
    }


_WAITING, _SENT = (MessageState.PLANNED,), (MessageState.SENT, MessageState.UNKNOWN)


def _report(
    letter: OneOffLetter,
    counts: Counter[tuple[str, str]],
    clicked: int,
    orders: int,
    worth: Sequence[tuple[str, Decimal]],
) -> Report:
    planned = sum(counts.values())
    return Report(
        chosen=letter.chosen,
        sent=sum(n for (state, _reason), n in counts.items() if state in _SENT),
        # Who was chosen and stands before the step has no message yet.
        waiting=sum(n for (state, _reason), n in counts.items() if state in _WAITING)
        + (max(0, letter.chosen - planned) if letter.state in one_off.OPEN else 0),
        not_sent=tuple(
            (state, reason, count)
            for (state, reason), count in counts.most_common()
            if state not in (*_WAITING, *_SENT)
        ),
        clicked=clicked,
        orders=orders,
        worth=tuple(worth),
    )


def not_chosen(flow: Flow, contact_id: int, now: datetime) -> Iterator[Line]:
    """Tell why somebody is not on the way of a letter's flow."""
    letter = OneOffLetter.objects.filter(flow=flow).first()
    if letter is None:
        return
    said = {"segment": _segment_name(letter.segment)}
    if letter.start_at is not None and letter.started_at is None:
        text = pgettext(
            "triggers",
            "The letter goes to the segment “%(segment)s”; who is in it will be chosen at "
            "%(moment)s.",
        )
        if letter.state == LetterState.SCHEDULED:
            text %= {**said, "moment": clock(letter.start_at)}
            yield Line(moment=now, text=text, tone=WAITING)
        return
    if contact_id > letter.last_contact_id and letter.chosen_at is None:
        text = pgettext("triggers", "People are being chosen; nobody came to them yet.")
        yield Line(moment=now, text=text, tone=WAITING)
        return
    if staff.among([contact_id]):
        text = pgettext(
            "triggers", "They are staff or a test address, to which no such letter goes."
        )
    elif contact_id > letter.last_contact_id:
        text = pgettext(
            "triggers",
            "They became known after people were chosen from the segment “%(segment)s”, or "
            "choosing had stopped before it came to them.",
        )
    else:
        text = pgettext(
            "triggers",
            "People were chosen from the segment “%(segment)s”; they were not among them.",
        )
    yield Line(moment=letter.started_at or now, text=text % said, tone=NOT_SENT)
    yield from _today(letter, contact_id, now, said)


def _today(
    letter: OneOffLetter, contact_id: int, now: datetime, said: dict[str, str]
) -> Iterator[Line]:
    """Say whether they would be in the segment now: it lives, and yesterday's is gone."""
    try:
        segment = segments.get(letter.segment)
        subjects = audience.subjects_of(list(Contact.objects.filter(pk=contact_id)), now)
        belongs = bool(audience.members(segment, subjects, now))
    except TriggersError:
        return
    if belongs:
        text = pgettext("triggers", "Now they belong to the segment “%(segment)s”.")
    else:
        text = pgettext("triggers", "Now, too, they do not belong to the segment “%(segment)s”.")
    yield Line(moment=now, text=text % said, tone=INFO)


def _segment_name(key: str) -> str:
    try:
        return str(segments.get(key).label)
    except TriggersError:
        return key


def stands(flow: Flow, now: datetime) -> Iterator[Line]:
    """Tell how far the letter is, where that explains something."""
    letter = OneOffLetter.objects.filter(flow=flow).first()
    if letter is None:
        return
    if letter.state == LetterState.CANCELLED:
        text = pgettext("triggers", "The letter was cancelled.")
    elif letter.state == LetterState.MISSED:
        text = pgettext(
            "triggers", "The letter was not sent: when the engine went on, it was too late."
        )
    elif flow.state == FlowState.PAUSED:
        text = pgettext("triggers", "The letter is paused.")
    else:
        return
    yield Line(moment=letter.ended_at or flow.paused_at or now, text=text)
