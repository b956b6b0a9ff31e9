"""Reading again what was said: a sent message is its text plus the values it was filled with."""

from __future__ import annotations

from ..content import rendering
from ..content.letters import CompiledLetter, Letter
from ..content.values import from_json
from ..models import Message


def letter_of(message: Message) -> Letter | None:
    """Return the letter of a message exactly as it was filled; None when its values are gone.

    Values are gone before the message was composed, and after its contact was erased.
    """
    payload = message.payload
    if not payload:
        return None
    if "letter" in payload:
        stored = payload["letter"]
        return Letter(
            subject=stored["subject"], preheader="", html=stored["html"], text=stored["text"]
        )
    if message.template_version is None:
        return None
    compiled = CompiledLetter.from_json(message.template_version.compiled)
    return rendering.fill(
        compiled,
        from_json(payload["values"]),
        language=compiled.language,
        time_zone=payload["time_zone"],
    )
