"""Preparing a leased batch: late? allowed? still wanted? what does it say? Nothing is sent here."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from ..exceptions import TriggersError
from ..models import (
    Contact,
    ContactPoint,
    Dispatch,
    DispatchState,
    Enrollment,
    ExitReason,
    Flow,
    FlowVersion,
    Message,
    MessageItem,
    light,
    trips,
)
from ..models.given import Given, GivenUpdate
from ..models.prepared import DATA, NUMBER
from ..models.questions import Among, Question
from ..models.sql import database_for
from ..policy import guards, verdicts
from ..snapshots import Subject
from . import allowances, asking, enrollments, faults, hand_over, letters, plans, settling
from .decisions import Note, note_again
from .planning import TRANSACTIONAL_LANE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Party:
    enrollment: Enrollment
    subject: Subject


@dataclass(frozen=True, kw_only=True)
class _Case:
    row: Dispatch
    #: Whom the message speaks for: several when it is a bundle; the first gives it its values.
    parties: tuple[_Party, ...]
    point: ContactPoint | None

    @cached_property
    def request(self) -> verdicts.SendRequest:
        """Return what the referee is asked."""
        return asking.request_of(
            self.row,
            self.subject,
            plans.plan_of(self.enrollment.version).definition,
            point_hash=self.point.point_hash if self.point else "",
        )

    @property
    def enrollment(self) -> Enrollment:
        return self.parties[0].enrollment

    @property
    def subject(self) -> Subject:
        return self.parties[0].subject


def prepare(rows: Sequence[Dispatch], now: datetime) -> list[hand_over.Ready]:
    """Return what may be handed over; everything else is settled or put off, with its reason."""
    items = _items(rows)
    waiting = [row for row in rows if not _is_over(row, items, now) and not _is_late(row, now)]
    cases = _still_wanted(_cases(waiting, items), now)
    allowed = _judge(cases, now)
    return _compose(_with_tokens(allowed, now), now)


def _with_tokens(
    allowed: Sequence[tuple[_Case, verdicts.Allowed]], now: datetime
) -> list[tuple[_Case, verdicts.Allowed]]:
    """Put off what the rate of its recipient's domain has no token for yet."""
    if not allowances.has_domains():
        return list(allowed)
    going = []
    for case, verdict in allowed:
        assert case.point is not None
        domain = case.point.normalised.rpartition("@")[2]
        due_at = None
        if case.row.reason != settling.BOOKED:
            is_urgent = case.row.lane == TRANSACTIONAL_LANE
            due_at = allowances.book(domain, now, at_once=is_urgent)
        if due_at is None:
            going.append((case, verdict))
        else:
            settling.wait_for_token(case.row.pk, due_at)
    return going


def _items(rows: Sequence[Dispatch]) -> Mapping[int, list[int]]:
    """Return for whom messages speak: the ids of enrollments, in the order in which they came."""
    found: dict[int, list[int]] = defaultdict(list)
    for message_id, enrollment_id in _ITEMS.ask({"messages": [row.message_id for row in rows]}):
        found[message_id].append(enrollment_id)
    return found


_ITEMS = Question(
    lambda: MessageItem,
    lambda rows: (
        rows.filter(Among("message_id", "messages"))
        .order_by("pk")
        .values_list("message_id", "enrollment_id")
    ),
)


def _is_over(row: Dispatch, items: Mapping[int, list[int]], now: datetime) -> bool:
    """Cancel what nobody is owed any more: its way ended while an earlier try was under way."""
    reason = row.message.reason
    if not reason and items.get(row.message_id):
        return False
    settling.settle(
        settling.parties_of(row), DispatchState.CANCELLED, now, reason=reason or "no_enrollment"
    )
    return True


def _is_late(row: Dispatch, now: datetime) -> bool:
    message = row.message
    if now <= message.not_after:
        return False
    settling.settle_with_note(
        row,
        DispatchState.EXPIRED,
        now,
        rule="lateness",
        reason="too_late",
        compared={"due_at": message.due_at, "not_after": message.not_after, "now": now},
    )
    return True


def _cases(rows: Sequence[Dispatch], items: Mapping[int, list[int]]) -> list[_Case]:
    loaded = _enrollments([pk for row in rows for pk in items[row.message_id]], rows)
    subjects = enrollments.snapshots_of(list(loaded.values()))
    points = points_of(rows)
    return [
        _Case(
            row=row,
            parties=tuple(
                _Party(enrollment=loaded[pk], subject=subjects[pk]) for pk in items[row.message_id]
            ),
            point=points.get((row.message.contact_id, row.channel)),
        )
        for row in rows
    ]


_OF_ENROLLMENT = (
    *("flow_id", "version_id", "contact_id", "episode_key", "about_type", "about_id", "payload"),
    *("watermarks", "site_id", "is_shadow", "state", "step_key", "entered_at", "clock_at", "lane"),
)
_ENROLLMENTS = light.Reader(
    Enrollment, _OF_ENROLLMENT, lambda rows: rows.filter(Among("id", "ids"))
)
_POINTS = light.Reader(
    ContactPoint,
    ("contact_id", "channel", "normalised", "point_hash", "verified_at"),
    lambda rows: rows.filter(Among("contact_id", "contacts")).order_by("created_at", "pk"),
)


def _enrollments(ids: Sequence[int], rows: Sequence[Dispatch]) -> dict[int, Enrollment]:
    """Load enrollments; their contacts, flows and versions are few, and each is read once."""
    found = _ENROLLMENTS.read({"ids": ids})
    contacts = {row.message.contact_id: row.message.contact for row in rows}
    missing = {one.contact_id for one in found} - set(contacts)
    others = Contact.objects.in_bulk(missing) if missing else {}
    flows = {row.message.flow_id: row.message.flow for row in rows}
    strange = {one.flow_id for one in found} - set(flows)
    more = Flow.objects.in_bulk(strange) if strange else {}
    live = [flow.live_version for flow in flows.values() if flow and flow.live_version]
    versions = {version.pk: version for version in live}
    old = {one.version_id for one in found} - set(versions)
    versions |= FlowVersion.objects.in_bulk(old) if old else {}
    for one in found:
        one.contact = contacts.get(one.contact_id) or others[one.contact_id]
        one.flow = flows.get(one.flow_id) or more[one.flow_id]
        one.version = versions[one.version_id]
    return {one.pk: one for one in found}


def points_of(rows: Sequence[Dispatch]) -> dict[tuple[int | None, str], ContactPoint]:
    """Choose each contact's point on each channel: a verified one first, then the newest."""
    chosen: dict[tuple[int | None, str], ContactPoint] = {}
    contacts = {row.message.contact_id for row in rows} - {None}
    for point in _POINTS.read({"contacts": contacts}):
        key = (point.contact_id, point.channel)
        present = chosen.get(key)
        if present is None or point.verified_at or not present.verified_at:
            chosen[key] = point
    return chosen


def _still_wanted(cases: Sequence[_Case], now: datetime) -> list[_Case]:
    failed: dict[int, tuple[str, Mapping[str, Any]]] = {}
    broken: dict[int, Exception] = {}
    by_version: dict[int, list[_Party]] = defaultdict(list)
    for case in cases:
        for party in case.parties:
            by_version[party.enrollment.version_id].append(party)
    for group in by_version.values():
        version = group[0].enrollment.version
        try:
            plan = plans.plan_of(version)
            failed.update(
                enrollments.failed_stay_conditions(plan, [one.subject for one in group], now)
            )
        except Exception as error:  # noqa: BLE001 - one flow's condition must not stop the others
            logger.error("Version %s cannot be asked: %s", version.pk, faults.told(error))
            broken[version.pk] = error
    wanted = []
    for case in cases:
        faulty = [p for p in case.parties if p.enrollment.version_id in broken]
        if faulty:
            fault = broken[faulty[0].enrollment.version_id]
            settling.failed(case.row, fault, now, rule="stay", reason="broken_condition")
            continue
        leaving = [p.enrollment.pk for p in case.parties if p.enrollment.pk in failed]
        if not leaving:
            wanted.append(case)
            continue
        if len(leaving) < len(case.parties):
            # The others' message is prepared anew, without those who leave.
            for pk in leaving:
                rule, compared = failed[pk]
                enrollments.exit_many([pk], ExitReason.CONDITION, now, rule=rule, compared=compared)
            continue
        rule, compared = failed[leaving[0]]
        settling.settle_with_note(
            case.row, DispatchState.SKIPPED, now, rule=rule, reason="condition", compared=compared
        )
        enrollments.exit_many(leaving, ExitReason.CONDITION, now, rule=rule)
    return wanted


def _judge(cases: Sequence[_Case], now: datetime) -> list[tuple[_Case, verdicts.Allowed]]:
    requests = [case.request for case in cases]
    allowed = []
    for case, verdict in zip(cases, verdicts.judge_many(requests, now), strict=True):
        if isinstance(verdict, verdicts.Allowed):
            allowed.append((case, verdict))
        elif isinstance(verdict, verdicts.Postpone):
            settling.put_off(case.row, verdict, now, rule=verdict.rule)
        else:
            settling.refuse(case.row, case.enrollment.pk, verdict, now)
    return allowed


def _compose(
    allowed: Sequence[tuple[_Case, verdicts.Allowed]], now: datetime
) -> list[hand_over.Ready]:
    desk = letters.Desk(now)
    jobs = []
    for case, _verdict in allowed:
        contact, point = case.row.message.contact, case.point
        assert contact is not None
        assert point is not None
        jobs.append(
            letters.Job(
                dispatch=case.row,
                message=case.row.message,
                contact=contact,
                subject=case.subject,
                others=tuple(one.subject for one in case.parties[1:]),
                to=point.normalised,
            )
        )
    ready = []
    for (case, verdict), composed in zip(allowed, _compose_each(desk, jobs), strict=True):
        if isinstance(composed, Exception):
            _cannot_compose(case.row, composed, now)
        elif isinstance(composed, letters.NothingToSay):
            _nothing_to_say(case, composed, now)
        else:
            assert case.point is not None
            ready.append(
                hand_over.Ready(
                    row=case.row,
                    enrollment_id=composed.subject.enrollment_id,
                    subject=composed.subject,
                    point_id=case.point.pk,
                    point_hash=case.point.point_hash,
                    composed=composed,
                    allowed=verdict,
                    request=case.request,
                    asked_at=now,
                    others=tuple(
                        hand_over.Member(subject=subject, observed=observed)
                        for subject, observed in composed.others
                    ),
                )
            )
    _write_payloads(ready)
    _note_withheld(ready, now)
    return ready


def _note_withheld(ready: Sequence[hand_over.Ready], now: datetime) -> None:
    """Write down why letters go without what they were meant to promise."""
    for one in ready:
        withheld = one.composed.withheld
        if withheld is not None:
            note_again(
                Note(
                    rule=withheld.rule,
                    verdict="without",
                    reason=withheld.reason,
                    compared=withheld.compared,
                    message_id=one.row.message_id,
                    flow_id=one.row.message.flow_id,
                ),
                now,
            )


def _compose_each(
    desk: letters.Desk, jobs: Sequence[letters.Job]
) -> Sequence[letters.Composed | letters.NothingToSay | Exception]:
    """Compose together; when that fails, one by one, so that one bad letter spares the others."""
    try:
        return desk.compose_many(jobs)
    except Exception as error:  # noqa: BLE001 - one bad letter must not stop the others
        said = faults.told(error)
        logger.error("Composing %d letters failed; trying each: %s", len(jobs), said)
    results: list[letters.Composed | letters.NothingToSay | Exception] = []
    for job in jobs:
        try:
            results += desk.compose_many([job])
        except Exception as error:  # noqa: BLE001 - as above
            said = faults.told(error)
            logger.error("Message %s cannot be composed: %s", job.message.pk, said)
            results.append(error)
    return results


def _nothing_to_say(case: _Case, composed: letters.NothingToSay, now: datetime) -> None:
    """Skip, for the deeper reason where a guard knows one: an order took the last piece."""
    for guard in guards.guards_for(case.subject):
        refused = guard.explain(case.subject, {}, now)
        if refused is not None and refused.consequence is not guards.Consequence.STALE:
            settling.hold_back(case.row, case.enrollment.pk, guard.name, refused, now)
            return
    settling.settle_with_note(
        case.row,
        DispatchState.SKIPPED,
        now,
        rule=composed.rule,
        reason=composed.reason,
        compared={"about": str(case.subject.about), **composed.compared},
    )


def _cannot_compose(row: Dispatch, error: Exception, now: datetime) -> None:
    if not isinstance(error, TriggersError):
        settling.failed(row, error, now, rule="content", reason="cannot_compose")
        return
    # The same text with the same values fails again.
    settling.settle_with_note(
        row,
        DispatchState.DEAD,
        now,
        rule="content",
        reason="cannot_compose",
        compared={"error": type(error).__name__},
    )


def _write_payloads(ready: Sequence[hand_over.Ready]) -> None:
    """Keep what will be said before it is said."""
    alias = database_for(Message)
    with trips.trip(alias) as trip:
        _payload_statement(alias).run(
            trip,
            [
                {
                    "id": one.row.message_id,
                    "version": one.composed.template_version_id,
                    "payload": dict(one.composed.payload),
                }
                for one in ready
            ],
            {},
        )


@cache
def _payload_statement(alias: str) -> GivenUpdate:
    return GivenUpdate(
        Message.objects.using(alias).filter(pk=Given("id", NUMBER)),
        {"template_version": Given("version", NUMBER), "payload": Given("payload", DATA)},
        {"id": NUMBER, "version": NUMBER, "payload": DATA},
    )
