"""What the DNS says about the shop's senders: SPF, DMARC, MX and the mail server's own name.

Mailboxes ask the same (Gmail's and Yahoo's rules for senders since 2024, Microsoft's since 2025).
Needs the extra `doctor` (dnspython). Without a network nothing is found, and nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import parseaddr
from importlib import util
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ..conf import site_settings, triggers_settings
from .findings import Finding, Level

#: A whole question to the DNS takes at most so long (seconds).
TIMEOUT = 3.0
#: RFC 7208, 4.6.4: more look-ups make an SPF record invalid.
MOST_SPF_LOOKUPS = 10

#: Names that never stand in the public DNS (RFC 2606, RFC 6761).
_RESERVED = ("example", "test", "invalid", "localhost", "local")
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")

#: (name, record type) -> its records as text, [] when there are none; raises NoDns.
Lookup = Callable[[str, str], list[str]]


class NoDns(Exception):
    """The DNS could not be asked."""


def is_possible() -> bool:
    """Say whether dnspython is installed."""
    return util.find_spec("dns") is not None


def examine(lookup: Lookup | None = None) -> Iterator[Finding]:
    """Ask the DNS about every sender of the settings; stops at the first question nobody answers."""
    if lookup is None:
        if not is_possible():
            return
        lookup = _ask
    try:
        for domain in sender_domains():
            yield from _sender(domain, lookup)
        yield from _mail_server(lookup)
    except NoDns:
        yield Finding(level=Level.OK, text="The DNS could not be asked about the senders.")


def sender_domains() -> list[str]:
    """Return the public domains that letters are from."""
    found: dict[str, None] = {}
    for site_id in [None, *triggers_settings().sites]:
        for sender in site_settings(site_id).senders.values():
            domain = parseaddr(sender.from_email)[1].rpartition("@")[2].lower()
            if domain and not _is_reserved(domain):
                found[domain] = None
    return list(found)


def _is_reserved(domain: str) -> bool:
    return (
        "." not in domain
        or domain.rsplit(".", 1)[-1] in _RESERVED
        or f".{domain}".endswith(tuple(f".{name}" for name in _RESERVED_DOMAINS))
    )


def _sender(domain: str, lookup: Lookup) -> Iterator[Finding]:
    spf = [text for text in lookup(domain, "TXT") if text.lower().startswith("v=spf1")]
    if not spf:
        yield Finding(
            level=Level.WARNING,
            text=f"{domain} has no SPF record: mailboxes trust its letters less, or refuse them.",
            advice=f"Add a TXT record to {domain} that names your mail servers: 'v=spf1 … -all'.",
        )
    elif len(spf) > 1:
        yield Finding(
            level=Level.WARNING,
            text=f"{domain} has {len(spf)} SPF records; more than one is as good as none.",
            advice="Join them into one (RFC 7208, 3.2).",
        )
    else:
        lookups = _spf_lookups(spf[0], lookup, seen={domain})
        if lookups > MOST_SPF_LOOKUPS:
            yield Finding(
                level=Level.WARNING,
                text=f"The SPF record of {domain} needs {lookups} look-ups; beyond "
                f"{MOST_SPF_LOOKUPS} mailboxes give up (RFC 7208, 4.6.4).",
                advice="Take out what does not send for you.",
            )
    if not _dmarc(domain, lookup):
        yield Finding(
            level=Level.WARNING,
            text=f"{domain} has no DMARC record, which large mailboxes require.",
            advice=f"Add a TXT record to _dmarc.{domain}: 'v=DMARC1; p=none; rua=mailto:…'.",
        )
    if not lookup(domain, "MX") and not lookup(domain, "A"):
        yield Finding(
            level=Level.WARNING,
            text=f"{domain} takes no mail: who answers a letter gets it back.",
            advice="Add an MX record, or write from a domain that has one.",
        )
    yield Finding(level=Level.OK, text=f"The DNS was asked about {domain}.")


def _dmarc(domain: str, lookup: Lookup) -> str:
    """Return the DMARC record of a domain, or of one above it (RFC 7489, 6.6.3)."""
    parts = domain.split(".")
    for start in range(len(parts) - 1):
        for text in lookup(f"_dmarc.{'.'.join(parts[start:])}", "TXT"):
            if text.lower().startswith("v=dmarc1"):
                return text
    return ""


def _spf_lookups(record: str, lookup: Lookup, *, seen: set[str]) -> int:
    total = 0
    for term in record.lower().split()[1:]:
        bare = term.lstrip("+-~?")
        name, _sign, value = bare.replace("=", ":", 1).partition(":")
        if name.split("/")[0] not in ("include", "a", "mx", "ptr", "exists", "redirect"):
            continue
        total += 1
        if name in ("include", "redirect") and value not in seen and len(seen) <= MOST_SPF_LOOKUPS:
            seen.add(value)
            for text in lookup(value, "TXT"):
                if text.lower().startswith("v=spf1"):
                    total += _spf_lookups(text, lookup, seen=seen)
    return total


def _mail_server(lookup: Lookup) -> Iterator[Finding]:
    """Say whether the mail server has a name that leads back to it; relays of others have."""
    host = _smtp_host()
    if not host or _is_reserved(host) or host.replace(".", "").isdigit():
        return
    addresses = lookup(host, "A")
    if not addresses:
        yield Finding(
            level=Level.WARNING,
            text=f"The mail server {host} has no address in the DNS.",
            advice="See EMAIL_HOST.",
        )
        return
    for address in addresses[:1]:
        reverse = f"{'.'.join(reversed(address.split('.')))}.in-addr.arpa"
        if not lookup(reverse, "PTR"):
            yield Finding(
                level=Level.WARNING,
                text=f"The mail server {host} has no name by its address (PTR).",
                advice="Ask whoever the address belongs to for one; mailboxes refuse those without.",
            )


def _smtp_host() -> str:
    try:
        mailers: Any = getattr(settings, "MAILERS", None)
        if mailers:
            return str(mailers.get("default", {}).get("OPTIONS", {}).get("host", ""))
        if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
            return ""
        return str(settings.EMAIL_HOST)
    except (AttributeError, ImproperlyConfigured):
        return ""


def _ask(name: str, kind: str) -> list[str]:
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver()
    resolver.lifetime = TIMEOUT
    try:
        answer = resolver.resolve(name, kind)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise NoDns(kind) from error
    if kind == "TXT":
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
    return [record.to_text() for record in answer]
