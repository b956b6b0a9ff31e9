"""What the database says was decided and sent, and what the mail server's files say arrived."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.db.models import Q

from oscar_triggers.models import (
    ConsentEvent,
    Contact,
    ContactPoint,
    Decision,
    Message,
    MessageState,
)
from sandbox.shop import mailbox

_LINK_BACK = re.compile(r'href="([^"]+/t/b/[^"]+)"')
_HEADER_LINK = re.compile(r"<(https?://[^>]+)>")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(?:\+00:00|Z)?")


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One decision of the engine or line of the consent ledger."""

    #: "send sent", "consent skipped no_consent", "order_placed exit goal".
    verdict: str
    #: The values that were compared.
    compared: str


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """One letter in the mail server's files."""

    subject: str
    message: EmailMessage
    size: int

    @property
    def public_id(self) -> str:
        """Return the id of the message that it is, "" for the shop's own mail."""
        return str(self.message.get("X-Entity-Ref-ID", ""))

    @property
    def html(self) -> str:
        """Return its HTML part."""
        return mailbox.part(self.message, "html")

    @property
    def text(self) -> str:
        """Return its plain part."""
        return mailbox.part(self.message, "plain")

    @property
    def link_back(self) -> str:
        """Return the link back to the basket, "" when it has none."""
        found = _LINK_BACK.search(self.html)
        return found.group(1) if found else ""

    @property
    def one_click_address(self) -> str:
        """Return where a mailbox posts to unsubscribe, "" when the headers do not allow it."""
        if self.message.get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
            return ""
        found = _HEADER_LINK.search(str(self.message.get("List-Unsubscribe", "")))
        return found.group(1) if found else ""


@dataclass(frozen=True, kw_only=True)
class News:
    """What is new about one person since the last look."""

    decided: list[Decided]
    #: Keys of the templates that were sent.
    sent: list[str]
    #: Public ids of what was sent, in the same order.
    sent_ids: list[str]
    arrived: list[Arrived]


@dataclass(kw_only=True)
class Witness:
    """Looks at the rows and files about one person, each thing once."""

    email: str
    inbox: Path
    _seen_decisions: set[int] = field(default_factory=set)
    _seen_consents: set[int] = field(default_factory=set)
    _seen_messages: set[int] = field(default_factory=set)
    _seen_arrivals: set[str] = field(default_factory=set)

    def look(self) -> News:
        """Return what is new."""
        contacts = _contacts_of(self.email)
        sent = self._new_messages(contacts)
        return News(
            decided=[*self._new_consents(contacts), *self._new_decisions(contacts)],
            sent=[message.template.key for message in sent if message.template],
            sent_ids=[message.public_id for message in sent],
            arrived=self._new_arrivals(),
        )

    def _new_consents(self, contacts: set[int]) -> list[Decided]:
        hashes = ContactPoint.objects.filter(contact_id__in=contacts).values("point_hash")
        rows = ConsentEvent.objects.filter(point_hash__in=hashes).order_by("pk")
        found = []
        for row in rows:
            if row.pk not in self._seen_consents:
                self._seen_consents.add(row.pk)
                compared = {"topic": row.topic, "source": row.source, "line": row.pk}
                if row.text:
                    compared["words"] = f"“{row.text}”"
                found.append(Decided(verdict=f"ledger {row.action}", compared=spelled(compared)))
        return found

    def _new_decisions(self, contacts: set[int]) -> list[Decided]:
        about = Q()
        for path in ("enrollment__contact", "message__contact", "journal_entry__contact"):
            about |= Q(**{f"{path}__in": contacts})
        found = []
        for row in Decision.objects.filter(about).order_by("pk").distinct():
            if row.pk not in self._seen_decisions:
                self._seen_decisions.add(row.pk)
                verdict = " ".join(filter(None, (row.rule, row.verdict, row.reason)))
                found.append(Decided(verdict=verdict, compared=spelled(row.compared)))
        return found

    def _new_messages(self, contacts: set[int]) -> list[Message]:
        rows = Message.objects.filter(contact_id__in=contacts, state=MessageState.SENT)
        new = [
            row
            for row in rows.select_related("template").order_by("settled_at", "pk")
            if row.pk not in self._seen_messages
        ]
        self._seen_messages.update(row.pk for row in new)
        return new

    def _new_arrivals(self) -> list[Arrived]:
        found = []
        for arrival in mailbox.arrivals(self.inbox):
            if arrival.id in self._seen_arrivals or self.email not in arrival.recipients:
                continue
            self._seen_arrivals.add(arrival.id)
            raw = mailbox.raw(self.inbox, arrival.id) or b""
            found.append(
                Arrived(
                    subject=arrival.subject.strip(),
                    message=mailbox.parsed(raw),
                    size=arrival.size,
                )
            )
        return found


def _contacts_of(email: str) -> set[int]:
    """Return the contacts that an address belongs to, and those that became one of them."""
    own = set(
        ContactPoint.objects.filter(normalised=email.lower()).values_list("contact_id", flat=True)
    )
    joined = Contact.objects.filter(joined_into_id__in=own).values_list("pk", flat=True)
    return own | set(joined)


def spelled(compared: Mapping[str, Any], prefix: str = "") -> str:
    """Return compared values on one line: "reason: x · line.id: 7"; times without seconds."""
    parts = []
    for name, value in compared.items():
        if value in ("", None, {}, []):
            continue
        if isinstance(value, Mapping):
            parts.append(spelled(value, f"{prefix}{name}."))
        elif isinstance(value, list):
            parts.append(f"{prefix}{name}: {', '.join(map(str, value))}")
        else:
            told = _MOMENT.sub(r"\1 \2", str(value))
            parts.append(f"{prefix}{name}: {told}")
    return " · ".join(part for part in parts if part)
