"""Alarms: telling staff what they must know, by every way that OSCAR_TRIGGERS["ALARMS"] names."""

from __future__ import annotations

from datetime import datetime


def raise_alarm(key: str, text: str, now: datetime, *, advice: str = "") -> None:
    """Tell staff; the same alarm again is counted, and told again only after a while."""


def clear(key: str, now: datetime) -> None:
    """Note that what an alarm told of is over."""
