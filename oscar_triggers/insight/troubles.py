"""Troubles: what keeps letters from those who wait for them, in plain words, with what to do.

The doctor (health.py) speaks to developers, in English, and looks at everything; this speaks to
whoever runs the shop, in their language, in a fixed number of queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import npgettext, pgettext

from .. import channels
from ..conf import triggers_settings
from ..engine import blast, installation, watching
from ..models import (
    INSTALLATION_ID,
    Alarm,
    Breaker,
    BreakerState,
    Installation,
    Pulse,
)
from .findings import Level
from .standing import Health, Standing

#: Alarms that are said here in other words, by the beginning of their keys.
_SAID_HERE = ("foreign", "dead", "held:", blast.alarm_key(""), "breaker:")


class Place(StrEnum):
    """Where something can be done about a trouble."""

    NOWHERE = ""
    FLOW = "flow"
    #: Messages, in a state.
    DEAD = "dead"
    UNKNOWN = "unknown"
    #: People whom the engine cannot move on.
    HELD = "held"
    #: One-off letters.
    ONE_OFF = "one-off"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One thing that is wrong, and what to do about it."""

    level: Level
    text: str
    what_to_do: str
    place: Place = Place.NOWHERE
    #: The flow that it is about.
    flow_key: str = ""
    flow_id: int | None = None


def troubles(now: datetime, standings: Sequence[Standing], *, running: bool) -> list[Trouble]:
    """Return what is wrong, the worst first; four queries.

    `standings` is how the flows are; `running` says whether any is to send at all.
    """
    found = [
        *_installation(),
        *_clock(now, needed=running),
        *_providers(),
        *(trouble for one in standings for trouble in _flow(one)),
        *_doubts(standings),
        *_alarms(),
    ]
    return sorted(found, key=lambda one: one.level != Level.PROBLEM)


def _clock_time(moment: datetime) -> str:
    # A sentence ends here: "10:04 p.m." brings a full stop of its own.
    return date_format(localtime(moment), "DATETIME_FORMAT").removesuffix(".")


def _installation() -> Iterator[Trouble]:
    row = Installation.objects.filter(pk=INSTALLATION_ID).first()
    if row is not None and installation.identity_of(row) != installation.configured():
        yield Trouble(
            level=Level.PROBLEM,
            text=pgettext(
                "triggers", "Nothing is sent: this database belongs to another installation."
            ),
            what_to_do=pgettext(
                "triggers",
                "A copy for tests stays as it is. If it is meant, have your developer run "
                "“manage.py triggers_adopt”.",
            ),
        )
    if row is not None and row.stopped_at is not None:
        said = pgettext("triggers", "All sending is stopped since %(moment)s.") % {
            "moment": _clock_time(row.stopped_at)
        }
        yield Trouble(
            level=Level.PROBLEM,
            text=f"{said} {row.stop_reason}".strip(),
            what_to_do=pgettext(
                "triggers",
                "Let it go on when the reason is gone; messages that became too late are not sent.",
            ),
        )
    if not triggers_settings().sending:
        yield Trouble(
            level=Level.PROBLEM,
            text=pgettext("triggers", "Nothing is sent: sending is switched off in the settings."),
            what_to_do=pgettext(
                "triggers", 'Have your developer set OSCAR_TRIGGERS["SENDING"] to True.'
            ),
        )


def _clock(now: datetime, *, needed: bool) -> Iterator[Trouble]:
    if not needed:
        return
    ran_at = Pulse.objects.filter(name="tick").values_list("ran_at", flat=True).first()
    patience = max(timedelta(minutes=1), triggers_settings().tick_every * 12)
    if ran_at is not None and now - ran_at <= patience:
        return
    yield Trouble(
        level=Level.PROBLEM,
        text=pgettext("triggers", "The engine stands still since %(moment)s.")
        % {"moment": _clock_time(ran_at)}
        if ran_at is not None
        else pgettext("triggers", "The engine has never run."),
        what_to_do=pgettext(
            "triggers",
            "Have your developer start a Celery worker and one beat, or “manage.py triggers_run”. "
            "Nothing is lost meanwhile.",
        ),
    )


def _providers() -> Iterator[Trouble]:
    for breaker in Breaker.objects.exclude(state=BreakerState.CLOSED).order_by("name"):
        label = breaker.name
        if breaker.name in channels.registry:
            label = str(channels.registry.get(breaker.name).label or breaker.name)
        said = pgettext("triggers", "The provider for %(channel)s does not work.") % {
            "channel": label
        }
        yield Trouble(
            level=Level.PROBLEM,
            text=f"{said} {breaker.detail}".strip(),
            what_to_do=pgettext(
                "triggers", "Messages wait, and it is tried again by itself. See what it says."
            ),
        )


def _flow(one: Standing) -> Iterator[Trouble]:
    said = {"flow": one.name}
    if one.health == Health.BLASTED:
        yield Trouble(
            level=Level.PROBLEM,
            text=pgettext(
                "triggers",
                "“%(flow)s” wanted to send far more than expected in its first hour, and is paused.",
            )
            % said,
            what_to_do=pgettext("triggers", "See who waits in it. If all is well, resume it."),
            place=Place.FLOW,
            flow_key=one.key,
            flow_id=one.flow_id,
        )
    elif one.health == Health.BROKEN:
        yield Trouble(
            level=Level.PROBLEM,
            text=pgettext("triggers", "“%(flow)s” cannot run as it was published.") % said,
            what_to_do=pgettext(
                "triggers", "Put back the letter or step that is gone, or publish it again."
            ),
            place=Place.FLOW,
            flow_key=one.key,
            flow_id=one.flow_id,
        )
    if one.held:
        text = npgettext(
            "triggers",
            "%(count)s person is held in “%(flow)s”: the engine cannot go on.",
            "%(count)s people are held in “%(flow)s”: the engine cannot go on.",
            one.held,
        )
        yield Trouble(
            level=Level.PROBLEM,
            text=text % {"count": one.held, **said},
            what_to_do=pgettext(
                "triggers", "See why, put it right, and publish the flow again: they go on then."
            ),
            place=Place.HELD,
            flow_key=one.key,
            flow_id=one.flow_id,
        )


def _doubts(standings: Sequence[Standing]) -> Iterator[Trouble]:
    dead, unknown = sum(one.dead for one in standings), sum(one.unknown for one in standings)
    if dead:
        text = npgettext(
            "triggers",
            "%(count)s message failed in the last week.",
            "%(count)s messages failed in the last week.",
            dead,
        )
        yield Trouble(
            level=Level.WARNING,
            text=text % {"count": dead},
            what_to_do=pgettext(
                "triggers", "Each says why; those that are not too late can be tried again."
            ),
            place=Place.DEAD,
        )
    if unknown:
        text = npgettext(
            "triggers",
            "Of %(count)s message nobody can tell whether it arrived. It is not sent twice.",
            "Of %(count)s messages nobody can tell whether they arrived. They are not sent twice.",
            unknown,
        )
        yield Trouble(
            level=Level.WARNING,
            text=text % {"count": unknown},
            what_to_do=pgettext(
                "triggers",
                "Ask the provider, then decide about each: it arrived, or send it again.",
            ),
            place=Place.UNKNOWN,
        )


def _alarms() -> Iterator[Trouble]:
    said_here = Q()
    for beginning in _SAID_HERE:
        said_here |= Q(key__startswith=beginning)
    for alarm in Alarm.objects.filter(cleared_at=None).exclude(said_here).order_by("-raised_at"):
        is_letter = alarm.key.startswith(watching.MISSED_LETTER)
        yield Trouble(
            level=Level.PROBLEM,
            text=alarm.text,
            what_to_do=alarm.advice,
            place=Place.ONE_OFF if is_letter else Place.NOWHERE,
        )
