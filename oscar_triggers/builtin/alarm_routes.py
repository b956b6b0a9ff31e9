"""Ways to reach staff that ship: the project's admins, mail of its own, a web address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.mail import EmailMessage
from django.utils.module_loading import import_string
from django.utils.translation import pgettext

from ..engine.alarms import Notice, Route, routes
from . import staff_mail

_AT_HOME = ("localhost", "127.0.0.1", "::1")


class MailAdmins(Route):
    """The people of Django's ADMINS, by the project's own mail."""

    def problem(self, options: Mapping[str, Any]) -> str:
        """Say that ADMINS is empty."""
        return "" if settings.ADMINS else "ADMINS is empty."

    def tell(self, notice: Notice, options: Mapping[str, Any]) -> None:
        """Write to the admins."""
        _send(
            EmailMessage(
                subject=f"{settings.EMAIL_SUBJECT_PREFIX}{subject_of(notice)}",
                body=text_of(notice),
                from_email=settings.SERVER_EMAIL,
                # (name, address), or since Django 6.0 the address alone.
                to=[one if isinstance(one, str) else one[1] for one in settings.ADMINS],
            ),
            staff_mail.connection(),
        )


class OwnMail(Route):
    """Some addresses, by a mail backend of their own where one is named.

    Options: `to` (addresses), `from_email`, `backend` (dotted path), `options` (what the backend
    is made with: host, port, username, …).
    """

    def problem(self, options: Mapping[str, Any]) -> str:
        """Say that there are no addresses."""
        to = options.get("to")
        if not to or isinstance(to, str):
            return "'to' must be a list of e-mail addresses."
        return ""

    def tell(self, notice: Notice, options: Mapping[str, Any]) -> None:
        """Write to the addresses."""
        message = EmailMessage(
            subject=subject_of(notice),
            body=text_of(notice),
            from_email=options.get("from_email") or settings.SERVER_EMAIL,
            to=list(options["to"]),
        )
        if not options.get("backend"):
            _send(message, staff_mail.connection())
            return
        made_with = {"timeout": staff_mail.TIMEOUT, **options.get("options", {})}
        _send(message, import_string(options["backend"])(**made_with))


class WebHook(Route):
    """One POST of JSON to a web address, as chat services and monitors take it.

    Options: `url`, and `headers` for a token. Addresses stand in the settings, so internal ones
    are allowed; they must be https unless they are on this very machine. Redirects are failures.
    """

    def problem(self, options: Mapping[str, Any]) -> str:
        """Say that the address is none, or that it would carry a secret in the open."""
        parts = urlsplit(str(options.get("url", "")))
        if parts.scheme == "https" and parts.hostname:
            return ""
        if parts.scheme == "http" and parts.hostname in _AT_HOME:
            return ""
        return "'url' must begin with https://."

    def tell(self, notice: Notice, options: Mapping[str, Any]) -> None:
        """Post the notice."""
        response = requests.post(
            options["url"],
            json={
                "text": f"{subject_of(notice)}\n{text_of(notice)}",
                "key": notice.key,
                "state": "over" if notice.is_over else "raised",
                "raised_at": notice.raised_at.isoformat(),
                "count": notice.count,
                "environment": notice.here.environment,
                "base_url": notice.here.base_url,
            },
            headers=dict(options.get("headers", {})),
            timeout=staff_mail.TIMEOUT,
            allow_redirects=False,
        )
        if not 200 <= response.status_code < 300:
            raise OSError(f"The web address answered {response.status_code}.")


def _send(message: EmailMessage, connection: Any) -> None:
    if not connection.send_messages([message]):
        raise OSError("The backend accepted nothing.")


def subject_of(notice: Notice) -> str:
    """Return the one line that says what it is about."""
    place = notice.here.environment or notice.here.base_url
    where = f" ({place})" if place else ""
    if notice.is_over:
        return pgettext("triggers", "Triggers: it is over%(where)s") % {"where": where}
    return pgettext("triggers", "Triggers: please look%(where)s") % {"where": where}


def text_of(notice: Notice) -> str:
    """Return what happened and what to do next."""
    if notice.is_over:
        return pgettext("triggers", "Over: %(text)s") % {"text": notice.text}
    return "\n\n".join(part for part in (notice.text, notice.advice) if part)


routes.add("mail_admins", MailAdmins())
routes.add("email", OwnMail())
routes.add("webhook", WebHook())
