"""What a browser would post from the editor's forms."""

from __future__ import annotations

from typing import Any

from wagtail_triggers.models import FlowDraft, TemplateDraft


def stream(prefix: str, raw: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the inputs of a stream of blocks, from what is stored of it."""
    data: dict[str, Any] = {f"{prefix}-count": len(raw)}
    for number, block in enumerate(raw):
        place = f"{prefix}-{number}"
        data |= {
            f"{place}-deleted": "",
            f"{place}-order": number,
            f"{place}-type": block["type"],
            f"{place}-id": block.get("id") or "",
        }
        data |= _value(f"{place}-value", block["value"])
    return data


def _value(prefix: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        data: dict[str, Any] = {}
        for name, inner in value.items():
            data |= _value(f"{prefix}-{name}", inner)
        return data
    if isinstance(value, list):
        return stream(prefix, value)
    return {} if value is None else {prefix: value}


def flow_form(draft: FlowDraft, **changes: Any) -> dict[str, Any]:
    """Return a flow's form as it would be posted; streams in `changes` are lists of blocks."""
    data: dict[str, Any] = {
        "name": draft.name,
        "key": draft.key,
        "stream": draft.stream,
        "topic": draft.topic,
        "goals": draft.goals,
        "max_lateness_amount": "12",
        "max_lateness_unit": "h",
        "on_doubt": draft.on_doubt,
        "reentry": draft.reentry,
        "priority": draft.priority,
        "when_limited": draft.when_limited,
        "holdout": draft.holdout,
        "attribution_window_amount": "5",
        "attribution_window_unit": "d",
        "people": draft.people,
    }
    for name in ("trigger", "entry", "stay", "steps"):
        field = getattr(draft, name)
        raw = changes.pop(name, None)
        data |= stream(name, field.stream_block.get_prep_value(field) if raw is None else raw)
    return {**data, **changes}


def template_form(draft: TemplateDraft, **changes: Any) -> dict[str, Any]:
    """Return a template's form as it would be posted."""
    names = ("name", "key", "language", "subject", "preheader", "body", "text")
    return {**{name: getattr(draft, name) for name in names}, "preview_as": "", **changes}
