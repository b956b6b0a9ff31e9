"""Channels: ways to reach a person, and the receipts that they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from django.utils.translation import pgettext_lazy

from .exceptions import InvalidOptions
from .kinds import Kind
from .registry import Registry

#: What templates are made of: a letter with subject and HTML, or nothing but words.
EMAIL_CONTENT, TEXT_CONTENT = "email", "text"


class Outcome(StrEnum):
    """What a provider said about one parcel."""

    SENT = "sent"
    #: Refused for good; sending again would be refused again.
    REFUSED = "refused"
    #: Certainly not accepted, and worth another try.
    FAILED = "failed"
    #: Handed over without an answer: it may or may not have been accepted.
    UNKNOWN = "unknown"
    #: Never started (the connection was gone before); costs no attempt.
    UNTOUCHED = "untouched"


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One rendered message, ready for a channel."""

    dispatch_id: int
    #: The point as the provider wants it: an e-mail address, an E.164 number.
    to: str
    from_: str = ""
    reply_to: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The whole message as wire bytes, where the template was compiled down to them.
    raw: Callable[[], bytes] | None = None
    #: Site, stream, flow: what providers call tags or metadata. Never personal.
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of one parcel."""

    dispatch_id: int
    outcome: Outcome
    provider: str = ""
    provider_id: str = ""
    #: Said to staff; never holds the address.
    detail: str = ""
    #: Whether the refusal says that the point itself does not exist.
    point_is_dead: bool = False
    #: Whether the trouble is the provider's and not this message's (no connection, 421, 429):
    #: it costs the message no attempt, and counts against the provider.
    provider_is_down: bool = False
    #: Pause that the provider asked for before the next try (seconds); 0: none.
    retry_after_seconds: float = 0
    #: Which pauses a failure wants: "quick" (too many connections), "slow" (mailbox full,
    #: greylisting), "" for the usual ones.
    retry_class: str = ""


@dataclass(frozen=True, kw_only=True)
class Channel(Kind):
    """A way to reach people; extensions write `normalise` and `send` or `send_many`.

    The engine makes one instance for some batches, calls `send_many` for each group of them and
    `close` at the end: connections may be kept in between, and may be found closed by the server.
    """

    #: Type of template this channel needs: EMAIL_CONTENT or TEXT_CONTENT.
    content: ClassVar[str] = TEXT_CONTENT
    #: Whether its provider bills by the segments of an SMS (`content.segments`).
    counts_segments: ClassVar[bool] = False
    #: So many characters may a text have; 0 for as many as it likes.
    longest: ClassVar[int] = 0

    def normalise(self, value: str) -> str:
        """Return the one spelling of a point; raises ValueError when it is none."""
        raise NotImplementedError(f"{type(self).__name__} must define normalise().")

    def send(self, parcel: Parcel) -> Receipt:
        """Hand one parcel over."""
        raise NotImplementedError(f"{type(self).__name__} must define send() or send_many().")

    def send_many(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Hand a group over, in its order; one refusal spares its neighbours."""
        return [self.send(parcel) for parcel in parcels]

    def takes_bytes(self) -> bool:
        """Return whether this channel hands `Parcel.raw` over: then nothing else is filled."""
        return False

    def close(self) -> None:
        """Let go of connections; the engine calls it after the last group of a batch."""


N = TypeVar("N", bound=type[Channel])

registry: Registry[type[Channel]] = Registry(pgettext_lazy("triggers", "channel"))


def register(channel_class: N) -> N:
    """Register a channel class under its kind (a class decorator)."""
    if not channel_class.kind:
        raise InvalidOptions(f"{channel_class.__name__} must define a kind.")
    registry.add(channel_class.kind, channel_class)
    return channel_class


def get(kind: str) -> Channel:
    """Return the channel of a kind, ready to use; raises UnknownKind."""
    options: dict[str, Any] = {}
    return registry.get(kind).from_options(options)


def takes_text(kind: str) -> bool:
    """Say whether a channel sends nothing but words; one that no app brings any more is asked too."""
    return registry.get(kind).content == TEXT_CONTENT if kind in registry else kind != "email"


def name_of(kind: str) -> str:
    """Return what staff call a channel."""
    return str(registry.get(kind).label or kind) if kind in registry else kind
