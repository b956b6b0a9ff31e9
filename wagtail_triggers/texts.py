"""Texts: drafts for channels that send nothing but words, as an SMS or a messenger's message."""

from __future__ import annotations

from typing import Any

from oscar_triggers import channels
from oscar_triggers.channels import Channel


def text_channels() -> list[tuple[str, Any]]:
    """Return the channels that send nothing but words, as far as apps bring some."""
    return [
        (kind, channel.label or kind)
        for kind, channel in channels.registry.items()
        if channels.takes_text(kind)
    ]


def is_text(draft: Any) -> bool:
    """Say whether a template draft is a text and no e-mail letter."""
    return channels.takes_text(getattr(draft, "channel", "") or "email")


def channel_of(draft: Any) -> type[Channel] | None:
    """Return the channel that a draft is written for; None when no app brings it any more."""
    found: type[Channel] | None = (
        channels.registry.get(draft.channel) if draft.channel in channels.registry else None
    )
    return found
