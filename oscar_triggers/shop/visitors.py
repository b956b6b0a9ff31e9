"""What a request tells about its visitor, without a query."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import DisallowedHost
from django.core.signing import BadSignature, Signer
from django.utils import timezone, translation

from ..conf import triggers_settings
from ..snapshots import Person

#: Set by a few lines of script in the shop's pages: the visitor's IANA time zone.
TIME_ZONE_COOKIE = "triggers_time_zone"
_LARGEST_ID = 2**63 - 1


def language() -> str:
    """Return the language of the page that is being served."""
    return (translation.get_language() or "")[:20]


def time_zone(request: Any) -> str:
    """Return the visitor's time zone, "" when nothing tells it."""
    told = getattr(request, "COOKIES", {}).get(TIME_ZONE_COOKIE, "")
    if told and _is_time_zone(told):
        return str(told)
    active = timezone.get_current_timezone_name()
    return active if active != timezone.get_default_timezone_name() else ""


@lru_cache(maxsize=1024)
def _is_time_zone(name: str) -> bool:
    if len(name) > 64:
        return False
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown, no name at all, or a directory
        return False
    return True


def site_id(request: Any) -> int | None:
    """Return the site that was asked, by its host in OSCAR_TRIGGERS["SITES"], else SITE_ID."""
    sites = triggers_settings().sites
    if sites and request is not None:
        try:
            host = request.get_host().lower()
        except DisallowedHost:
            host = ""
        for pk, site in sites.items():
            if host and urlsplit(site.get("base_url", "")).netloc.lower() == host:
                return int(pk)
    fallback: int | None = getattr(settings, "SITE_ID", None)
    return fallback


def person(request: Any, *, user: Any = None, email: str = "") -> Person:
    """Return the visitor; who is signed in has proved the address of the account."""
    known = user if getattr(user, "pk", None) is not None else None
    account_email = ""
    if known is not None:
        account_email = account_email_of(known)
    return Person(
        user_id=known.pk if known is not None else None,
        email=account_email or email or "",
        email_verified=bool(account_email),
        language=language(),
        time_zone=time_zone(request),
    )


def account_email_of(user: Any) -> str:
    """Return the e-mail address of an account, whatever a shop's user model calls it."""
    return getattr(user, get_user_model().get_email_field_name(), "") or ""


def loaded_basket(request: Any) -> Any | None:
    """Return the visitor's basket when this request has loaded it already, else None."""
    if request is None:
        return None
    basket = getattr(request, "_basket_cache", None)
    return basket if basket is not None and basket.pk is not None else None


def basket_id(request: Any) -> int | None:
    """Return the number of the visitor's basket, from what is loaded or from the cookie."""
    basket = loaded_basket(request)
    return basket.pk if basket is not None else cookie_basket_id(request)


def cookie_basket_id(request: Any) -> int | None:
    """Return the number of the basket that a browser without account carries, None when forged."""
    name = getattr(settings, "OSCAR_BASKET_COOKIE_OPEN", "oscar_open_basket")
    signed = getattr(request, "COOKIES", {}).get(name, "")
    if not signed:
        return None
    try:
        # As Oscar's middleware does; the cookie's maker chose a Signer without a salt.
        number = int(Signer().unsign(signed))
    except (BadSignature, ValueError):
        return None
    return number if 0 < number <= _LARGEST_ID else None
