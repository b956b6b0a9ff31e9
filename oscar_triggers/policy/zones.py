"""Whose clock counts: the time zones in which a person may be reading."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from django.conf import settings as django_settings

from ..conf import triggers_settings


def zones_of(time_zone: str, phones: Sequence[str], site_id: int | None) -> tuple[ZoneInfo, ...]:
    """Return the zones that must all allow a message to this person; at least one.

    The person's own zone (an IANA name); else every zone that the numbers (E.164) may be in,
    for a prefix is the best that a sender can know (47 CFR 64.1200(c)(1) asks for the called
    party's location); else the shop's: SITES[site]["time_zone"], then Django's TIME_ZONE.
    Names that no zone has are passed over.
    """
    own = _known([time_zone])
    if own:
        return own
    by_phone = dict.fromkeys(name for phone in phones for name in _names_by_prefix(phone))
    found = _known(list(by_phone))
    if found:
        return found
    site = triggers_settings().sites.get(site_id, {}) if site_id is not None else {}
    shop = _known([str(site.get("time_zone", ""))]) or _known([django_settings.TIME_ZONE])
    return shop or (ZoneInfo("UTC"),)


def zone_of(time_zone: str, phones: Sequence[str], site_id: int | None) -> ZoneInfo:
    """Return the one zone for what needs a single clock, as a person's day."""
    return zones_of(time_zone, phones, site_id)[0]


def is_known(name: str) -> bool:
    """Say whether a name is that of a time zone."""
    return _zone(name) is not None


def _known(names: Sequence[str]) -> tuple[ZoneInfo, ...]:
    return tuple(zone for name in names if (zone := _zone(name)) is not None)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        # ZoneInfo raises each of them for some name that is none: "", "../etc", "Europe".
        return None


def _names_by_prefix(phone: str) -> tuple[str, ...]:
    # Its tables are large, and most shops never send by phone.
    from phonenumbers import timezone

    try:
        number = phonenumbers.parse(phone, triggers_settings().phone_region.upper() or None)
    except phonenumbers.NumberParseException:
        return ()
    names: tuple[str, ...] = timezone.time_zones_for_number(number)
    # Satellite phones and the like: "Etc/Unknown" is a zone to nobody.
    return tuple(name for name in names if name != timezone.UNKNOWN_TIMEZONE)
