"""The steps that wait for more than a while: for a date, an hour, a weekday, an event, a condition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.db.models import Q
from django.utils.translation import pgettext, pgettext_lazy

from .. import conditions, events, steps
from ..engine import fields, planning
from ..kinds import option
from ..limits import WEEKDAYS, SendWindow
from ..models import Contact, Enrollment, ExitReason, JournalEntry
from ..policy import windows
from ..policy.windows import Rules
from ..snapshots import About
from ..steps import Advance, Exit, Outcome, Step, StepVisit, WaitUntil
from . import moments
from .moments import FEB_28, MAR_1

#: How often a letter on its way is looked after, and a condition is asked that no event tells of.
LOOK_AGAIN = timedelta(minutes=15)

FIXED = "date"
CONTACT = "contact"
EVENT = "event"

_LEAVE = "leave"
_GO_ON = "go_on"
_MOST_DAYS = 366

#: A journal entry: its id, when it happened, and what it told without personal data.
_Told = tuple[int, datetime, Mapping[str, Any]]


def still_writing(visits: Sequence[StepVisit]) -> set[int]:
    """Return the enrollments whose letter is still on its way: the next must not overtake it."""
    return planning.with_messages_on_the_way([visit.subject.enrollment_id for visit in visits])


def _arrival(visit: StepVisit) -> datetime:
    return visit.arrived_at or visit.subject.entered_at


def _until(visit: StepVisit, moment: datetime, now: datetime, *, still: bool) -> Outcome:
    """Go on at a moment, but not before the letter on its way is settled."""
    if moment > now:
        return WaitUntil(moment=moment)
    if still:
        return WaitUntil(moment=now + LOOK_AGAIN)
    return Advance(due_at=max(moment, visit.due_at))


def _source_choices() -> list[tuple[str, Any]]:
    return [
        (FIXED, pgettext_lazy("triggers", "a date of the calendar")),
        (CONTACT, pgettext_lazy("triggers", "a field of the contact")),
        (EVENT, pgettext_lazy("triggers", "a value of the event that started the flow")),
    ]


def _feb_29_choices() -> list[tuple[str, Any]]:
    return [
        (FEB_28, pgettext_lazy("triggers", "on 28 February")),
        (MAR_1, pgettext_lazy("triggers", "on 1 March")),
    ]


def _without_choices() -> list[tuple[str, Any]]:
    return [
        (_LEAVE, pgettext_lazy("triggers", "leaves the flow")),
        (_GO_ON, pgettext_lazy("triggers", "goes on at once")),
    ]


def _weekday_choices() -> list[tuple[str, Any]]:
    return [
        ("mon", pgettext_lazy("triggers", "Monday")),
        ("tue", pgettext_lazy("triggers", "Tuesday")),
        ("wed", pgettext_lazy("triggers", "Wednesday")),
        ("thu", pgettext_lazy("triggers", "Thursday")),
        ("fri", pgettext_lazy("triggers", "Friday")),
        ("sat", pgettext_lazy("triggers", "Saturday")),
        ("sun", pgettext_lazy("triggers", "Sunday")),
    ]


def _event_choices() -> list[tuple[str, Any]]:
    return [(kind, one.label or kind) for kind, one in events.registry.items()]


@steps.register
@dataclass(frozen=True, kw_only=True)
class WaitUntilDate(Step):
    """Waits for a date: a fixed one, or one that a field of the contact or the event tells.

    In the contact's time zone. A date that has passed when someone comes goes on at once, unless
    it lies further back than the flow's `max_lateness`: then it is missed. With `yearly`, the
    next time that the day comes back is meant, which is never past. A field of the contact that
    changes meanwhile moves the end of the wait.
    """

    kind: ClassVar[str] = "wait_until_date"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Waits for a day known of the person.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "Wait until a date")
    icon: ClassVar[str] = "calendar-alt"
    holds_contact: ClassVar[bool] = True
    is_wait: ClassVar[bool] = True

    source: str = option(
        default=CONTACT, label=pgettext_lazy("triggers", "Which date"), choices=_source_choices
    )
    day: date | None = option(
        default=None,
        label=pgettext_lazy("triggers", "Date"),
        help_text=pgettext_lazy("triggers", "For a date of the calendar."),
    )
    field: str = option(
        default="",
        label=pgettext_lazy("triggers", "Field"),
        help_text=pgettext_lazy("triggers", "Name of the field or value that holds the date."),
    )
    days: int = option(
        default=0,
        label=pgettext_lazy("triggers", "Days after it"),
        help_text=pgettext_lazy("triggers", "Less than zero: so many days before it."),
    )
    at: time | None = option(
        default=time(9),
        label=pgettext_lazy("triggers", "Time of day"),
        help_text=pgettext_lazy(
            "triggers", "In the contact's time zone. Empty: the time that the value tells, if any."
        ),
    )
    yearly: bool = option(
        default=False,
        label=pgettext_lazy("triggers", "Every year"),
        help_text=pgettext_lazy("triggers", "Wait for the next time that the day comes back."),
    )
    feb_29: str = option(
        default=FEB_28,
        label=pgettext_lazy("triggers", "29 February, in other years"),
        choices=_feb_29_choices,
    )
    without_date: str = option(
        default=_LEAVE,
        label=pgettext_lazy("triggers", "Whoever has no such date"),
        choices=_without_choices,
    )

    def __post_init__(self) -> None:
        """Refuse a source without its date or field, and choices that are none."""
        known = {
            "source": (FIXED, CONTACT, EVENT),
            "feb_29": (FEB_28, MAR_1),
            "without_date": (_LEAVE, _GO_ON),
        }
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    pgettext("triggers", "%(option)s must be one of %(known)s")
                    % {"option": name, "known": ", ".join(choices)}
                )
        if self.source == FIXED and self.day is None:
            raise ValueError(pgettext("triggers", "needs a date"))
        if self.source != FIXED and not self.field:
            raise ValueError(pgettext("triggers", "needs the name of the field with the date"))
        if abs(self.days) > _MOST_DAYS:
            raise ValueError(
                pgettext("triggers", "days must be from -%(count)d to %(count)d")
                % {"count": _MOST_DAYS}
            )

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Go on once the date is here; a field is read anew each time."""
        still = still_writing(visits)
        values = self._values(visits)
        return [
            self._outcome(
                visit,
                values.get(visit.subject.contact_id)
                if self.source == CONTACT
                else visit.subject.payload.get(self.field),
                now,
                still=visit.subject.enrollment_id in still,
            )
            for visit in visits
        ]

    def _values(self, visits: Sequence[StepVisit]) -> dict[int, Any]:
        if self.source != CONTACT:
            return {}
        found = Contact.objects.filter(
            pk__in={visit.subject.contact_id for visit in visits}
        ).values_list("pk", "fields")
        return {pk: stored.get(self.field) for pk, stored in found}

    def _outcome(self, visit: StepVisit, value: Any, now: datetime, *, still: bool) -> Outcome:
        moment = self._moment(visit, value)
        if moment is None:
            compared = {"field": self.field, "date": "none"}
            if self.without_date == _LEAVE:
                return Exit(reason=ExitReason.CONDITION.value, compared=compared)
            return Advance(compared=compared)
        if moment + visit.max_lateness < max(_arrival(visit), visit.due_at):
            # Long past when they came, or when it was corrected: what follows is late.
            return Advance(due_at=moment, compared={"until": moment})
        outcome = _until(visit, moment, now, still=still)
        if isinstance(outcome, WaitUntil) and self.source == CONTACT and moment > now:
            return WaitUntil(moment=moment, event=fields.CHANGED)
        return outcome

    def _moment(self, visit: StepVisit, value: Any) -> datetime | None:
        zone = moments.zone_for(visit.subject)
        told = (
            (self.day, None)
            if self.source == FIXED and self.day is not None
            else moments.read_day(value, zone)
        )
        if told is None:
            return None
        day, own_time = told
        shown = self.at or own_time or time()
        offset = timedelta(days=self.days)
        try:
            if not self.yearly:
                return moments.on_wall(day + offset, shown, zone)
            # Who is asked again, because the date was corrected, waits for the next time from
            # then on: the day of this year may be long over by what the field says now.
            came = max(_arrival(visit), visit.due_at - visit.max_lateness)
            year = came.astimezone(zone).year - 2
            while True:
                there = moments.anniversary(day, year, self.feb_29) + offset
                moment = moments.on_wall(there, shown, zone)
                if moment >= came:
                    return moment
                year += 1
        except (OverflowError, ValueError):
            # The year 9999 and the like: no date that anybody waits for.
            return None


@steps.register
@dataclass(frozen=True, kw_only=True)
class WaitUntilTime(Step):
    """Waits until the clock of the contact shows a time of day, counted from the arrival."""

    kind: ClassVar[str] = "wait_until_time"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Waits for an hour of the person's day.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "Wait until a time of day")
    icon: ClassVar[str] = "time"
    is_wait: ClassVar[bool] = True

    at: time = option(
        label=pgettext_lazy("triggers", "Time of day"),
        help_text=pgettext_lazy("triggers", "In the contact's time zone."),
    )

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Go on at the first such time since the arrival."""
        still = still_writing(visits)
        return [
            _until(
                visit,
                moments.next_at(self.at, moments.zone_for(visit.subject), _arrival(visit)),
                now,
                still=visit.subject.enrollment_id in still,
            )
            for visit in visits
        ]


@steps.register
@dataclass(frozen=True, kw_only=True)
class WaitForWeekdays(Step):
    """Waits until it is one of these weekdays, between two times, where the contact lives."""

    kind: ClassVar[str] = "wait_for_weekdays"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Waits for a weekday that you choose.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "Wait for a weekday")
    icon: ClassVar[str] = "calendar"
    is_wait: ClassVar[bool] = True

    days: tuple[str, ...] = option(
        default=WEEKDAYS, label=pgettext_lazy("triggers", "Days"), choices=_weekday_choices
    )
    from_time: time = option(default=time(9), label=pgettext_lazy("triggers", "From"))
    until_time: time = option(
        default=time(20),
        label=pgettext_lazy("triggers", "Until"),
        help_text=pgettext_lazy(
            "triggers", "At or before the first time: it reaches over midnight, or all day."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse days that are none, and no day at all."""
        if not self.days or not set(self.days) <= set(WEEKDAYS):
            raise ValueError(
                pgettext("triggers", "'days' must be a list of %(known)s")
                % {"known": ", ".join(WEEKDAYS)}
            )

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Go on while the window is open."""
        still = still_writing(visits)
        rules = Rules(
            window=SendWindow(from_=self.from_time, until=self.until_time, days=self.days)
        )
        return [
            self._outcome(visit, rules, now, still=visit.subject.enrollment_id in still)
            for visit in visits
        ]

    def _outcome(self, visit: StepVisit, rules: Rules, now: datetime, *, still: bool) -> Outcome:
        zones = (moments.zone_for(visit.subject),)
        # A day is skipped at the date line now and then, but no weekday for a fortnight.
        opened = windows.next_open(_arrival(visit), zones, rules) or now
        if opened <= now and now - max(opened, visit.due_at) <= visit.max_lateness:
            # It may have closed again before somebody asked.
            opened = windows.next_open(now, zones, rules) or now
        return _until(visit, opened, now, still=still)


@steps.register
@dataclass(frozen=True, kw_only=True)
class WaitForEvent(Step):
    """Waits until something happens to this person or to the same thing, or time runs out."""

    kind: ClassVar[str] = "wait_for_event"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Waits until something has happened.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "Wait for an event")
    icon: ClassVar[str] = "view"
    holds_contact: ClassVar[bool] = True
    branches: ClassVar[tuple[str, ...]] = ("came", "timed_out")
    is_wait: ClassVar[bool] = True

    event: str = option(label=pgettext_lazy("triggers", "Event"), choices=_event_choices)
    timeout: timedelta = option(
        label=pgettext_lazy("triggers", "At most"),
        help_text=pgettext_lazy(
            "triggers", "Counted from the last message, or from what the shopper did since."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse an event that no installed app tells of."""
        events.registry.get(self.event)

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Look whether it came since the arrival; the event itself has this asked at once."""
        still = still_writing(visits)
        found = self._found([visit for visit in visits if visit.woken_by is None])
        return [
            self._outcome(visit, found, now, still=visit.subject.enrollment_id in still)
            for visit in visits
        ]

    def _outcome(
        self,
        visit: StepVisit,
        found: Mapping[int, tuple[datetime, Mapping[str, Any]]],
        now: datetime,
        *,
        still: bool,
    ) -> Outcome:
        end = _end(visit, self.timeout)
        woken = visit.woken_by
        came = (
            (woken.occurred_at, woken.payload)
            if woken is not None
            else found.get(visit.subject.enrollment_id)
        )
        if came is not None and came[0] <= end:
            moment, payload = came
            compared = {"event": self.event, "happened_at": moment, **payload}
            return Advance(branch="came", compared=compared, due_at=max(moment, visit.due_at))
        if end > now:
            return WaitUntil(moment=end, event=self.event)
        if still:
            return WaitUntil(moment=now + LOOK_AGAIN, event=self.event)
        compared = {"event": self.event, "waited_until": end}
        return Advance(branch="timed_out", compared=compared, due_at=max(end, visit.due_at))

    def _found(self, visits: Sequence[StepVisit]) -> dict[int, tuple[datetime, Mapping[str, Any]]]:
        """Find what the journal tells since each arrival: an event can be quicker than its waiter."""
        if not visits:
            return {}
        concerned = Q(contact_id__in={visit.subject.contact_id for visit in visits})
        by_type: dict[str, set[str]] = defaultdict(set)
        for visit in visits:
            if visit.subject.about.id:
                by_type[visit.subject.about.type].add(visit.subject.about.id)
        for about_type, ids in by_type.items():
            concerned |= Q(about_type=about_type, about_id__in=ids)
        entries = (
            JournalEntry.objects.filter(
                concerned, kind=self.event, occurred_at__gte=min(map(_arrival, visits))
            )
            .order_by("occurred_at", "pk")
            .values_list("pk", "contact_id", "about_type", "about_id", "occurred_at", "payload")
        )
        event = events.registry.get(self.event)
        personal = event.personal_fields
        # What brought someone into the flow is not what they wait for in it.
        own = dict(
            Enrollment.objects.filter(
                pk__in=[visit.subject.enrollment_id for visit in visits]
            ).values_list("pk", "journal_entry_id")
        )
        by_contact: dict[int | None, list[_Told]] = defaultdict(list)
        by_about: dict[tuple[str, str], list[_Told]] = defaultdict(list)
        things: dict[int, About] = {}
        for pk, contact_id, about_type, about_id, occurred_at, payload in entries:
            told = {name: value for name, value in payload.items() if name not in personal}
            by_contact[contact_id].append((pk, occurred_at, told))
            if about_id:
                by_about[about_type, about_id].append((pk, occurred_at, told))
                things[pk] = About(type=about_type, id=about_id)
        found = {}
        for visit in visits:
            about = visit.subject.about
            candidates = [
                one
                for one in (
                    *by_contact.get(visit.subject.contact_id, ()),
                    *by_about.get((about.type, about.id), ()),
                )
                if one[1] >= _arrival(visit)
                and one[0] != own.get(visit.subject.enrollment_id)
                and event.speaks_of(things.get(one[0]), about)
            ]
            if candidates:
                _pk, occurred_at, told = min(candidates, key=lambda one: (one[1], one[0]))
                found[visit.subject.enrollment_id] = (occurred_at, told)
        return found


@steps.register
@dataclass(frozen=True, kw_only=True)
class WaitForCondition(Step):
    """Waits until a question is answered with yes, or time runs out.

    It is asked at once when the person does anything, and every quarter of an hour for what no
    event tells of.
    """

    kind: ClassVar[str] = "wait_for_condition"
    description: ClassVar[Any] = pgettext_lazy("triggers", "Waits until something is true.")
    label: ClassVar[Any] = pgettext_lazy("triggers", "Wait until a condition holds")
    icon: ClassVar[str] = "help"
    holds_contact: ClassVar[bool] = True
    branches: ClassVar[tuple[str, ...]] = ("met", "timed_out")
    is_wait: ClassVar[bool] = True

    condition: dict[str, Any] = option(
        label=pgettext_lazy("triggers", "Question"), format="condition"
    )
    timeout: timedelta = option(
        label=pgettext_lazy("triggers", "At most"),
        help_text=pgettext_lazy(
            "triggers", "Counted from the last message, or from what the shopper did since."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse a question that no installed app can answer."""
        conditions.from_options(self.condition)

    def run_many(self, visits: Sequence[StepVisit], now: datetime) -> list[Outcome]:
        """Answer for all visits together."""
        still = still_writing(visits)
        question = conditions.from_options(self.condition)
        verdicts = question.holds_many([visit.subject for visit in visits], now)
        outcomes: list[Outcome] = []
        for visit, verdict in zip(visits, verdicts, strict=True):
            end = _end(visit, self.timeout)
            compared = {"condition": question.kind, **verdict.compared}
            if verdict.holds:
                outcomes.append(Advance(branch="met", compared=compared))
            elif end > now or visit.subject.enrollment_id in still:
                until = min(end, now + LOOK_AGAIN) if end > now else now + LOOK_AGAIN
                outcomes.append(WaitUntil(moment=until, event="*"))
            else:
                due_at = max(end, visit.due_at)
                outcomes.append(Advance(branch="timed_out", compared=compared, due_at=due_at))
        return outcomes


def _end(visit: StepVisit, timeout: timedelta) -> datetime:
    return max(_arrival(visit), visit.subject.clock_at) + timeout
