"""Allowances: how many messages may go in a second, over all workers (a token bucket each).

OSCAR_TRIGGERS["RATES"] names channels ("email": "20/s") and the domains of recipients
("domain:gmail.com": "5/s"). A channel's tokens are taken before anything is leased, so what does
not fit stays where it is, in its order. A domain is known only when the point is: what does not
fit books a later token, and comes back when that is due.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured

from ..conf import triggers_settings
from ..models import Allowance
from ..models.sql import insert_or_ignore

_UNITS = {"s": 1, "m": 60, "h": 3_600}
_DOMAIN = "domain:"
#: A bucket that was not used holds what one second gives, and one message at least.
_BURST_SECONDS = 1.0
#: Two workers may want the same bucket at once; who loses looks again.
_TRIES = 20


def rates() -> dict[str, float]:
    """Return {channel or "domain:…": messages a second}; raises ImproperlyConfigured."""
    return {name: _read(name, text) for name, text in triggers_settings().rates.items()}


def channel_rates() -> dict[str, float]:
    """Return the rates of channels, in messages a second."""
    return {name: rate for name, rate in rates().items() if not name.startswith(_DOMAIN)}


def has_domains() -> bool:
    """Say whether any domain has a rate of its own."""
    return any(name.startswith(_DOMAIN) for name in triggers_settings().rates)


def take(channel: str, wanted: int, now: datetime) -> int:
    """Take up to so many tokens of a channel; return how many there were."""
    rate = channel_rates()[channel]

    def spend(available: float) -> tuple[float, int]:
        granted = max(0, min(wanted, math.floor(available)))
        return available - granted, granted

    _now, granted = _change(f"channel:{channel}", rate, now, spend)
    return granted


def give_back(channel: str, count: int, now: datetime) -> None:
    """Return tokens that were taken for messages that did not go."""
    if count > 0:
        rate = channel_rates()[channel]
        _change(f"channel:{channel}", rate, now, lambda available: (available + count, count))


def return_all(counts: Mapping[str, int], now: datetime) -> None:
    """Return tokens {channel: how many} of messages that did not go; channels without a rate too."""
    rated = channel_rates() if counts else {}
    for channel, count in counts.items():
        if channel in rated:
            give_back(channel, count, now)


def wait(channels: Iterable[str], now: datetime) -> float:
    """Return in how many seconds the first of these channels has a token (0: at once)."""
    waits = []
    for channel in channels:
        rate = channel_rates()[channel]
        row = Allowance.objects.filter(name=f"channel:{channel}").first()
        available = _burst(rate) if row is None else _available(row, rate, now)
        waits.append(max(0.0, (1 - available) / rate))
    return min(waits, default=0.0)


def book(domain: str, now: datetime, *, at_once: bool = False) -> datetime | None:
    """Take a token of a recipient's domain; return when it is due, None when it may go now.

    With `at_once` it goes whatever the rate says, and those after it wait longer: a message that
    somebody waits for does not stand behind a heap of offers.
    """
    name = f"{_DOMAIN}{domain}"
    rate = rates().get(name)
    if rate is None:
        return None
    available, _one = _change(name, rate, now, lambda available: (available - 1, 1))
    if at_once or available >= 0:
        return None
    return now + timedelta(seconds=-available / rate)


def check_setting() -> None:
    """Read all rates; raises ImproperlyConfigured saying what to write instead."""
    rates()


def _change(name: str, rate: float, now: datetime, spend: object) -> tuple[float, int]:
    """Fill a bucket up to now and spend from it; return what is left and what was spent.

    The row changes only if it is as it was read: of two workers, one looks again.
    """
    assert callable(spend)
    burst = _burst(rate)
    insert_or_ignore(
        Allowance, [{"name": name, "tokens": burst, "refilled_at": now}], conflict="name"
    )
    for _try in range(_TRIES):
        row = Allowance.objects.get(name=name)
        left, spent = spend(_available(row, rate, now))
        left = min(left, burst)
        changed = Allowance.objects.filter(
            pk=row.pk, tokens=row.tokens, refilled_at=row.refilled_at
        ).update(tokens=left, refilled_at=max(now, row.refilled_at))
        if changed:
            return left, spent
    return -1.0, 0


def _available(row: Allowance, rate: float, now: datetime) -> float:
    passed = max(0.0, (now - row.refilled_at).total_seconds())
    return min(_burst(rate), row.tokens + passed * rate)


def _burst(rate: float) -> float:
    return max(1.0, rate * _BURST_SECONDS)


def _read(name: str, text: str) -> float:
    try:
        number, _slash, unit = str(text).partition("/")
        rate = float(number) / _UNITS[unit.strip()]
        if not 0 < rate < math.inf or not name or name == _DOMAIN:
            raise ValueError("out of range")
    except (KeyError, ValueError):
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS['RATES'] has {name!r}: {text!r}; write a number above zero a second, "
            "minute or hour, as in {'email': '20/s', 'domain:gmail.com': '300/m'}."
        ) from None
    return rate
