"""Parameters for the shop's web analytics: which flow, step and variant a visit came from."""

from __future__ import annotations

from collections.abc import Mapping

from ..conf import triggers_settings
from ..models import Message


def parameters_of(message: Message, *, flow_key: str, channel: str) -> Mapping[str, str]:
    """Return OSCAR_TRIGGERS["UTM"] with the words of one message; without those that are empty.

    `{variant}` is "-a", or "-a-b" behind two splits, and nothing where nothing was split.
    """
    words = {
        "{flow}": flow_key,
        "{step}": message.step_key,
        "{variant}": "".join(f"-{arm}" for _key, arm in sorted(message.variants.items())),
        "{channel}": channel,
    }
    filled: dict[str, str] = {}
    for name, pattern in triggers_settings().utm.items():
        text = pattern
        for place, word in words.items():
            text = text.replace(place, word)
        if text:
            filled[name] = text
    return filled
