"""The engine's log as a shop owner reads it: codes in words, compared values as names and texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import is_aware, localtime
from django.utils.translation import pgettext

from oscar_triggers import channels, conditions, events
from oscar_triggers.conf import triggers_settings
from oscar_triggers.content import tags
from oscar_triggers.insight.words import VERDICTS, name_of
from oscar_triggers.models import (
    ConsentAction,
    ConsentBasis,
    DispatchState,
    Feedback,
    RequestState,
    Stream,
    SuppressionReason,
)

from .outline import duration_in_words
from .words import ABOUT, REASONS, RULES

#: UUIDs, and the short hashes of the editor's blocks.
_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: As decisions keep durations: "1d 12h".
_DURATION = re.compile(r"(\d+[wdhms] ?)+\Z")

_CHOICES: dict[str, dict[Any, Any]] = {
    "action": dict(ConsentAction.choices),
    "basis": dict(ConsentBasis.choices),
    "before": dict(DispatchState.choices),
    "feedback": dict(Feedback.choices),
    "limit": REASONS,
    "state": dict(RequestState.choices),
    "stream": dict(Stream.choices),
    "suppression": dict(SuppressionReason.choices),
}

_KINDS: dict[str, Any] = {
    "channel": channels.registry,
    "condition": conditions.registry,
    "event": events.registry,
    "or_event": events.registry,
}
#: Compared values that are keys of steps.
_STEPS = frozenset({"step", "from_step", "to_step"})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question of a tree of conditions: what was asked, the answer, and what was compared."""

    question: str
    holds: bool
    rows: tuple[tuple[str, str], ...] = ()
    #: The answers that this one joins.
    answers: tuple[Answer, ...] = ()


def in_words(code: str, known: Mapping[str, Any] = REASONS) -> str:
    """Return the words of a code; one that an extension brought reads as it is written."""
    if not code:
        return ""
    return str(known.get(code) or code.replace("_", " ").replace(":", ": "))


def reason_in_words(code: str) -> str:
    """Return the words of a reason: one of REASONS, or a condition that did not hold."""
    if code not in REASONS and code in conditions.registry:
        label = conditions.registry.get(code).label or code
        return pgettext("triggers", "“%(condition)s” did not hold") % {"condition": label}
    return in_words(code)


def verdict_in_words(code: str) -> str:
    """Return the words of a verdict: one of VERDICTS, or a branch that a step took."""
    return in_words(code, VERDICTS)


def rule_in_words(code: str, steps: Mapping[str, str] | None = None) -> str:
    """Return the words of a rule: one of RULES, a condition, an event, or a step of the flow.

    `steps` names the steps of the flow by their keys.
    """
    if steps and code in steps:
        return steps[code]
    for registry in (conditions.registry, events.registry):
        if code not in RULES and code in registry:
            return str(capfirst(registry.get(code).label or code))
    # The editor gives steps random keys.
    return str(RULES["step"]) if _RANDOM.fullmatch(code) else str(capfirst(in_words(code, RULES)))


def about_in_words(about_type: str, about_id: str) -> str:
    """Return what a message is about, as in "Basket 7"."""
    if about_type not in ABOUT:
        return f"{about_type} {about_id}"
    return str(ABOUT[about_type] % {"id": about_id})


def about_types() -> list[str]:
    """Return every type of thing that a message can be about, those of extensions too."""
    told = {kind for tag in tags.registry.values() for kind in tag.about_types}
    return sorted({*ABOUT, *told})


def compared_rows(
    compared: Mapping[str, Any],
    prefix: str = "",
    *,
    steps: Mapping[str, str] | None = None,
    kind: str = "",
) -> list[tuple[str, str]]:
    """Return compared values as names and texts; what belongs together stands in one line.

    Trees of conditions are left to compared_answers. `steps` names steps by their keys; `kind`
    is the condition that compared, where that is known.
    """
    rows: list[tuple[str, str]] = []
    asked = kind or str(compared.get("condition") or "")
    for name, value in compared.items():
        label = f"{prefix}{_name(name)}"
        if _is_tree(value):
            continue
        if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            rows.append((label, "; ".join(_together(one) for one in value)))
        elif isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
            rows += compared_rows(value, f"{label} › ", steps=steps)
        elif isinstance(value, Mapping):
            rows.append((label, _together(value) or "–"))
        elif steps and name in _STEPS and value in steps:
            rows.append((label, steps[value]))
        else:
            rows.append((label, _value(value, name, asked)))
    return rows


def compared_answers(compared: Mapping[str, Any]) -> tuple[Answer, ...]:
    """Return the answers of a tree of conditions, as {"of": [{"kind", "holds", "compared"}]}."""
    return tuple(_answer(one) for tree in compared.values() if _is_tree(tree) for one in tree)


def _answer(data: Mapping[str, Any]) -> Answer:
    inner = data.get("compared")
    compared: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
    kind = str(data["kind"])
    label = conditions.registry.get(kind).label if kind in conditions.registry else ""
    return Answer(
        question=str(capfirst(str(label or kind.replace("_", " ")))),
        holds=bool(data["holds"]),
        rows=tuple(compared_rows(compared, kind=kind)),
        answers=compared_answers(compared),
    )


def _is_tree(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(one, Mapping) and {"kind", "holds"} <= set(one) for one in value)
    )


def _together(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{_name(inner)} {_value(one, inner)}" for inner, one in value.items())


def _name(name: str) -> str:
    return name_of(name)


def _choices_of(kind: str, name: str) -> dict[Any, Any]:
    """Return the labels of an option's choices, as the form of its condition shows them."""
    if kind not in conditions.registry:
        return {}
    for option in conditions.registry.get(kind).option_fields():
        if option.name == name and option.metadata.get("choices") is not None:
            return dict(option.metadata["choices"]())
    return {}


def _value(value: Any, name: str = "", asked: str = "") -> str:
    """Return one value as staff read it; moments in their time zone."""
    if isinstance(value, bool):
        return pgettext("triggers", "yes") if value else pgettext("triggers", "no")
    if isinstance(value, list):
        return ", ".join(_value(item, name, asked) for item in value) or "–"
    if value is None or value == "":
        return "–"
    if name in _CHOICES:
        return str(_CHOICES[name].get(value, value))
    if label := _choices_of(asked, name).get(value):
        return str(label)
    if name in ("topic", "consent_topic"):
        return str(triggers_settings().topics.get(value, value))
    if name in _KINDS and value in _KINDS[name]:
        return str(_KINDS[name].get(value).label or value)
    if isinstance(value, str) and _DURATION.match(value):
        return duration_in_words(value)
    if isinstance(value, str) and len(value) >= len("2026-01-01T00:00"):
        try:
            moment = parse_datetime(value)
        except ValueError:
            moment = None
        if moment is not None and is_aware(moment):
            return date_format(localtime(moment), "DATETIME_FORMAT")
    return str(value)
