"""Events: what happened in the shop, and what a flow can listen to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.utils.translation import pgettext_lazy

from .exceptions import InvalidOptions
from .kinds import Kind
from .registry import Registry
from .snapshots import About


@dataclass(frozen=True, kw_only=True)
class TriggerOptions(Kind):
    """Options that a flow sets on its trigger; none unless an event declares its own class."""

    kind: ClassVar[str] = "trigger"


@dataclass(frozen=True, kw_only=True)
class WaitingNow:
    """What is already there when a flow is switched on (W9)."""

    #: Things that already wait and are young enough; they enter only if the flow includes them.
    recent: int
    #: Things that are too old for the flow and never enter.
    too_old: int


@dataclass(frozen=True, kw_only=True)
class Event(Kind):
    """Something that happened. Fields are the payload, and merge tags, and condition operands."""

    #: What `about` is, as in "basket"; "" when the event is about the person only.
    about_type: ClassVar[str] = ""
    #: What a flow may set on a trigger of this kind.
    options_class: ClassVar[type[TriggerOptions]] = TriggerOptions
    #: Fields that hold personal data; erasure blanks them in the journal.
    personal_fields: ClassVar[frozenset[str]] = frozenset()
    #: Whether a newer enrollment of a contact in a flow replaces one about another thing.
    one_at_a_time: ClassVar[bool] = False
    #: Whether the person was in the shop and did it: conditions count it as a visit.
    is_visit: ClassVar[bool] = False
    #: Whether it is worth nothing later on: what is later than a flow's max_lateness when we
    #: learn of it starts that flow no more.
    is_timely: ClassVar[bool] = False
    #: Whether its flow counts from the act and not from the moment that we learned of it: what
    #: an import brings weeks later is missed by rule, and a wait that is not over yet goes on.
    counts_from_act: ClassVar[bool] = False
    #: Whether it tells of its thing alone: that one order was paid is no goal, and no end of a
    #: wait, for the same person's way with another order.
    is_of_its_thing: ClassVar[bool] = False
    #: False for events that only inform the engine and start no flow.
    can_trigger: ClassVar[bool] = True
    #: False for what starts only flows that the engine makes by itself: no list offers it.
    is_offered: ClassVar[bool] = True

    def act_key(self, about: About | None) -> str:
        """Say which act this is: two reports of one act have the same key.

        "" leaves it to `intake`: one act for each person and thing that it is about, or for
        each person and UTC day where it is about nothing. An event that can happen again to
        the same thing returns something that tells the times apart.
        """
        return ""

    def episode_key(self, about: About | None) -> str:
        """Say which episode an enrollment of this event belongs to, as in "basket:123:2"."""
        return self.act_key(about) or (str(about) if about is not None else self.kind)

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether a flow whose trigger has these options listens to this very event."""
        return True

    def concerns(self) -> tuple[About, ...]:
        """Name other things it is about: an order concerns the basket that it came from."""
        return ()

    @classmethod
    def speaks_of(cls, about: About | None, wanted: About) -> bool:
        """Say whether what happened to `about` means something to a way that is about `wanted`.

        Asked where the person is the same; things of different types may belong together.
        """
        return (
            not cls.is_of_its_thing
            or about is None
            or about.type != wanted.type
            or about.id == wanted.id
        )

    @classmethod
    def waiting_now(cls, options: TriggerOptions, now: datetime) -> WaitingNow | None:
        """Count what already waits for such a flow; None where nobody can tell."""
        return None


E = TypeVar("E", bound=type[Event])

registry: Registry[type[Event]] = Registry(pgettext_lazy("triggers", "event"))


def register(event_class: E) -> E:
    """Register an event class under its kind (a class decorator)."""
    if not event_class.kind:
        raise InvalidOptions(f"{event_class.__name__} must define a kind.")
    registry.add(event_class.kind, event_class)
    return event_class


def from_payload(kind: str, payload: dict[str, Any]) -> Event:
    """Rebuild an event from a journal row; raises UnknownKind or InvalidOptions."""
    return registry.get(kind).from_options(payload)
