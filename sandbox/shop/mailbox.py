"""Letters as files: `<id>.eml` each, and an index to which every arrival appends one line."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

_LETTER_ID = re.compile(r"[0-9a-z-]{10,40}")
_INDEX = "index.jsonl"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One line of the index: what came, for whom, when."""

    id: str
    #: UTC, ISO 8601.
    arrived_at: str
    sender: str
    recipients: list[str]
    subject: str
    #: Bytes on the wire.
    size: int

    @property
    def arrived(self) -> datetime:
        """Return when it came."""
        return datetime.fromisoformat(self.arrived_at)


def keep(folder: Path, sender: str, recipients: Sequence[str], raw: bytes) -> Arrival:
    """Write a letter and then its line in the index; both survive a kill in between."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    arrival = Arrival(
        id=f"{now:%Y%m%dt%H%M%S}-{now.microsecond:06d}-{secrets.token_hex(3)}",
        arrived_at=now.isoformat(),
        sender=sender,
        recipients=list(recipients),
        subject=str(parsed(raw).get("Subject", "")),
        size=len(raw),
    )
    (folder / f"{arrival.id}.eml").write_bytes(raw)
    line = json.dumps(asdict(arrival), ensure_ascii=False) + "\n"
    # O_APPEND makes each line whole, however many sinks write.
    descriptor = os.open(folder / _INDEX, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    return arrival


def arrivals(folder: Path) -> list[Arrival]:
    """Return what arrived, oldest first."""
    index = folder / _INDEX
    if not index.exists():
        return []
    lines = index.read_text(encoding="utf-8").splitlines()
    return [Arrival(**json.loads(line)) for line in lines if line]


def raw(folder: Path, letter_id: str) -> bytes | None:
    """Return a letter as it came over the wire, None when there is none of this id."""
    path = folder / f"{letter_id}.eml"
    if not _LETTER_ID.fullmatch(letter_id) or not path.exists():
        return None
    return path.read_bytes()


def parsed(raw_letter: bytes) -> EmailMessage:
    """Parse a letter."""
    message = message_from_bytes(raw_letter, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, subtype: str) -> str:
    """Return the text of the first part of a subtype ("html", "plain"), "" when there is none."""
    body = message.get_body(preferencelist=(subtype,))
    if body is None or body.get_content_subtype() != subtype:
        return ""
    return str(body.get_content())
