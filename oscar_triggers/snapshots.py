"""Frozen values that the rooms hand to each other instead of model instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class About:
    """The shop's thing that an event or enrollment is about, by type and id."""

    #: "basket", "order", "product" …
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True, kw_only=True)
class Person:
    """What is known of a person at the moment of an act; enough to find or make a contact.

    Personal data: kept only in a journal row's erasable payload.
    """

    user_id: int | str | UUID | None = None
    #: Set when a link that we sent names the contact.
    contact_id: int | None = None
    email: str = ""
    phone: str = ""
    #: Ways to reach the person on other channels, by the channel's kind.
    points: Mapping[str, str] = field(default_factory=dict, hash=False)
    first_name: str = ""
    last_name: str = ""
    #: BCP 47 in Django's spelling ("en-gb"), "" when unknown.
    language: str = ""
    #: IANA name ("Europe/Berlin"), "" when unknown.
    time_zone: str = ""
    #: Whether the person proved that the e-mail is theirs (logged in, paid an order with it).
    email_verified: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set, as JSON values."""
        told = {name: value for name, value in vars(self).items() if value}
        if isinstance(self.user_id, UUID):
            # A shop's own user model may number people by UUID.
            told["user_id"] = str(self.user_id)
        return told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Person:
        """Read what to_json wrote."""
        return cls(**data)

    def __bool__(self) -> bool:
        return bool(self.user_id or self.contact_id or self.email or self.phone)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One person's way through a flow, as conditions, steps and guards see it."""

    enrollment_id: int
    flow_id: int
    flow_key: str
    contact_id: int
    user_id: int | str | UUID | None
    #: Normalised e-mail addresses and phone numbers of the contact.
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    about: About
    language: str = ""
    time_zone: str = ""
    site_id: int | None = None
    #: "promotional" or "transactional".
    stream: str = "promotional"
    #: A rehearsal: nothing is sent, and nothing outside the engine may change for it.
    is_shadow: bool = False
    entered_at: datetime
    #: When this enrollment's clock last started: entry, the last message's outcome, or activity.
    clock_at: datetime
    #: The event that started it, without personal data.
    payload: Mapping[str, Any] = field(default_factory=dict)
    #: What a room wants to remember at entry, as {"order": 1234} for the highest order id.
    watermarks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A yes or no together with the values that were compared."""

    holds: bool
    compared: Mapping[str, Any] = field(default_factory=dict)
