"""The dossier of one person: all that is known, held and owed, by a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Q
from django.utils.text import capfirst

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import enrollments
from oscar_triggers.insight.lines import event_words
from oscar_triggers.models import (
    BasketWatch,
    ConsentEvent,
    Contact,
    ContactPoint,
    Enrollment,
    JournalEntry,
    Message,
    MessageState,
    OrderWatch,
    ProductRequest,
    RequestKind,
    Suppression,
    SurveyAnswer,
    VoucherGrant,
)
from oscar_triggers.shop.requests import counting
from oscar_triggers.shop.surveys import questions

from ..naming import step_names
from ..wording import about_in_words, reason_in_words
from . import ledger

#: Of each kind the newest are shown; the lists of all know filters.
MOST_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Point:
    """One way to reach the person, with its standing."""

    row: ContactPoint
    channel: str
    suppression: Suppression | None


@dataclass(frozen=True, kw_only=True)
class Way:
    """One coming through a flow."""

    row: Enrollment
    about: str
    step: str
    #: What a running one waits for, "" when only time passes.
    awaits: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message, with its reason in words."""

    row: Message
    what: str
    about: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Something that the person asked to be told."""

    row: ProductRequest
    product: str
    wanted: str


class Dossier:
    """Reads the rows of one contact; each part once, however much there is."""

    def __init__(self, contact: Contact, now: datetime) -> None:
        self.contact, self.now = contact, now

    @cached_property
    def _suppressions(self) -> dict[tuple[str, str], Suppression]:
        rows = Suppression.objects.filter(point_hash__in=[p.point_hash for p in self._points])
        return {(row.channel, row.point_hash): row for row in rows}

    @cached_property
    def _points(self) -> list[ContactPoint]:
        return list(self.contact.points.order_by("channel", "created_at", "pk"))

    @cached_property
    def points(self) -> list[Point]:
        """Return how to reach the person."""
        return [
            Point(
                row=row,
                channel=capfirst(ledger.channel_name(row.channel)),
                suppression=self._suppressions.get((row.channel, row.point_hash)),
            )
            for row in self._points
        ]

    @cached_property
    def fields(self) -> list[tuple[str, str]]:
        """Return what the shop knows beside name and language."""
        return [(str(name), str(value)) for name, value in sorted(self.contact.fields.items())]

    @cached_property
    def tags(self) -> list[str]:
        """Return the words that staff or flows put on the person."""
        return list(self.contact.tags.order_by("tag").values_list("tag", flat=True))

    @cached_property
    def topics(self) -> list[ledger.Topic]:
        """Return what may be sent to each point now, and why."""
        return ledger.topics_of(self._points, self._suppressions)

    @cached_property
    def consents(self) -> list[ledger.Entry]:
        """Return the whole ledger of the person, the newest line first."""
        hashes = [point.point_hash for point in self._points]
        rows = ConsentEvent.objects.filter(Q(contact=self.contact) | Q(point_hash__in=hashes))
        return ledger.history_of(rows.select_related("actor").order_by("-occurred_at", "-pk"))

    @cached_property
    def ways(self) -> list[Way]:
        """Return the newest ways through flows, running ones first."""
        rows = Enrollment.objects.filter(contact=self.contact).select_related("flow", "version")
        newest = list(rows.order_by("-entered_at", "-pk")[:MOST_SHOWN])
        running = [row for row in newest if row.state in enrollments.UNFINISHED]
        ended = [row for row in newest if row.state not in enrollments.UNFINISHED]
        return [self._way(row) for row in (*running, *ended)]

    def _way(self, row: Enrollment) -> Way:
        return Way(
            row=row,
            about=_about(row.about_type, row.about_id),
            step=_steps_of(row).get(row.step_key, row.step_key),
            awaits=event_words(row.awaits) if row.awaits not in ("", "*") else "",
        )

    @cached_property
    def messages(self) -> list[Said]:
        """Return the newest messages that were decided about: sent, or not, with the reason."""
        return self._said(
            Message.objects.filter(contact=self.contact)
            .exclude(state=MessageState.PLANNED)
            .order_by("-planned_at", "-pk")
        )

    @cached_property
    def planned(self) -> list[Said]:
        """Return what is planned for the person, the next first."""
        return self._said(
            Message.objects.filter(contact=self.contact, state=MessageState.PLANNED).order_by(
                "due_at", "pk"
            )
        )

    def _said(self, rows: Any) -> list[Said]:
        shown = rows.select_related("template", "flow").defer("payload", "options")[:MOST_SHOWN]
        return [
            Said(
                row=row,
                what=str(row.template or row),
                about=_about(row.about_type, row.about_id),
                why=capfirst(reason_in_words(row.reason)),
            )
            for row in shown
        ]

    @cached_property
    def requests(self) -> list[Wish]:
        """Return what the person asked to be told about, the newest first."""
        rows = list(
            ProductRequest.objects.filter(contact=self.contact).order_by("-created_at", "-pk")[
                :MOST_SHOWN
            ]
        )
        goods = counting.describe({row.product_id for row in rows})
        return [
            Wish(
                row=row,
                product=goods[row.product_id].title
                if row.product_id in goods
                else f"#{row.product_id}",
                wanted=str(RequestKind(row.kind).label),
            )
            for row in rows
        ]

    @cached_property
    def vouchers(self) -> list[VoucherGrant]:
        """Return the vouchers that were promised, the newest first."""
        rows = VoucherGrant.objects.filter(contact=self.contact)
        return list(rows.order_by("-created_at", "-pk")[:MOST_SHOWN])

    @cached_property
    def answers(self) -> list[tuple[str, SurveyAnswer]]:
        """Return what the person answered to surveys, each with its question."""
        rows = SurveyAnswer.objects.filter(contact=self.contact).order_by("-answered_at", "-pk")
        return [(_question(row.survey), row) for row in rows[:MOST_SHOWN]]

    @cached_property
    def baskets(self) -> list[BasketWatch]:
        """Return the baskets that are watched, the one that changed last first."""
        rows = BasketWatch.objects.filter(contact=self.contact, closed_at=None)
        return list(rows.order_by("-changed_at", "-pk")[:MOST_SHOWN])

    @cached_property
    def orders(self) -> list[OrderWatch]:
        """Return the orders that are watched, the newest first."""
        rows = OrderWatch.objects.filter(contact=self.contact)
        return list(rows.order_by("-placed_at", "-pk")[:MOST_SHOWN])

    @cached_property
    def happened(self) -> list[tuple[str, str, JournalEntry]]:
        """Return what happened in the shop, the newest first: event, thing, row."""
        rows = JournalEntry.objects.filter(contact=self.contact).defer("payload", "person")
        return [
            (capfirst(event_words(row.kind)), _about(row.about_type, row.about_id), row)
            for row in rows.order_by("-occurred_at", "-pk")[:MOST_SHOWN]
        ]


def _steps_of(row: Enrollment) -> Mapping[str, str]:
    return step_names(FlowDefinition.from_dict(row.version.definition))


def _about(about_type: str, about_id: str) -> str:
    return about_in_words(about_type, about_id) if about_type else ""


def _question(survey: str) -> str:
    return str(questions.registry.get(survey).question) if survey in questions.registry else survey
