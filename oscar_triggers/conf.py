"""The OSCAR_TRIGGERS setting as one typed, validated value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

PROMOTIONAL = "promotional"
TRANSACTIONAL = "transactional"

#: What an order comes through, and the names that statuses and events of Oscar's usually have.
_ORDER_STAGES: Mapping[str, tuple[str, ...]] = {
    "paid": ("Paid", "Settled"),
    "shipped": ("Shipped", "Dispatched"),
    "ready": ("Ready for pick-up",),
    "received": ("Delivered", "Complete", "Picked up"),
    "cancelled": ("Cancelled",),
    "refunded": ("Refunded", "Returned"),
}


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who a letter is from, for one stream."""

    from_email: str
    reply_to: str = ""


@dataclass(frozen=True, kw_only=True)
class SiteSettings:
    """What differs between the sites of one installation."""

    #: Scheme and host without a trailing slash: "https://shop.example".
    base_url: str
    shop_name: str
    postal_address: str
    senders: Mapping[str, Sender]


@dataclass(frozen=True, kw_only=True)
class TriggersSettings:
    """Every key of OSCAR_TRIGGERS, in lower case, with its default.

    Durations are timedeltas. Unknown keys are refused by name.
    """

    #: Public address of the shop, scheme and host: links in letters begin with it.
    base_url: str = ""
    shop_name: str = ""
    #: Printed in the foot of promotional letters (CAN-SPAM 16 CFR 316.4, and most laws since).
    postal_address: str = ""
    #: {"promotional": {"from_email": …, "reply_to": …}, "transactional": {…}}
    senders: Mapping[str, Any] = field(default_factory=dict)
    #: Senders that a flow can choose: {"reviews": {"label": …, "from_email": …, "reply_to": …,
    #: "languages": {"de": {…}}, "sites": {1: {…}}}}.
    named_senders: Mapping[str, Any] = field(default_factory=dict)
    #: Domains that may stand in a sender's address, as ("shop.example",); empty: any.
    sending_domains: tuple[str, ...] = ()
    #: {site id: {"base_url": …, "shop_name": …, "postal_address": …, "senders": …}}
    sites: Mapping[int, Any] = field(default_factory=dict)
    #: Mailing groups people can subscribe to and leave: {key: label}.
    topics: Mapping[str, Any] = field(
        default_factory=lambda: {"offers": pgettext_lazy("triggers", "Offers and reminders")}
    )
    #: Whether a sale allows letters about similar goods (ePrivacy 13(2), PECR reg. 22).
    soft_opt_in: bool = False
    #: Secret by which ledgers know addresses; never to be changed once consents stand there.
    #: Empty: SECRET_KEY, which then must never be changed either.
    point_key: str = ""
    #: Region for phone numbers written without a country code, as in "GB".
    phone_region: str = ""
    #: How often `triggers_run` and the documented beat entry ring.
    tick_every: timedelta = timedelta(seconds=5)
    #: How often each sweep looks for what no signal told.
    sweep_every: timedelta = timedelta(seconds=30)
    #: How many rows one lease takes.
    batch_size: int = 100
    #: How many dispatches one commit marks as `sending`.
    hand_over_group: int = 1
    #: After how long a leased row of a dead worker is taken over.
    lease_for: timedelta = timedelta(seconds=90)
    #: How many crashes make a dispatch dead.
    max_crashes: int = 3
    #: Pauses before the second and later tries of a dispatch that failed softly.
    retry_after: tuple[timedelta, ...] = (
        timedelta(minutes=1),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=4),
    )
    #: How long a link back to the basket works.
    restore_link_valid: timedelta = timedelta(days=30)
    #: Baskets that were last touched longer ago than this never start a flow.
    basket_max_age: timedelta = timedelta(days=3)

    # ── The shop's own words ──────────────────────────────────────────────────────────────────
    #: Which statuses of orders and lines, and which types of shipping and payment events, mean
    #: what: {"shipped": ("Shipped",), …}. A stage that is not named keeps its usual names.
    order_stages: Mapping[str, Any] = field(default_factory=lambda: _ORDER_STAGES)
    #: For how long after it was placed an order is watched.
    order_max_age: timedelta = timedelta(days=120)
    #: Codes of Oscar's own letters that a live flow sends instead: {"REGISTRATION": "welcome"}.
    oscar_mails: Mapping[str, str] = field(default_factory=dict)
    #: How often one visitor, or one address, may ask to be told: (how often, in how long).
    request_limits: tuple[int, timedelta] = (10, timedelta(hours=1))
    #: How long somebody waits for a product before we stop: then it is too late to tell.
    request_valid: timedelta = timedelta(days=180)
    #: Where an unpaid order is paid: a path with {number}, or a dotted path to a function of the
    #: order's number that returns one.
    payment_page: str = ""

    # ── Safety catches ────────────────────────────────────────────────────────────────────────
    #: Which installation this is: "production", "staging". A database that says otherwise came
    #: from elsewhere, and nothing is sent until `triggers_adopt`.
    environment: str = ""
    #: Which host this is, where one environment has several shops.
    host: str = ""
    #: False stops all sending before the next hand-over.
    sending: bool = True
    #: Everything goes here instead: an e-mail address, or {channel: point}.
    redirect_all_to: Any = ""
    #: Only these addresses, numbers and domains ("example.com") get anything; empty: everybody.
    only_to: tuple[str, ...] = ()
    #: How many messages a flow may send in its first hour before it is paused and staff are
    #: told; None: any number (W9).
    blast_limit: int | None = 1_000

    #: Addresses and domains ("shop.example") of staff and tests: no flow lets them in, and reports
    #: leave them out.
    staff_addresses: tuple[str, ...] = ()
    #: Whether accounts that may enter Django's admin count as staff too.
    staff_accounts: bool = False

    # ── Limits ────────────────────────────────────────────────────────────────────────────────
    #: No promotional messages between these times of the reader's day, by channel; "*" is every
    #: channel that is not named: {"sms": ("21:00", "08:00"), "*": ("22:00", "07:00")}
    #: (the default for texts is that of 47 CFR 64.1200(c)(1)).
    quiet_hours: Mapping[str, tuple[str, str]] = field(
        default_factory=lambda: {"sms": ("21:00", "08:00")}
    )
    #: How many messages of a stream a person gets at most, over all flows and channels:
    #: {"promotional": [{"most": 1, "within": "1d"}]}.
    frequency_caps: Mapping[str, Any] = field(
        default_factory=lambda: {
            PROMOTIONAL: [{"most": 2, "within": "1d"}, {"most": 5, "within": "7d"}]
        }
    )
    #: A person gets one voucher in this time, from whichever flow; None: any number.
    incentive_every: timedelta | None = timedelta(days=30)
    #: Groups of people by name, in conditions: {"vip": {"label": "VIPs", "conditions": […]}}.
    segments: Mapping[str, Any] = field(default_factory=dict)

    # ── Providers ─────────────────────────────────────────────────────────────────────────────
    #: How many messages may go per second, minute or hour: {"email": "20/s"}, and for single
    #: recipient domains: {"domain:gmail.com": "5/s"}.
    rates: Mapping[str, str] = field(default_factory=dict)
    #: After how many failures in a row a provider is left alone.
    breaker_failures: int = 5
    #: How long it is left alone before one message is tried; doubles up to the second value.
    breaker_pauses: tuple[timedelta, timedelta] = (timedelta(seconds=30), timedelta(minutes=10))
    #: Keep SQL of the hand-over prepared in PostgreSQL; not behind PgBouncer before 1.21.
    prepare_statements: bool = False

    # ── What comes back ───────────────────────────────────────────────────────────────────────
    #: Whether links in letters lead through the shop, so that a click can be seen.
    track_clicks: bool = True
    #: Parameters for the shop's web analytics; {flow}, {step} and {variant} are filled in.
    utm: Mapping[str, str] = field(
        default_factory=lambda: {
            "utm_source": "triggers",
            "utm_medium": "{channel}",
            "utm_campaign": "{flow}",
            "utm_content": "{step}{variant}",
        }
    )
    #: So many soft bounces over at least so much time suppress an address.
    soft_bounces: tuple[int, timedelta] = (5, timedelta(days=7))

    # ── Watching ──────────────────────────────────────────────────────────────────────────────
    #: Ways to tell staff, all of which are tried: {"mail_admins": {}},
    #: {"webhook": {"url": "https://…"}}, {"email": {"to": […], "backend": "…"}}.
    alarms: Mapping[str, Any] = field(default_factory=lambda: {"mail_admins": {}})
    #: Secret in the address of the health page; empty: there is no such page.
    health_token: str = ""
    #: How long rows are kept: {"journal": "400d", "messages": …, "decisions": …, "hits": …}.
    retention: Mapping[str, Any] = field(default_factory=dict)


_NUMBERS_OF_AT_LEAST_ONE = ("batch_size", "hand_over_group", "max_crashes", "breaker_failures")
_YES_OR_NO = ("soft_opt_in", "sending", "track_clicks", "prepare_statements", "staff_accounts")
_DURATIONS = ("tick_every", "sweep_every", "lease_for", "restore_link_valid", "basket_max_age",
              "order_max_age", "request_valid")  # fmt: skip
_TEXTS = ("shop_name", "postal_address", "point_key", "phone_region", "health_token",
          "payment_page")  # fmt: skip
_DICTIONARIES = ("senders", "sites", "topics", "quiet_hours", "frequency_caps", "segments", "rates",
                 "utm", "alarms", "retention", "named_senders", "order_stages", "oscar_mails")  # fmt: skip
_REGION = re.compile(r"(?:[A-Za-z]{2})?\Z")


def _load() -> TriggersSettings:
    raw = getattr(django_settings, "OSCAR_TRIGGERS", {})
    if not isinstance(raw, Mapping):
        raise ImproperlyConfigured(f"OSCAR_TRIGGERS is {raw!r}; write a dictionary.")
    known = {f.name.upper(): f.name for f in fields(TriggersSettings)}
    unknown = sorted(set(map(str, raw)) - set(known))
    if unknown:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS has unknown keys: {', '.join(unknown)}. "
            f"Known keys: {', '.join(sorted(known))}."
        )
    loaded = TriggersSettings(**{known[key]: value for key, value in raw.items()})
    _check_kinds(loaded)
    _check_addresses(loaded)
    _check_named_senders(loaded)
    _check_safety(loaded)
    _check_returns(loaded)
    _check_orders(loaded)
    return loaded


def _check_kinds(loaded: TriggersSettings) -> None:
    """Refuse values of another kind: text from the environment is neither a number nor False."""
    for name in _NUMBERS_OF_AT_LEAST_ONE:
        number: Any = getattr(loaded, name)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            _refuse(name.upper(), number, "a whole number; it must be 1 or more")
    for name in _YES_OR_NO:
        if not isinstance(getattr(loaded, name), bool):
            wanted = "True or False (text from the environment is neither)"
            _refuse(name.upper(), getattr(loaded, name), wanted)
    for name in _DURATIONS:
        if not _is_duration(getattr(loaded, name)):
            _refuse(name.upper(), getattr(loaded, name), "a timedelta above zero")
    pauses: Any = loaded.retry_after
    if not isinstance(pauses, list | tuple) or not all(map(_is_duration, pauses)):
        _refuse("RETRY_AFTER", pauses, "a list of timedeltas, as in [timedelta(minutes=1)]")
    for name in _TEXTS:
        if not isinstance(getattr(loaded, name), str | Promise):
            _refuse(name.upper(), getattr(loaded, name), "text")
    if not _REGION.match(str(loaded.phone_region)):
        _refuse("PHONE_REGION", loaded.phone_region, "two letters, as in 'GB', or ''")
    for name in _DICTIONARIES:
        if not isinstance(getattr(loaded, name), Mapping):
            _refuse(name.upper(), getattr(loaded, name), "a dictionary")


def _is_duration(value: object) -> bool:
    return isinstance(value, timedelta) and value > timedelta()


def _check_addresses(loaded: TriggersSettings) -> None:
    """Refuse addresses and senders that letters could not begin with."""
    places: dict[str, Any] = {"BASE_URL": loaded.base_url}
    _check_senders("SENDERS", loaded.senders)
    sites: Mapping[Any, Any] = loaded.sites
    for pk, site in sites.items():
        label = f"SITES[{pk!r}]"
        if not isinstance(pk, int):
            _refuse("SITES", pk, "the site's number as its key, as in {1: {…}}")
        if not isinstance(site, Mapping) or set(site) - _SITE_KEYS:
            raise ImproperlyConfigured(
                f"OSCAR_TRIGGERS {label} is {site!r}; write a dictionary of "
                f"{', '.join(sorted(_SITE_KEYS))}."
            )
        places[f"{label}['base_url']"] = site.get("base_url", "")
        _check_senders(f"{label}['senders']", site.get("senders", {}))
    for label, url in places.items():
        if url and not _is_base(url):
            raise ImproperlyConfigured(
                f"OSCAR_TRIGGERS {label} is {url!r}; "
                "write scheme and host without a trailing slash, as in 'https://shop.example'."
            )


_SITE_KEYS = {"base_url", "shop_name", "postal_address", "senders", "time_zone"}
_SENDER_KEYS = {"from_email", "reply_to"}
_NAMED_KEYS = {*_SENDER_KEYS, "label", "languages", "sites"}


def _is_base(url: Any) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and url == f"{parts.scheme}://{parts.netloc}"
            and not re.search(r"\s|@", url)
        )
    except (TypeError, ValueError, AttributeError):
        return False


def _check_senders(label: str, senders: Any) -> None:
    is_right = isinstance(senders, Mapping) and all(
        stream in (PROMOTIONAL, TRANSACTIONAL)
        and isinstance(sender, Mapping)
        and _is_sender(sender, {*_SENDER_KEYS, "languages"})
        for stream, sender in senders.items()
    )
    if not is_right:
        raise ImproperlyConfigured(
            f"OSCAR_TRIGGERS {label} is {senders!r}; write "
            "{'promotional': {'from_email': …, 'reply_to': …}, 'transactional': {…}}."
        )


def _is_sender(sender: Any, known: set[str]) -> bool:
    """Say whether it is texts, and below "languages" and "sites" the same again."""
    return isinstance(sender, Mapping) and all(
        name in known
        and (
            isinstance(value, str | Promise)
            if name not in ("languages", "sites")
            else isinstance(value, Mapping)
            and all(_is_sender(part, _SENDER_KEYS) for part in value.values())
        )
        for name, value in sender.items()
    )


def _check_named_senders(loaded: TriggersSettings) -> None:
    """Refuse senders without an address, and domains that are none."""
    for key, sender in loaded.named_senders.items():
        if not _is_sender(sender, _NAMED_KEYS) or not sender.get("from_email"):
            wanted = "{'reviews': {'label': …, 'from_email': 'Shop <reviews@shop.example>'}}"
            _refuse("NAMED_SENDERS", {key: sender}, wanted)
    domains: Any = loaded.sending_domains
    if isinstance(domains, str) or not all(
        isinstance(one, str) and one and "@" not in one for one in domains
    ):
        _refuse("SENDING_DOMAINS", domains, "a list of domains, as in ['shop.example']")


def _check_safety(loaded: TriggersSettings) -> None:
    """Refuse what would look like a safety catch and be none."""
    redirect: Any = loaded.redirect_all_to
    if not isinstance(redirect, str | Mapping):
        _refuse("REDIRECT_ALL_TO", redirect, "an e-mail address, or {channel: point}")
    only_to: Any = loaded.only_to
    if isinstance(only_to, str) or not all(isinstance(one, str) and one.strip() for one in only_to):
        _refuse("ONLY_TO", only_to, "a list of addresses, numbers and domains; [] is everybody")
    staff: Any = loaded.staff_addresses
    if isinstance(staff, str) or not all(isinstance(one, str) and one.strip() for one in staff):
        _refuse("STAFF_ADDRESSES", staff, "a list of addresses and domains, as in ['shop.example']")
    limit: Any = loaded.blast_limit
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        _refuse("BLAST_LIMIT", limit, "a whole number of messages, or None for any number")
    for name, longest in (("environment", 60), ("host", 200), ("base_url", 300)):
        value: Any = getattr(loaded, name)
        if not isinstance(value, str) or len(value) > longest:
            _refuse(name.upper(), value, f"text of at most {longest} characters")


#: Letters of Oscar's with a link that only Oscar can make.
_NOT_OURS = ("PASSWORD_RESET",)


def _check_orders(loaded: TriggersSettings) -> None:
    """Refuse stages that nobody knows, and letters that no flow could replace."""
    stages: Any = loaded.order_stages
    unknown = sorted(set(map(str, stages)) - set(_ORDER_STAGES))
    if unknown:
        wanted = f"the stages {', '.join(_ORDER_STAGES)} only, not {', '.join(unknown)}"
        _refuse("ORDER_STAGES", stages, wanted)
    for stage, names in stages.items():
        is_list = isinstance(names, list | tuple) and all(
            isinstance(name, str) and name for name in names
        )
        if not is_list:
            example = f"a tuple of statuses, as in {{{stage!r}: {_ORDER_STAGES[stage]!r}}}"
            _refuse("ORDER_STAGES", stages, example)
    mails: Any = loaded.oscar_mails
    for code, flow in mails.items():
        if not (isinstance(code, str) and code and isinstance(flow, str) and flow):
            _refuse("OSCAR_MAILS", mails, "{'ORDER_PLACED': 'key-of-a-flow'}")
        if code in _NOT_OURS:
            _refuse("OSCAR_MAILS", mails, f"other letters than {code}: its link is Oscar's own")


def order_stage_names(stage: str) -> tuple[str, ...]:
    """Return the names of statuses and events by which an order reaches a stage."""
    return tuple(triggers_settings().order_stages.get(stage, _ORDER_STAGES[stage]))


_UTM_WORD = re.compile(r"\{[^{}]*\}")


def _check_returns(loaded: TriggersSettings) -> None:
    """Refuse what would lose clicks or suppress the wrong people."""
    utm: Any = loaded.utm
    is_text = isinstance(utm, Mapping) and all(
        isinstance(name, str) and name and isinstance(text, str) for name, text in utm.items()
    )
    words = (
        {word for text in utm.values() for word in _UTM_WORD.findall(text)} if is_text else set()
    )
    if not is_text or words - {"{flow}", "{step}", "{variant}", "{channel}"}:
        _refuse("UTM", utm, "{parameter: text}; text may say {flow}, {step}, {variant}, {channel}")
    soft: Any = loaded.soft_bounces
    try:
        count, over = soft
        fits = isinstance(count, int) and count >= 1 and isinstance(over, timedelta)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        _refuse("SOFT_BOUNCES", soft, "(how many, over how long), as in (5, timedelta(days=7))")


def _refuse(name: str, value: object, wanted: str) -> None:
    raise ImproperlyConfigured(f"OSCAR_TRIGGERS[{name!r}] is {value!r}; write {wanted}.")


@cache
def triggers_settings() -> TriggersSettings:
    """Return the OSCAR_TRIGGERS setting; raises ImproperlyConfigured for what it cannot use."""
    return _load()


def site_settings(site_id: int | None) -> SiteSettings:
    """Return what letters of one site need; keys missing for the site come from the top level."""
    general = triggers_settings()
    site: Mapping[str, Any] = general.sites.get(site_id, {}) if site_id is not None else {}
    fallback = django_settings.DEFAULT_FROM_EMAIL
    senders: dict[str, Sender] = {}
    for stream in (PROMOTIONAL, TRANSACTIONAL):
        merged = {**general.senders.get(stream, {}), **site.get("senders", {}).get(stream, {})}
        senders[stream] = Sender(
            from_email=merged.get("from_email") or fallback, reply_to=merged.get("reply_to", "")
        )
    return SiteSettings(
        base_url=site.get("base_url", general.base_url),
        shop_name=site.get("shop_name", general.shop_name)
        or getattr(django_settings, "OSCAR_SHOP_NAME", ""),
        postal_address=site.get("postal_address", general.postal_address),
        senders=senders,
    )


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "OSCAR_TRIGGERS":
        triggers_settings.cache_clear()
