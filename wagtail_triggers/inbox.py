"""How a letter shows in an inbox: how much of its first line is seen, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import pgettext

from oscar_triggers.content.letters import Letter

#: What most phones show of a subject, and of the preheader after it.
SUBJECT_SEEN = 40
PREHEADER_SEEN = 90
#: Gmail cuts off what is longer, in bytes, and with it the link to unsubscribe.
CUT_OFF = 102 * 1024
#: What is not published, in bytes: half of what the engine sends at all (coding.MAX_LENGTH), for
#: a real basket is longer than a sample, and a letter that grows over that reaches nobody.
REFUSED = 500 * 1024


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """The line of an inbox, and what is to be said about it."""

    hints: tuple[str, ...]
    #: In kB of 1,024 bytes, and as a share of CUT_OFF, at most 100.
    size: int
    percent: int
    #: Whether the letter must become shorter before it is published.
    is_refused: bool = False

    @property
    def is_too_large(self) -> bool:
        """Say whether Gmail would cut the letter off."""
        return self.percent >= 100


def inbox_of(letter: Letter) -> Inbox:
    """Return how a filled letter shows in an inbox."""
    length = len(letter.html.encode())
    return Inbox(
        hints=tuple(_hints(letter)),
        size=round(length / 1024),
        percent=min(length * 100 // CUT_OFF, 100),
        is_refused=length > REFUSED,
    )


def size_remark(inbox: Inbox) -> str:
    """Say that a letter is too large and what to shorten; nothing for one that is not."""
    if not inbox.is_too_large:
        return ""
    if inbox.is_refused:
        message = pgettext(
            "triggers",
            "The letter has %(size)d kB; over %(limit)d kB it is not published. Take out blocks "
            "or long texts, and show fewer products.",
        )
        return message % {"size": inbox.size, "limit": REFUSED // 1024}
    message = pgettext(
        "triggers",
        "The letter has %(size)d kB; Gmail cuts it off after %(limit)d kB, and with the rest the "
        "link to unsubscribe. Take out blocks or long texts, or show fewer products.",
    )
    return message % {"size": inbox.size, "limit": CUT_OFF // 1024}


def _hints(letter: Letter) -> list[str]:
    found: list[str] = []

    def say(text: Any, **values: Any) -> None:
        found.append(str(text) % values)

    if len(letter.subject) > SUBJECT_SEEN:
        say(
            pgettext(
                "triggers",
                "The subject has %(length)d characters; phones show about %(seen)d of them.",
            ),
            length=len(letter.subject),
            seen=SUBJECT_SEEN,
        )
    if not letter.preheader:
        found.append(
            pgettext("triggers", "Without a preheader, inboxes show the first words of the letter.")
        )
    elif len(letter.preheader) > PREHEADER_SEEN:
        say(
            pgettext(
                "triggers",
                "The preheader has %(length)d characters; inboxes show about %(seen)d of them.",
            ),
            length=len(letter.preheader),
            seen=PREHEADER_SEEN,
        )
    return found
