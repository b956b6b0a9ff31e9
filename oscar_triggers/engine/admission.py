"""Admission: the rules by which a flow lets someone in, whichever way they come."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce

from .. import conditions
from ..conf import TRANSACTIONAL
from ..definitions import FlowDefinition
from ..exceptions import TriggersError
from ..limits import EVERY_EPISODE, NEVER, ONCE_A_YEAR, Reentry
from ..models import Enrollment, Flow, FlowState
from ..models.sql import database_for
from ..policy import staff, zones
from ..snapshots import Subject, Verdict
from . import contacts

logger = logging.getLogger(__name__)

#: Of two greetings in two years, the second is no greeting when it comes sooner than this: a
#: birthday that was changed from December to January.
LEAST_OF_A_YEAR = timedelta(days=300)

#: Why somebody is not let in who works for the shop, or tests it.
STAFF = "staff"


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """Someone about to enter a flow, on an event or out of another flow."""

    flow: Flow
    definition: FlowDefinition
    subject: Subject
    episode_key: str
    #: When what brings them happened (UTC): the year of "once a year" is this moment's.
    began_at: datetime


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why someone was not let in, with what was compared."""

    reason: str
    compared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    episode_key: str
    began_at: datetime


def refusals(candidates: Sequence[Candidate], now: datetime) -> dict[int, Refusal]:
    """Return {index of a candidate: why not} of those who may not enter; the others may.

    Asks the conditions to enter and the rule of coming again. Runs in the caller's transaction,
    which must enroll the others before it ends: until then nobody else admits the same people.
    """
    by_flow: dict[int, list[int]] = defaultdict(list)
    for index, candidate in enumerate(candidates):
        by_flow[candidate.flow.pk].append(index)
    refused = _staff(candidates)
    for indexes in by_flow.values():
        open_ = [index for index in indexes if index not in refused]
        if open_:
            refused.update(_unmet_conditions(candidates, open_, now))
    left = [index for index in range(len(candidates)) if index not in refused]
    refused.update(_come_again_too_soon(candidates, left, now))
    return refused


def _staff(candidates: Sequence[Candidate]) -> dict[int, Refusal]:
    """Refuse staff and tests what advertises; what people are owed, staff who buy are owed too."""
    asked = {
        index: one.subject.contact_id
        for index, one in enumerate(candidates)
        if one.definition.stream != TRANSACTIONAL
    }
    ours = staff.among(set(asked.values()))
    return {index: Refusal(reason=STAFF) for index, pk in asked.items() if pk in ours}


def _unmet_conditions(
    candidates: Sequence[Candidate], indexes: Sequence[int], now: datetime
) -> dict[int, Refusal]:
    refused: dict[int, Refusal] = {}
    first = candidates[indexes[0]]
    for data in first.definition.entry:
        left = [index for index in indexes if index not in refused]
        if not left:
            break
        try:
            condition, verdicts = _ask(data, [candidates[index].subject for index in left], now)
        except Exception as error:  # noqa: BLE001 - one flow's condition must not stop the others
            said = str(error) if isinstance(error, TriggersError) else type(error).__name__
            logger.error("A condition of the flow %s fails: %s", first.flow.key, said)
            compared = {"condition": data.get("kind"), "error": said}
            broken = Refusal(reason="broken_condition", compared=compared)
            refused.update(dict.fromkeys(left, broken))
            break
        for index, verdict in zip(left, verdicts, strict=True):
            if not verdict.holds:
                refused[index] = Refusal(reason=condition.kind, compared=dict(verdict.compared))
    return refused


def _ask(
    data: Any, subjects: Sequence[Subject], now: datetime
) -> tuple[conditions.Condition, list[Verdict]]:
    condition = conditions.from_options(data)
    # A savepoint: what fails in the database must not spoil the transaction of the others.
    with transaction.atomic(using=database_for(Enrollment)):
        return condition, condition.holds_many(subjects, now)


def _come_again_too_soon(
    candidates: Sequence[Candidate], indexes: Sequence[int], now: datetime
) -> dict[int, Refusal]:
    ruled = [i for i in indexes if candidates[i].definition.reentry != EVERY_EPISODE]
    if not ruled:
        return {}
    contacts.hold({candidates[index].subject.contact_id for index in ruled})
    past = _past_entries([candidates[index] for index in ruled])
    refused: dict[int, Refusal] = {}
    for index in sorted(ruled, key=lambda i: candidates[i].began_at):
        candidate = candidates[index]
        entries = past[candidate.flow.pk, candidate.subject.contact_id]
        if any(entry.episode_key == candidate.episode_key for entry in entries):
            # Told again of what brought them in; the unique key says so.
            continue
        refusal = _judge(candidate, entries, now)
        if refusal is not None:
            refused[index] = refusal
        else:
            entries.append(_Entry(episode_key=candidate.episode_key, began_at=candidate.began_at))
    return refused


def _past_entries(candidates: Sequence[Candidate]) -> dict[tuple[int, int], list[_Entry]]:
    past: dict[tuple[int, int], list[_Entry]] = defaultdict(list)
    rehearsing = {c.flow.pk for c in candidates if c.flow.state == FlowState.SHADOW}
    for flow_id, contact_id, episode_key, began_at, is_shadow in (
        Enrollment.objects.filter(
            flow_id__in={candidate.flow.pk for candidate in candidates},
            contact_id__in={candidate.subject.contact_id for candidate in candidates},
        )
        .annotate(began_at=Coalesce("journal_entry__occurred_at", "entered_at"))
        .values_list("flow_id", "contact_id", "episode_key", "began_at", "is_shadow")
    ):
        # Who only rehearsed was never written to.
        if is_shadow and flow_id not in rehearsing:
            continue
        past[flow_id, contact_id].append(_Entry(episode_key=episode_key, began_at=began_at))
    return past


def _judge(candidate: Candidate, entries: Sequence[_Entry], now: datetime) -> Refusal | None:
    """Compare with the entry that lies nearest: the journal may tell of old acts late."""
    if not entries:
        return None
    began_at = candidate.began_at
    nearest = min(entries, key=lambda entry: abs(entry.began_at - began_at))
    apart = abs(began_at - nearest.began_at)
    rule = Reentry.read(candidate.definition.reentry)
    compared: dict[str, Any] = {
        "rule": candidate.definition.reentry,
        "happened_at": began_at,
        "entered_before_at": nearest.began_at,
    }
    if rule.rule == NEVER:
        return Refusal(reason="reentry", compared=compared)
    if rule.rule == ONCE_A_YEAR:
        subject = candidate.subject
        zone = zones.zone_of(subject.time_zone, subject.phones, subject.site_id)
        year = began_at.astimezone(zone).year
        years = {entry.began_at.astimezone(zone).year for entry in entries}
        if year in years or apart < LEAST_OF_A_YEAR:
            return Refusal(
                reason="reentry",
                compared={**compared, "year": year, "years_before": sorted(years)},
            )
        return None
    if rule.after is not None and apart < rule.after:
        return Refusal(reason="reentry", compared=compared)
    return None
