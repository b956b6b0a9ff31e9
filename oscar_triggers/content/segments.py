"""Segments: how many messages a provider bills for one SMS, and which characters make them more.

By 3GPP TS 23.038 and 23.040: a text is sent in the GSM 7 bit alphabet where all of its characters
are in it, and in UCS-2 otherwise. National shift tables are not used.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Encoding(StrEnum):
    """How an SMS is written on its way."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


#: The alphabet of 7 bits; its ESC, 0x1B, is no character.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Written as ESC and another character, which are never parted.
EXTENSION = frozenset("\f^{}\\[~]|€")

#: What fits into one message that stands alone, and into each of several.
ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}

_BEYOND_UCS2 = 0xFFFF
_LOOKALIKES = {
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛‹›′´`", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", " "),
    **dict.fromkeys("\u00ad\u200b\u200d\u2060\ufe0f\ufeff", ""),
    **dict.fromkeys("•·", "-"),
    "…": "...",
    "×": "x",
    "œ": "oe",
    "Œ": "OE",
}


@dataclass(frozen=True, kw_only=True)
class Count:
    """What a text costs."""

    encoding: Encoding
    #: Characters as a person counts them, and what they take of the encoding's units.
    characters: int
    units: int
    segments: int
    #: Units that the last segment still takes.
    left: int


@dataclass(frozen=True, kw_only=True)
class Costly:
    """A character that makes a text cost more than it looks."""

    character: str
    #: Its name in Unicode, as "LEFT DOUBLE QUOTATION MARK".
    name: str
    times: int
    #: Where it stands first: the number of the character, from 1.
    first: int
    #: What says the same in the GSM alphabet; None where nothing does, "" where it can go.
    lookalike: str | None


def count(text: str) -> Count:
    """Count a text that is filled already."""
    encoding = encoding_of(text)
    sizes = [_size(character, encoding) for character in text]
    units = sum(sizes)
    if units <= ALONE[encoding]:
        segments, left = min(units, 1), ALONE[encoding] - units
    else:
        segments, left = _packed(sizes, JOINED[encoding])
    return Count(encoding=encoding, characters=len(text), units=units, segments=segments, left=left)


def encoding_of(text: str) -> Encoding:
    """Return how a text is written: one character of another alphabet changes it all."""
    in_gsm = all(one in BASIC or one in EXTENSION for one in text)
    return Encoding.GSM7 if in_gsm else Encoding.UCS2


def strange(text: str) -> list[Costly]:
    """Return the characters for which a text cannot be written in the GSM alphabet."""
    return list(_named(text, lambda one: one not in BASIC and one not in EXTENSION))


def doubled(text: str) -> list[Costly]:
    """Return the characters that count as two in the GSM alphabet."""
    return list(_named(text, EXTENSION.__contains__))


def lookalike(character: str) -> str | None:
    """Return what says the same in the GSM alphabet; None where nothing does."""
    if character in BASIC or character in EXTENSION:
        return character
    if character in _LOOKALIKES:
        return _LOOKALIKES[character]
    for form in ("NFKC", "NFKD"):
        plain = "".join(
            _LOOKALIKES.get(one, one)
            for one in unicodedata.normalize(form, character)
            if not unicodedata.combining(one)
        )
        if plain and all(one in BASIC or one in EXTENSION for one in plain):
            return plain
    return None


def replaced(text: str) -> str:
    """Return a text with look-alikes wherever there are some."""
    return "".join(one if (plain := lookalike(one)) is None else plain for one in text)


def _size(character: str, encoding: Encoding) -> int:
    is_long = character in EXTENSION if encoding is Encoding.GSM7 else ord(character) > _BEYOND_UCS2
    return 2 if is_long else 1


def _packed(sizes: list[int], capacity: int) -> tuple[int, int]:
    """Return how many segments hold the characters, none cut in two, and what is left of the last."""
    segments, left = 1, capacity
    for size in sizes:
        if size > left:
            segments, left = segments + 1, capacity
        left -= size
    return segments, left


def _named(text: str, is_meant: Callable[[str], bool]) -> Iterator[Costly]:
    for character, times in Counter(filter(is_meant, text)).items():
        yield Costly(
            character=character,
            name=unicodedata.name(character, f"U+{ord(character):04X}"),
            times=times,
            first=text.index(character) + 1,
            lookalike=None if character in EXTENSION else lookalike(character),
        )
