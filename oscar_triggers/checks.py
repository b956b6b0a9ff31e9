"""System checks: what is missing in the settings before anything goes wrong.

They read settings and what is installed, never the database: the first `migrate` runs them.
`manage.py triggers_doctor` looks at the database.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from importlib import metadata, util
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch

from . import channels
from .builtin import anymail
from .conf import PROMOTIONAL, TRANSACTIONAL, TriggersSettings, site_settings, triggers_settings
from .content import links
from .engine import alarms, allowances, breakers, catches, incentives, pruning, segments
from .models import ALL_TOPICS, Message, random_id
from .models.sql import database_for
from .policy import caps, senders, windows, zones
from .shop.requests import takeover

TAG = "oscar_triggers"
_SMTP = "django.core.mail.backends.smtp."
_CONSENT_TOPIC_LENGTH = 60
_SHORTEST_TOKEN = 20


@register(TAG)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check OSCAR_TRIGGERS itself, and what depends on it."""
    try:
        general = triggers_settings()
    except (ImproperlyConfigured, TypeError, AttributeError) as error:
        return [
            Error(
                f"OSCAR_TRIGGERS cannot be read: {error}",
                hint="See the settings in the documentation.",
                id="oscar_triggers.E001",
            )
        ]
    return [
        *_addresses(general),
        *_time_zones(general),
        *_topics(general),
        *_postal_address(general),
        *_senders(general),
        *_safety(general),
        *_segments(),
        *_limits(),
        *_providers(general),
    ]


def _limits() -> Iterator[CheckMessage]:
    for check in (windows.check_setting, caps.check_setting, incentives.check_setting):
        try:
            check()
        except ImproperlyConfigured as error:
            yield Error(
                f"{error}",
                hint="Until then no promotional message leaves.",
                id="oscar_triggers.E058",
            )


def _providers(general: TriggersSettings) -> Iterator[CheckMessage]:
    for check in (allowances.check_setting, breakers.check_setting):
        try:
            check()
        except ImproperlyConfigured as error:
            yield Error(f"{error}", hint="Until then nothing leaves.", id="oscar_triggers.E059")
    named = {name for name in general.rates if not name.startswith("domain:")}
    for name in sorted(named - set(channels.registry)):
        yield django_checks.Warning(
            f"OSCAR_TRIGGERS['RATES'] names {name!r}, which is no channel: it limits nothing.",
            hint=f"Write one of {', '.join(sorted(channels.registry))}, or 'domain:gmail.com'.",
            id="oscar_triggers.W061",
        )
    lease = general.lease_for.total_seconds()
    for name, timeout in _smtp_timeouts():
        if timeout and timeout >= lease:
            yield Error(
                f"The timeout of {name} is {timeout} seconds, as long as "
                "OSCAR_TRIGGERS['LEASE_FOR'] or longer.",
                hint="A hand-over that still runs would be taken over by another worker; "
                "set EMAIL_TIMEOUT to 20, or a longer LEASE_FOR.",
                id="oscar_triggers.E060",
            )


def _segments() -> Iterator[CheckMessage]:
    try:
        segments.check_settings()
    except ImproperlyConfigured as error:
        yield Error(
            f"{error}",
            hint="Flows that ask for a segment take nobody in until then.",
            id="oscar_triggers.E057",
        )


def _safety(general: TriggersSettings) -> Iterator[CheckMessage]:
    if not general.environment:
        yield django_checks.Info(
            "OSCAR_TRIGGERS['ENVIRONMENT'] is not set: a copy of this database that is started "
            "elsewhere is known by BASE_URL and HOST alone.",
            hint="Call it 'production' here, 'staging' there, then run 'manage.py triggers_adopt'.",
            id="oscar_triggers.I050",
        )
    try:
        kept = catches.current()
    except ImproperlyConfigured as error:
        yield Error(
            f"{error}", hint="Until then nothing is sent to anybody.", id="oscar_triggers.E051"
        )
    else:
        yield from _caught(kept)
    if not general.sending:
        yield django_checks.Warning(
            "OSCAR_TRIGGERS['SENDING'] is False: nothing is sent.",
            hint="Set it to True, or remove it.",
            id="oscar_triggers.W053",
        )
    for problem in alarms.route_problems():
        yield django_checks.Info(
            f"OSCAR_TRIGGERS['ALARMS'] reaches nobody by {problem}",
            hint="Alarms stand in the log and in the doctor all the same.",
            id="oscar_triggers.I054",
        )
    if general.health_token and len(general.health_token) < _SHORTEST_TOKEN:
        yield django_checks.Warning(
            "OSCAR_TRIGGERS['HEALTH_TOKEN'] is short enough to be guessed.",
            hint="python -c 'import secrets; print(secrets.token_urlsafe())' makes a good one.",
            id="oscar_triggers.W055",
        )
    try:
        pruning.lengths()
    except ImproperlyConfigured as error:
        yield Error(f"{error}", hint="Until then nothing is pruned.", id="oscar_triggers.E056")


def _caught(kept: catches.Catches) -> Iterator[CheckMessage]:
    if kept.redirects is not None:
        yield django_checks.Warning(
            "OSCAR_TRIGGERS['REDIRECT_ALL_TO'] is on: no message reaches a customer.",
            hint="Remove it where customers are to be written to.",
            id="oscar_triggers.W052",
        )
        strangers = [name for name, point in kept.redirects.items() if not kept.lets(name, point)]
        if strangers:
            yield django_checks.Warning(
                f"REDIRECT_ALL_TO and ONLY_TO together let nothing out by {', '.join(strangers)}.",
                hint="Name the redirect in ONLY_TO, too.",
                id="oscar_triggers.W052",
            )
    elif kept.has_list:
        yield django_checks.Warning(
            "OSCAR_TRIGGERS['ONLY_TO'] is on: nobody gets anything but who is named there.",
            hint="Remove it where customers are to be written to.",
            id="oscar_triggers.W052",
        )


def _addresses(general: TriggersSettings) -> Iterator[CheckMessage]:
    shown = {"BASE_URL": general.base_url} if general.base_url or not general.sites else {}
    for pk, site in general.sites.items():
        shown[f"SITES[{pk}]['base_url']"] = site.get("base_url", general.base_url)
    for label, url in shown.items():
        if not url:
            yield django_checks.Warning(
                f"OSCAR_TRIGGERS {label} is not set: letters would have no links.",
                hint="Set it to the shop's public address, as in 'https://shop.example'.",
                id="oscar_triggers.W002",
            )
            continue
        on_a_desk = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        if not url.startswith("https://") and not settings.DEBUG and not on_a_desk:
            yield django_checks.Warning(
                f"OSCAR_TRIGGERS {label} is {url!r}: mailboxes offer their unsubscribe button "
                "only for https (RFC 8058).",
                hint="Serve the shop by https and write it so.",
                id="oscar_triggers.W003",
            )
        yield from _unsubscribe_address(label, url)


def _time_zones(general: TriggersSettings) -> Iterator[CheckMessage]:
    for pk, site in general.sites.items():
        name = str(site.get("time_zone", ""))
        if name and not zones.is_known(name):
            yield django_checks.Warning(
                f"OSCAR_TRIGGERS SITES[{pk}]['time_zone'] is {name!r}, which is no time zone: "
                "TIME_ZONE is used.",
                hint="Write it as in 'Europe/London'.",
                id="oscar_triggers.W009",
            )


def _unsubscribe_address(label: str, url: str) -> Iterator[CheckMessage]:
    try:
        longest = links.unsubscribe_url(url, random_id())
    except NoReverseMatch:
        return  # check_urls says it.
    if len(longest) > links.LONGEST_HEADER_URL:
        yield django_checks.Warning(
            f"Unsubscribe addresses under OSCAR_TRIGGERS {label} have {len(longest)} characters; "
            f"above {links.LONGEST_HEADER_URL}, Django 6.1 encodes the List-Unsubscribe header "
            "and mailboxes ignore it.",
            hint="Include oscar_triggers.urls at a shorter path, such as 't/'.",
            id="oscar_triggers.W004",
        )
    if not longest.isascii():
        yield django_checks.Warning(
            f"OSCAR_TRIGGERS {label} is not ASCII; mailboxes ignore such a List-Unsubscribe header.",
            hint="Write the domain as it stands in DNS, as in 'https://xn--bcher-kva.example'.",
            id="oscar_triggers.W005",
        )


def _topics(general: TriggersSettings) -> Iterator[CheckMessage]:
    topics: Any = general.topics
    if not isinstance(topics, Mapping) or not topics:
        yield Error(
            "OSCAR_TRIGGERS['TOPICS'] must map at least one key to a label.",
            hint="For example {'offers': 'Offers and reminders'}.",
            id="oscar_triggers.E006",
        )
        return
    for key in topics:
        if not isinstance(key, str) or not key or ":" in key or key == ALL_TOPICS:
            problem = "is no key for a topic"
        elif len(key) > _CONSENT_TOPIC_LENGTH:
            problem = f"is longer than {_CONSENT_TOPIC_LENGTH} characters"
        else:
            continue
        yield Error(
            f"OSCAR_TRIGGERS['TOPICS']: {key!r} {problem}.",
            hint="Use short words such as 'offers'; they are kept with every consent.",
            id="oscar_triggers.E006",
        )


def _postal_address(general: TriggersSettings) -> Iterator[CheckMessage]:
    everywhere = general.postal_address or (
        general.sites and all(site.get("postal_address") for site in general.sites.values())
    )
    if not everywhere and not settings.DEBUG:
        yield django_checks.Warning(
            "OSCAR_TRIGGERS['POSTAL_ADDRESS'] is not set; most laws want the sender's address "
            "in the foot of letters that advertise.",
            hint="Write it as it should be printed.",
            id="oscar_triggers.W007",
        )


def _senders(general: TriggersSettings) -> Iterator[CheckMessage]:
    for site_id in general.sites or [None]:
        for stream, sender in site_settings(site_id).senders.items():
            if sender.from_email.endswith("@localhost") and not settings.DEBUG:
                yield django_checks.Warning(
                    f"The sender of {stream} letters is {sender.from_email!r}.",
                    hint=(
                        f"Set OSCAR_TRIGGERS['SENDERS'][{stream!r}]['from_email'] or "
                        "DEFAULT_FROM_EMAIL to an address of the shop."
                    ),
                    id="oscar_triggers.W008",
                )
    for stream in (PROMOTIONAL, TRANSACTIONAL):
        for key in ("", *senders.named()):
            for domain in senders.refused_domains(key, stream):
                name = f"NAMED_SENDERS[{key!r}]" if key else f"SENDERS[{stream!r}]"
                yield django_checks.Error(
                    f"OSCAR_TRIGGERS {name} writes from {domain!r}, which is not among "
                    "SENDING_DOMAINS; no flow with this sender can be published.",
                    hint="Add the domain once it is verified, or use another address.",
                    id="oscar_triggers.E030",
                )


@register(TAG)
def check_mail(**kwargs: Any) -> list[CheckMessage]:
    """Check that a mail server that hangs cannot hang a worker."""
    unlimited = [name for name, timeout in _smtp_timeouts() if timeout is None]
    return [
        django_checks.Warning(
            f"{name} has no timeout: a mail server that hangs would hang a worker for ever.",
            hint=(
                "Set OPTIONS['timeout'] of the mailer to 20."
                if name.startswith("MAILERS")
                else "Set EMAIL_TIMEOUT = 20."
            ),
            id="oscar_triggers.W010",
        )
        for name in unlimited
    ]


def _smtp_timeouts() -> Iterator[tuple[str, Any]]:
    """Yield what names Django's SMTP backend, with its timeout; ours has one of its own."""
    # Django 6.1 brought MAILERS; beside it the EMAIL_… settings cannot even be asked for.
    if django.VERSION >= (6, 1) and hasattr(settings, "MAILERS"):
        for alias, mailer in settings.MAILERS.items():
            if str(mailer.get("BACKEND", _SMTP)).startswith(_SMTP):
                yield f"MAILERS[{alias!r}]", mailer.get("OPTIONS", {}).get("timeout")
        return
    with warnings.catch_warnings():
        # Django has said already that they are deprecated.
        warnings.simplefilter("ignore")
        backend, timeout = settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
    if backend.startswith(_SMTP):
        yield "EMAIL_BACKEND", timeout


@register(TAG)
def check_database(**kwargs: Any) -> list[CheckMessage]:
    """Check how SQLite is set up; PostgreSQL needs nothing."""
    alias = database_for(Message)
    config = settings.DATABASES.get(alias, {})
    engine = str(config.get("ENGINE", ""))
    if engine.endswith(".postgresql"):
        return []
    if not engine.endswith(".sqlite3"):
        return [
            Error(
                f"The database {alias!r} is {engine or 'not set'}; "
                "oscar_triggers runs on PostgreSQL and SQLite.",
                hint="Its leases need what only these two offer.",
                id="oscar_triggers.E020",
            )
        ]
    return [*_sqlite(alias, config)]


def _sqlite(alias: str, config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    options = config.get("OPTIONS", {})
    example = (
        "OPTIONS: {'timeout': 20, 'transaction_mode': 'IMMEDIATE', "
        "'init_command': 'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;'}"
    )
    wal = "journal_mode=wal" in str(options.get("init_command", "")).lower().replace(" ", "")
    immediate = str(options.get("transaction_mode", "")).upper() in ("IMMEDIATE", "EXCLUSIVE")
    if not (wal and immediate):
        yield django_checks.Warning(
            f"The SQLite database {alias!r} is not set up for several writers: visitors and the "
            "engine would lock each other out.",
            hint=example,
            id="oscar_triggers.W021",
        )
    if config.get("ATOMIC_REQUESTS"):
        yield django_checks.Warning(
            f"The SQLite database {alias!r} has ATOMIC_REQUESTS: every page would hold the one "
            "write lock from its beginning to its end.",
            hint="Switch ATOMIC_REQUESTS off, or use PostgreSQL.",
            id="oscar_triggers.W022",
        )
    if sqlite3.sqlite_version_info < (3, 35):
        yield Error(
            f"SQLite {sqlite3.sqlite_version} is too old: UPDATE … RETURNING came with 3.35.",
            hint="Use a newer Python, or PostgreSQL.",
            id="oscar_triggers.E023",
        )


@register(TAG)
def check_shop(**kwargs: Any) -> list[CheckMessage]:
    """Check that what the shop needs for links and baskets is there."""
    found: list[CheckMessage] = []
    if not any(name.endswith("BasketMiddleware") for name in settings.MIDDLEWARE):
        found.append(
            django_checks.Warning(
                "No BasketMiddleware in MIDDLEWARE: visitors have no basket, and links back to "
                "one cannot work.",
                hint="Add 'oscar.apps.basket.middleware.BasketMiddleware'.",
                id="oscar_triggers.W030",
            )
        )
    try:
        links.unsubscribe_url("", random_id())
    except NoReverseMatch:
        found.append(
            django_checks.Warning(
                "The addresses of oscar_triggers are not included: letters cannot link to them.",
                hint="Add path('t/', include('oscar_triggers.urls')) to the project's urls.py.",
                id="oscar_triggers.W031",
            )
        )
    return found


@register(TAG)
def check_alerts(**kwargs: Any) -> list[CheckMessage]:
    """Check who tells people that something is back in stock: we, or Oscar, never both."""
    if not takeover.is_beside_us():
        return []
    return [
        django_checks.Warning(
            "Oscar's own alerts are connected beside ours: people may be told twice, and a mail "
            "server that is down stops orders.",
            hint="Do not connect 'send_product_alerts' after the apps are ready.",
            id="oscar_triggers.W070",
        )
    ]


@register(TAG)
def check_webhooks(**kwargs: Any) -> list[CheckMessage]:
    """Check that not everybody can report what became of letters."""
    if not anymail.webhooks_are_open():
        return []
    return [
        django_checks.Warning(
            "Anymail's webhooks are mounted and ANYMAIL['WEBHOOK_SECRET'] is not set: whoever "
            "finds the address can have customers suppressed.",
            hint=(
                "Set it to 'name:long-random-text' and write it into the address that the "
                "provider calls. Silence this where the provider signs its reports."
            ),
            id="oscar_triggers.W060",
        )
    ]


@register(TAG)
def check_mjml(**kwargs: Any) -> list[CheckMessage]:
    """Check that `import mjml` brings mjml-python: three distributions share that name."""
    clashing = [name for name in ("mjml", "django-mjml") if _is_installed(name)]
    if _is_installed("mjml-python") and util.find_spec("mjml.mjml") is not None and not clashing:
        return []
    problem = (
        f"{' and '.join(clashing)} installed beside mjml-python: they overwrite each other's files."
        if clashing
        else "mjml-python is not installed, or not whole."
    )
    return [
        Error(
            f"Letters cannot be compiled: {problem}",
            hint="pip uninstall -y mjml django-mjml mjml-python && pip install mjml-python",
            id="oscar_triggers.E040",
        )
    ]


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
