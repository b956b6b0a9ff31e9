"""Why did they get it, or not? The story of one person and one flow, with steps by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from oscar_triggers.insight.explain import explain
from oscar_triggers.insight.lines import Line
from oscar_triggers.models import Flow, Message


def story_of(message: Message, steps: Mapping[str, str], now: datetime) -> list[Line]:
    """Return what happened to a message's reader in its flow, oldest line first.

    `steps` names the flow's steps by their keys, which in the editor are random. Nothing for a
    test and for a message of nobody; no line holds an address.
    """
    if message.flow is None or message.contact_id is None:
        return []
    return tell(message.contact_id, message.flow, steps, now)


def tell(contact_id: int, flow: Flow, steps: Mapping[str, str], now: datetime) -> list[Line]:
    """Return what happened to a person in a flow, also where they never came into it."""
    told = explain(contact_id, flow, now=now)
    known = "|".join(re.escape(key) for key in sorted(steps, key=len, reverse=True))
    quoted = re.compile(rf"(?<=[“„«\"])(?:{known})(?=[”“»\"])") if steps else None
    return [
        Line(
            moment=line.moment,
            text=_as_sentence(
                quoted.sub(lambda found: steps[found[0]], line.text) if quoted else line.text
            ),
            tone=line.tone,
        )
        for line in told.lines
    ]


def _as_sentence(text: str) -> str:
    """Return a sentence with one full stop, also after a time that ends in "a.m."."""
    return f"{text[:-2]}." if text.endswith("..") else text
