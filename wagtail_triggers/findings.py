"""What is wrong or odd in a draft, in the words and at the places of its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import pgettext

from oscar_triggers import events
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import checking
from oscar_triggers.engine.checking import Finding, Level
from oscar_triggers.exceptions import InvalidOptions, UnknownKind

from .blocks.choices import template_choices
from .checking import FIELDS, FORM_FIELDS, SEPARATOR
from .compiler import Draft, to_definition
from .models import FlowDraft
from .naming import step_names

#: A letter inside a place, as in "letter-1 (en)".
_LETTER = re.compile(r"(?P<key>[a-z0-9_-]+) \((?P<language>[\w-]+)\)\Z")
_EVENT = re.compile(r"['“](?P<kind>[a-z_]+)['”]")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One finding as the panel shows it."""

    is_error: bool
    text: str
    #: What to do, one sentence; "" where the text says it.
    advice: str
    #: Where it stands, in words.
    where: str
    #: Where it stands in the form: "block:<id>", "field:<name>" or "".
    place: str


def findings_of(draft: Draft) -> list[Row]:
    """Return what the engine would refuse, and then what it finds odd."""
    try:
        definition = to_definition(draft)
    except (UnknownKind, InvalidOptions) as error:
        broken = Row(is_error=True, text=str(error), advice="", where="", place="field:steps")
        return [broken]
    names = step_names(definition)
    letters = dict(template_choices())
    return [
        _row(finding, definition, names, letters) for finding in checking.findings_of(definition)
    ]


def _row(
    finding: Finding,
    definition: FlowDefinition,
    names: Mapping[str, str],
    letters: Mapping[str, str],
) -> Row:
    first, *rest = finding.where.split(SEPARATOR)
    place, where = "", ""
    if first == "steps" and rest and rest[0] in names:
        place, where = f"block:{rest[0]}", names[rest[0]]
        rest = rest[1:]
    elif first:
        field = FIELDS.get(first, first).partition("[")[0]
        place = f"field:{field}" if field in FORM_FIELDS else ""
        where = _field_name(field) if place else first
    where = SEPARATOR.join([one for one in [where, *(_said(one, letters) for one in rest)] if one])
    if finding.line:
        where += ", " + pgettext("triggers", "line %(number)d") % {"number": finding.line}
    return Row(
        is_error=finding.level == Level.ERROR,
        text=_sentence(finding.message, names),
        advice=_sentence(finding.advice, names),
        where=where,
        place=place,
    )


def _field_name(field: str) -> str:
    found: Any = FlowDraft._meta.get_field(field)
    return str(capfirst(str(found.verbose_name)))


def _said(part: str, letters: Mapping[str, str]) -> str:
    found = _LETTER.match(part)
    if found is None or found["key"] not in letters:
        return part
    return f"“{letters[found['key']]}” ({found['language']})"


def _sentence(text: str, names: Mapping[str, str]) -> str:
    """Return a message as a sentence; keys of steps and kinds of events by their names."""
    for key, name in names.items():
        text = text.replace(f"“{key}”", f"“{name}”").replace(f"'{key}'", f"“{name}”")
    text = _EVENT.sub(_event, text)
    return f"{capfirst(text)}." if text and text[-1] not in ".!?" else str(capfirst(text))


def _event(found: re.Match[str]) -> str:
    kind = found["kind"]
    if kind not in events.registry:
        return found[0]
    return f"“{events.registry.get(kind).label or kind}”"
