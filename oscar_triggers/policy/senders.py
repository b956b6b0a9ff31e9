"""Senders: whose name stands above a letter, by site, language and flow, and which domains may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from typing import Any

from ..conf import Sender, site_settings, triggers_settings


def named() -> dict[str, Any]:
    """Return the senders that a flow can choose: {key: label}."""
    return {
        key: data.get("label") or key for key, data in triggers_settings().named_senders.items()
    }


def resolve(site_id: int | None, stream: str, language: str, key: str = "") -> Sender:
    """Return who a letter is from; what is said more closely wins: flow, then language, then site.

    A key that the setting names no more stands for the shop's usual sender.
    """
    usual = site_settings(site_id).senders[stream]
    found = {"from_email": usual.from_email, "reply_to": usual.reply_to}
    chosen: Mapping[str, Any] = triggers_settings().named_senders.get(key, {})
    for part in (
        _of_language(triggers_settings().senders.get(stream, {}), language),
        chosen,
        chosen.get("sites", {}).get(site_id, {}),
        _of_language(chosen, language),
    ):
        found.update({name: part[name] for name in found if part.get(name)})
    return Sender(**found)


def _of_language(data: Mapping[str, Any], language: str) -> Mapping[str, Any]:
    """Return what is said for a language, or for the language that a regional form belongs to."""
    by_language: Mapping[str, Any] = {
        name.lower(): part for name, part in data.get("languages", {}).items()
    }
    wanted = language.lower()
    found: Mapping[str, Any] = by_language.get(wanted) or by_language.get(
        wanted.partition("-")[0], {}
    )
    return found


def refused_domains(key: str, stream: str) -> list[str]:
    """Return the domains of a sender, in any site and language, from which nothing may be sent."""
    allowed = {domain.lower() for domain in triggers_settings().sending_domains}
    if not allowed:
        return []
    found = dict.fromkeys(domain_of(address) for address in _addresses(key, stream))
    return [domain for domain in found if domain not in allowed]


def domain_of(address: str) -> str:
    """Return the domain of "Name <someone@shop.example>", in small letters."""
    return parseaddr(address)[1].rpartition("@")[2].lower()


def _addresses(key: str, stream: str) -> Iterator[str]:
    general = triggers_settings()
    chosen: Mapping[str, Any] = general.named_senders.get(key, {})
    languages = {"", *chosen.get("languages", {})}
    languages |= set(general.senders.get(stream, {}).get("languages", {}))
    for site_id in (None, *general.sites, *chosen.get("sites", {})):
        for language in sorted(languages):
            yield resolve(site_id, stream, language, key).from_email
