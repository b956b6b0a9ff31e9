"""Safety catches: the last step before any channel, where an installation keeps letters at home.

First a message is turned to REDIRECT_ALL_TO, then ONLY_TO is asked about the point to which it
would really go: whatever else is set, nothing reaches a point outside of ONLY_TO.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver

from .. import channels
from ..channels import Outcome, Parcel, Receipt
from ..conf import triggers_settings
from ..content.headers import ascii_domain
from ..policy import points

#: Why a parcel does not leave.
ONLY_TO = "only_to"
NO_REDIRECT = "no_redirect"

#: Whom a redirected letter was for; the one place where that is written.
ORIGINAL_TO = "X-Triggers-Original-To"


@dataclass(frozen=True, kw_only=True)
class Catches:
    """REDIRECT_ALL_TO and ONLY_TO as they are compared."""

    #: {channel: point}; None when nothing is redirected.
    redirects: Mapping[str, str] | None = None
    #: Points in their one spelling.
    points: frozenset[str] = frozenset()
    #: Points of one channel only, as (channel, point).
    channel_points: frozenset[tuple[str, str]] = frozenset()
    #: Domains of addresses; with a leading dot, also what is below them.
    domains: frozenset[str] = frozenset()

    @property
    def are_on(self) -> bool:
        """Say whether anything is redirected or kept."""
        return self.redirects is not None or self.has_list

    @property
    def has_list(self) -> bool:
        """Say whether only some points may get anything."""
        return bool(self.points or self.channel_points or self.domains)

    def lets(self, channel: str, point: str) -> bool:
        """Say whether a point may get anything."""
        if not self.has_list:
            return True
        spelled = points.normalise_or_nothing(channel, point) or point
        if spelled in self.points or (channel, spelled) in self.channel_points:
            return True
        _mailbox, at, domain = spelled.rpartition("@")
        if not at:
            return False
        parts = domain.lower().split(".")
        above = {"." + ".".join(parts[start:]) for start in range(len(parts))}
        return domain.lower() in self.domains or bool(above & self.domains)


@cache
def current() -> Catches:
    """Return the catches of the settings; raises ImproperlyConfigured for what cannot be read."""
    general = triggers_settings()
    entries = [_read_entry(text) for text in general.only_to]
    return Catches(
        redirects=_read_redirects(general.redirect_all_to),
        points=frozenset(point for kind, point in entries if kind == "point"),
        channel_points=frozenset(
            (kind.removeprefix("channel:"), point)
            for kind, point in entries
            if kind.startswith("channel:")
        ),
        domains=frozenset(domain for kind, domain in entries if kind == "domain"),
    )


def caught(parcel: Parcel, channel: str) -> Parcel | str:
    """Return the parcel as it may leave, or the reason why it may not.

    A redirected parcel is built anew by its channel: its ready bytes name whom it was for.
    """
    catches = current()
    if not catches.are_on:
        return parcel
    if catches.redirects is not None:
        target = catches.redirects.get(channel)
        if target is None:
            return NO_REDIRECT
        parcel = _redirected(parcel, channel, target)
    return parcel if catches.lets(channel, parcel.to) else ONLY_TO


def are_redirecting() -> bool:
    """Say whether what comes back is from a redirect's mailbox, and nobody else's doing."""
    return current().redirects is not None


def receipt_of(receipt: Receipt) -> Receipt:
    """Return a receipt as it counts for whom the parcel was for: a redirect's fault is not theirs."""
    if not are_redirecting() or not receipt.point_is_dead:
        return receipt
    return replace(receipt, point_is_dead=False)


def kept_receipt(parcel: Parcel, reason: str) -> Receipt:
    """Return the receipt of a parcel that was kept at home."""
    said = {
        ONLY_TO: "Kept by OSCAR_TRIGGERS['ONLY_TO'].",
        NO_REDIRECT: "OSCAR_TRIGGERS['REDIRECT_ALL_TO'] names no point for this channel.",
    }
    return Receipt(
        dispatch_id=parcel.dispatch_id,
        outcome=Outcome.REFUSED,
        detail=said.get(reason, f"Nothing is sent: {reason}."),
    )


def let_staff(addresses: Sequence[str]) -> list[str]:
    """Return which e-mail addresses of staff a step may write to, redirected where that is on."""
    catches = current()
    wanted = list(addresses)
    if catches.redirects is not None:
        target = catches.redirects.get(points.EMAIL)
        wanted = [target] if target and wanted else []
    return [address for address in wanted if catches.lets(points.EMAIL, address)]


def _redirected(parcel: Parcel, channel: str, target: str) -> Parcel:
    fields = dict(parcel.headers)
    if channel == points.EMAIL:
        fields[ORIGINAL_TO] = parcel.to
    return replace(parcel, to=target, headers=fields, raw=None)


def _read_redirects(setting: Any) -> Mapping[str, str] | None:
    if not setting:
        return None
    by_channel = {points.EMAIL: setting} if isinstance(setting, str) else dict(setting)
    return {
        channel: _spelled(
            partial(points.normalise, channel, value),
            f"OSCAR_TRIGGERS['REDIRECT_ALL_TO'] has {value!r} for the channel {channel!r}",
            "write an e-mail address, or {channel: point} with one for each channel.",
        )
        for channel, value in by_channel.items()
    }


def _read_entry(text: str) -> tuple[str, str]:
    """Return ("point" | "domain" | "channel:<kind>", its one spelling)."""
    where = f"OSCAR_TRIGGERS['ONLY_TO'] has {text!r}"
    advice = (
        "write addresses ('anna@example.com'), numbers ('+4930123456'), domains ('example.com', "
        "or '.example.com' with what is below it) or 'channel:point'."
    )
    entry = text.strip()
    kind, colon, point = entry.partition(":")
    if colon and kind in channels.registry:
        return f"channel:{kind}", _spelled(partial(points.normalise, kind, point), where, advice)
    if "@" in entry:
        return "point", _spelled(partial(points.normalise_email, entry), where, advice)
    if entry.startswith("+"):
        return "point", _spelled(partial(points.normalise_phone, entry), where, advice)
    return "domain", _spelled(partial(_domain, entry), where, advice)


def _domain(entry: str) -> str:
    below = entry.startswith(".")
    domain = ascii_domain(entry.removeprefix(".").rstrip("."))
    # Any mailbox will do: the rule about domains is that of addresses.
    points.normalise_email(f"mailbox@{domain}")
    return f".{domain}" if below else domain


def _spelled(spell: Callable[[], str], where: str, advice: str) -> str:
    try:
        return spell()
    except (ValueError, AttributeError, TypeError) as error:
        raise ImproperlyConfigured(f"{where}; {advice}") from error


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "OSCAR_TRIGGERS":
        current.cache_clear()
