"""Circuit breakers: a provider that is down is left alone, and no message pays for it.

After OSCAR_TRIGGERS["BREAKER_FAILURES"] failures in a row that were the provider's, nothing of
its channel is leased. After a pause one worker tries one message; an answer closes the breaker,
silence doubles the pause, from the first to the second of OSCAR_TRIGGERS["BREAKER_PAUSES"].
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Q
from django.utils.translation import pgettext

from ..channels import Outcome, Receipt
from ..conf import triggers_settings
from ..models import Breaker, BreakerState
from ..models.questions import Question
from ..models.sql import insert_or_ignore
from . import alarms, retries

#: A pause is shortened by up to so much, so that several channels do not wake up together.
_JITTER = 0.2


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Which channels may be used at a moment."""

    #: Nothing of these is leased.
    closed: frozenset[str] = frozenset()
    #: Of these, this worker tries one message first.
    probing: frozenset[str] = frozenset()
    #: Of these something went wrong lately: an answer is news.
    troubled: frozenset[str] = frozenset()


def look(now: datetime) -> Gate:
    """Return what may be leased now; takes the turn to probe where a pause is over."""
    closed: set[str] = set()
    probing: set[str] = set()
    troubled: set[str] = set()
    if not _TROUBLE.ask():
        return Gate()
    for row in Breaker.objects.exclude(state=BreakerState.CLOSED, failures=0):
        troubled.add(row.name)
        if row.state == BreakerState.CLOSED:
            continue
        # A worker that probed and died left its turn to others after the lease's length.
        is_mine = (
            row.retry_at is not None
            and row.retry_at <= now
            and Breaker.objects.filter(pk=row.pk, state=row.state, retry_at=row.retry_at).update(
                state=BreakerState.PROBING, retry_at=now + triggers_settings().lease_for
            )
        )
        (probing if is_mine else closed).add(row.name)
    return Gate(closed=frozenset(closed), probing=frozenset(probing), troubled=frozenset(troubled))


_TROUBLE = Question(
    lambda: Breaker,
    lambda rows: rows.exclude(state=BreakerState.CLOSED, failures=0).values_list("pk"),
)


def is_the_providers_fault(receipt: Receipt) -> bool:
    """Say whether a receipt counts against the provider."""
    return receipt.provider_is_down


def is_an_answer(receipt: Receipt) -> bool:
    """Say whether a receipt shows that the provider works."""
    return not receipt.provider_is_down and receipt.outcome in (
        Outcome.SENT,
        Outcome.REFUSED,
        Outcome.FAILED,
    )


def failed(channel: str, receipt: Receipt, now: datetime) -> bool:
    """Count a failure of a channel's provider; say whether it is left alone from now on."""
    insert_or_ignore(Breaker, [{"name": channel}], conflict="name")
    Breaker.objects.filter(name=channel).update(
        failures=F("failures") + 1, detail=receipt.detail[:500]
    )
    row = Breaker.objects.get(name=channel)
    asked_to_wait = timedelta(seconds=receipt.retry_after_seconds)
    if row.state == BreakerState.OPEN:
        return True
    if (
        row.state == BreakerState.CLOSED
        and row.failures < triggers_settings().breaker_failures
        and not asked_to_wait
    ):
        return False
    until = now + max(_pause(channel, row.openings), asked_to_wait)
    opened = Breaker.objects.filter(pk=row.pk, state=row.state, openings=row.openings).update(
        state=BreakerState.OPEN,
        openings=F("openings") + 1,
        opened_at=row.opened_at or now,
        retry_at=until,
    )
    if opened:
        _tell(channel, receipt, now)
    return True


def succeeded(channel: str, now: datetime) -> None:
    """Use a channel again: its provider answered."""
    changed = (
        Breaker.objects.filter(name=channel)
        .exclude(Q(state=BreakerState.CLOSED) & Q(failures=0))
        .update(
            state=BreakerState.CLOSED,
            failures=0,
            openings=0,
            opened_at=None,
            retry_at=None,
            detail="",
        )
    )
    if changed:
        alarms.clear(alarm_key(channel), now)


def release(channels: frozenset[str], now: datetime) -> None:
    """Give up the turn to probe: there was nothing to try it with."""
    if channels:
        Breaker.objects.filter(name__in=channels, state=BreakerState.PROBING).update(
            state=BreakerState.OPEN, retry_at=now
        )


def alarm_key(channel: str) -> str:
    """Return the key of the alarm about a channel's provider."""
    return f"breaker:{channel}"


def check_setting() -> None:
    """Read BREAKER_PAUSES; raises ImproperlyConfigured saying what to write instead."""
    _pauses()


def _pauses() -> tuple[timedelta, timedelta]:
    told = triggers_settings().breaker_pauses
    try:
        first, longest = told
        if not timedelta(0) < first <= longest:
            raise ValueError("order")
    except (TypeError, ValueError):
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['BREAKER_PAUSES'] is {told!r}; write the first and the longest pause, "
            "as in (timedelta(seconds=30), timedelta(minutes=10))."
        ) from None
    return first, longest


def _pause(channel: str, openings: int) -> timedelta:
    first, longest = _pauses()
    length = min(first * 2 ** min(openings, 20), longest)
    jittered: timedelta = length * (1 - _JITTER * retries.unit(f"{channel}:{openings}"))
    return jittered


def _tell(channel: str, receipt: Receipt, now: datetime) -> None:
    alarms.raise_alarm(
        alarm_key(channel),
        pgettext("triggers", "Nothing is sent through “%(channel)s”: its provider does not answer.")
        % {"channel": channel},
        now,
        advice=pgettext(
            "triggers",
            "It said: %(detail)s Messages wait and lose no try; the engine looks by itself "
            "whether the provider is back.",
        )
        % {"detail": receipt.detail[:200]},
    )
