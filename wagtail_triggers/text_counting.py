"""What a text costs, as it would arrive: counted for the sample, and for the worst of the samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import npgettext, pgettext

from oscar_triggers.content import segments
from oscar_triggers.content.coding import LetterTooLong
from oscar_triggers.content.compiling import compile_for
from oscar_triggers.content.letters import CompiledLetter
from oscar_triggers.content.segments import Costly, Count, Encoding
from oscar_triggers.content.values import UnfitValue
from oscar_triggers.engine.specimens import specimen
from oscar_triggers.exceptions import TemplateError

from .people import PreviewValues, every_sample, preview_values
from .publishing import letter_source
from .texts import channel_of

#: More segments than these are said aloud: each is paid for, with every message.
MANY_SEGMENTS = 3
#: So many characters are named; a text in another alphabet would name all of it.
MOST_NAMED = 6

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VISIBLE = {"\n": "↵", "\f": "FF", "\t": "TAB"}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A character that costs, in the words of the counter."""

    character: str
    name: str
    shown: str
    text: str
    #: What is written for it when it is replaced; None where nothing says the same.
    lookalike: str | None = None


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What is said beside the text."""

    #: The text as it would arrive.
    text: str = ""
    #: One sentence each: how long it is, how long the worst sample is, what is too much.
    sentences: tuple[str, ...] = ()
    costs: tuple[Cost, ...] = ()
    #: What is said below the characters that cost.
    hint: str = ""
    #: What keeps it from being published.
    problems: tuple[str, ...] = ()
    #: What does not, and is worth a look.
    warning: str = ""
    note: str = ""


def counted(draft: Any, *, personal: bool, now: datetime) -> Counted:
    """Count a draft of a text, saved or not."""
    channel = channel_of(draft)
    try:
        compiled = compile_for(draft.channel, letter_source(draft))
        chosen = preview_values(
            getattr(draft, "preview_as", ""), draft.language, personal=personal, now=now
        )
        text = _filled(compiled, chosen)
    except TemplateError as error:
        return Counted(problems=tuple(str(capfirst(one.message)) for one in error.problems))
    except (UnfitValue, LetterTooLong) as error:
        return Counted(problems=(str(error),))
    assert channel is not None
    worst, whose = _worst(compiled, draft.language, channel.counts_segments, now)
    sentences = [_length(text, channel.counts_segments, channel.longest)]
    if _measure(worst, channel.counts_segments) > _measure(text, channel.counts_segments):
        sentences.append(
            pgettext("triggers", "The longest among the samples, %(sample)s: %(length)s")
            % {"sample": whose, "length": _length(worst, channel.counts_segments, channel.longest)}
        )
    else:
        worst = text
    problems = []
    if channel.longest and len(worst) > channel.longest:
        problems.append(
            pgettext(
                "triggers",
                "With a sample it has %(length)d characters, and the channel takes %(longest)d. "
                "Make it shorter.",
            )
            % {"length": len(worst), "longest": channel.longest}
        )
    costs, hint = _costs(draft.text, text) if channel.counts_segments else ((), "")
    return Counted(
        text=text,
        sentences=tuple(sentences),
        costs=costs,
        hint=hint,
        problems=tuple(problems),
        warning=_warning(segments.count(worst)) if channel.counts_segments else "",
        note=chosen.note,
    )


def _filled(compiled: CompiledLetter, chosen: PreviewValues) -> str:
    return specimen(compiled, chosen.values, time_zone=chosen.time_zone).text


def _worst(
    compiled: CompiledLetter, language: str, counts_segments: bool, now: datetime
) -> tuple[str, str]:
    """Return the longest of the filled samples, and whose it is; nobody's name is used."""
    worst, whose = "", ""
    for label, sample in every_sample(language, now) if compiled.paths else ():
        try:
            text = _filled(compiled, sample)
        except (UnfitValue, LetterTooLong):
            continue
        if _measure(text, counts_segments) > _measure(worst, counts_segments):
            worst, whose = text, label
    return worst, whose


def _measure(text: str, counts_segments: bool) -> tuple[int, int]:
    if not counts_segments:
        return (len(text), 0)
    found = segments.count(text)
    return (found.segments, found.units)


def _length(text: str, counts_segments: bool, longest: int) -> str:
    """Say how long a filled text is, in what its channel counts."""
    found = segments.count(text)
    said = npgettext(
        "triggers", "%(number)d character", "%(number)d characters", found.characters
    ) % {"number": found.characters}
    if longest:
        said = pgettext("triggers", "%(characters)s of %(longest)d that fit") % {
            "characters": said,
            "longest": longest,
        }
    if not counts_segments:
        return f"{said}."
    cost = npgettext("triggers", "%(number)d segment", "%(number)d segments", found.segments) % {
        "number": found.segments
    }
    rest = npgettext(
        "triggers",
        "%(number)d more fits into the last one",
        "%(number)d more fit into the last one",
        found.left,
    ) % {"number": found.left}
    return f"{said}, {found.encoding}, {cost}; {rest}."


def _costs(written: str, text: str) -> tuple[tuple[Cost, ...], str]:
    """Name the characters for which a text costs more, and what it would cost without."""
    now = segments.count(text)
    if now.encoding is Encoding.UCS2:
        named = segments.strange(text)
        costs = tuple(_cost(one, written, twice=False) for one in named[:MOST_NAMED])
        return costs, _hint(named, now, text, written)
    doubled = segments.doubled(text)
    return tuple(_cost(one, written, twice=True) for one in doubled[:MOST_NAMED]), ""


def _hint(named: list[Costly], now: Count, text: str, written: str) -> str:
    said = []
    more = len(named) - MOST_NAMED
    if more > 0:
        said.append(
            npgettext(
                "triggers",
                "And %(number)d other character that is not in GSM-7.",
                "And %(number)d other characters that are not in GSM-7.",
                more,
            )
            % {"number": more}
        )
    plain = segments.count(segments.replaced(text))
    if any(not _place(one.character, written) for one in named):
        return " ".join(said)  # What comes with personal data stays.
    if plain.encoding is Encoding.GSM7 and plain.segments < now.segments:
        said.append(
            npgettext(
                "triggers",
                "With all of them replaced it would be %(number)d segment in GSM-7.",
                "With all of them replaced it would be %(number)d segments in GSM-7.",
                plain.segments,
            )
            % {"number": plain.segments}
        )
    return " ".join(said)


def _cost(one: Costly, written: str, *, twice: bool) -> Cost:
    place = _place(one.character, written)
    said = {"name": one.name.lower(), "times": one.times, "place": place, "first": one.first}
    if twice:
        text = pgettext("triggers", "%(name)s counts as two, at character %(first)d of the message")
    elif place:
        text = npgettext(
            "triggers",
            "%(name)s, at character %(place)d of your text",
            "%(name)s, %(times)d times, first at character %(place)d of your text",
            one.times,
        )
    else:
        text = pgettext(
            "triggers",
            "%(name)s, at character %(first)d of the message: it comes with personal data",
        )
    return Cost(
        character=one.character,
        name=one.name.lower(),
        shown=_VISIBLE.get(one.character, one.character),
        text=text % said,
        # What comes with personal data cannot be replaced here.
        lookalike=one.lookalike if place else None,
    )


def _place(character: str, written: str) -> int:
    """Return where an author wrote a character outside of merge tags, from 1; 0 for nowhere."""
    without = _TAG.sub(lambda found: "\0" * len(found[0]), written)
    return without.find(character) + 1


def _warning(found: Count) -> str:
    if found.segments <= MANY_SEGMENTS:
        return ""
    return pgettext(
        "triggers",
        "One message costs %(number)d segments (%(encoding)s), and each is paid for. A text of "
        "up to %(fits)d characters is one.",
    ) % {
        "number": found.segments,
        "encoding": found.encoding,
        "fits": segments.ALONE[found.encoding],
    }
