"""What a browser would post from the editor's forms."""

from __future__ import annotations

from typing import Any

from wagtail.blocks import RichTextBlock, StreamBlock, StructBlock

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
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return {prefix: value}
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
    """Return a template's form as it would be posted; `blocks` in `changes` is a list of blocks."""
    names = ("name", "key", "language", "subject", "preheader", "body", "text")
    raw = changes.pop("blocks", None)
    if raw is None:
        raw = draft.blocks.stream_block.get_prep_value(draft.blocks)
    data = {name: getattr(draft, name) for name in names}
    posted = _as_posted(draft.blocks.stream_block, raw)
    return {**data, **stream("blocks", posted), "preview_as": "", **changes}


def text_form(draft: TemplateDraft, **changes: Any) -> dict[str, Any]:
    """Return the form of a text as it would be posted."""
    names = ("name", "key", "language", "channel", "text")
    return {**{name: getattr(draft, name) for name in names}, "preview_as": "", **changes}


def _as_posted(block: Any, value: Any) -> Any:
    """Return what is stored of a block as its inputs hold it: rich text is Draftail's JSON."""
    if isinstance(block, RichTextBlock):
        return block.field.widget.format_value(value or "")
    if isinstance(block, StreamBlock):
        return [
            {**one, "value": _as_posted(block.child_blocks[one["type"]], one["value"])}
            for one in value or ()
        ]
    if isinstance(block, StructBlock):
        # A browser posts every field, those that were not touched with their defaults.
        stored = {**block.get_prep_value(block.get_default()), **(value or {})}
        return {
            name: _as_posted(child, stored.get(name)) for name, child in block.child_blocks.items()
        }
    if isinstance(value, bool):
        return "on" if value else None
    return value
