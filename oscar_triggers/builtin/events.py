"""The events that ship and need no Oscar: what is known of a contact changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.utils.translation import pgettext, pgettext_lazy

from .. import events
from ..engine import fields, one_off
from ..events import Event, TriggerOptions
from ..kinds import option
from ..snapshots import About

_CHANGES: dict[str, Any] = {
    fields.VALUE: pgettext_lazy("triggers", "A field has another value"),
    fields.TAG_ADDED: pgettext_lazy("triggers", "A tag was put on"),
    fields.TAG_REMOVED: pgettext_lazy("triggers", "A tag was taken off"),
}


def _change_choices() -> list[tuple[str, Any]]:
    return list(_CHANGES.items())


@events.register
@dataclass(frozen=True, kw_only=True)
class ChosenForLetter(Event):
    """Somebody was chosen for a one-off letter; its flow is made by `engine.one_off`."""

    kind: ClassVar[str] = one_off.KIND
    label: ClassVar[Any] = pgettext_lazy("triggers", "Chosen for a one-off letter")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "Somebody is to get a letter that is sent once."
    )
    is_offered: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class ContactChangedOptions(TriggerOptions):
    """Which change starts the flow."""

    change: str = option(
        default=fields.VALUE,
        label=pgettext_lazy("triggers", "What changed"),
        choices=_change_choices,
    )
    field: str = option(
        default="",
        label=pgettext_lazy("triggers", "Which field or tag"),
        help_text=pgettext_lazy(
            "triggers",
            "Its name, as in birthday or vip. Empty: any. To ask for a value, add the start "
            "condition “A field of the contact”.",
        ),
    )

    def __post_init__(self) -> None:
        """Refuse a change that is none."""
        if self.change not in _CHANGES:
            raise ValueError(
                pgettext("triggers", "change must be one of %(known)s, not '%(found)s'")
                % {"known": ", ".join(_CHANGES), "found": self.change}
            )


@events.register
@dataclass(frozen=True, kw_only=True)
class ContactChanged(Event):
    """A field or a tag of a contact is not what it was; recorded by `engine.fields`.

    The value is not told: it stands in `Contact.fields`, and erasure finds it there.
    """

    kind: ClassVar[str] = fields.CHANGED
    label: ClassVar[Any] = pgettext_lazy("triggers", "What is known of a contact changed")
    description: ClassVar[Any] = pgettext_lazy(
        "triggers", "A field got another value, or a tag was put on or taken off."
    )
    options_class: ClassVar[type[TriggerOptions]] = ContactChangedOptions

    #: The field's name, or the tag.
    field: str
    change: str = fields.VALUE
    changed_at: datetime | None = None

    def episode_key(self, about: About | None) -> str:
        """Return one key for each change: each may start a flow anew."""
        return f"{self.kind}:{self.change}:{self.field}:{self.changed_at}"

    def starts(self, options: TriggerOptions) -> bool:
        """Say whether the flow listens to this change."""
        return (
            isinstance(options, ContactChangedOptions)
            and options.change == self.change
            and options.field in ("", self.field)
        )
