"""Turns a draft's blocks into the engine's plain definition of a flow, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING
from datetime import timedelta
from typing import Any, Protocol

from wagtail.blocks import StreamValue

from oscar_triggers import conditions, events, steps
from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.kinds import Kind

from .blocks import BRANCH_PREFIX
from .blocks.options import (
    default_of,
    from_option,
    is_condition,
    is_condition_list,
    to_option,
)
from .rules import from_rules, to_rules

RawBlock = dict[str, Any]


class Draft(Protocol):
    """What the compiler reads of a flow draft."""

    key: str
    name: str
    trigger: StreamValue
    stream: str
    topic: str
    entry: StreamValue
    stay: StreamValue
    goals: list[str]
    include_waiting: bool
    max_lateness: timedelta
    on_doubt: str
    steps: StreamValue
    #: What becomes of people on their way: "keep", "move" or "stop".
    people: str
    rehearse: bool


def to_definition(draft: Draft) -> FlowDefinition:
    """Return a draft as a definition; what is missing stays empty, and is the check's to find."""
    triggers = list(draft.trigger)
    trigger = triggers[0] if triggers else None
    options: dict[str, Any] = {}
    if trigger is not None:
        event = events.registry.get(trigger.block_type)
        options = _options(event.options_class, trigger.value)
    return FlowDefinition(
        key=draft.key,
        name=draft.name,
        trigger=trigger.block_type if trigger is not None else "",
        trigger_options=options,
        stream=draft.stream,
        topic=draft.topic,
        entry=tuple(_conditions(draft.entry)),
        stay=tuple(_conditions(draft.stay)),
        goals=tuple(draft.goals or ()),
        include_waiting=draft.include_waiting,
        max_lateness=draft.max_lateness,
        on_doubt=draft.on_doubt,
        **to_rules(draft),
        steps=tuple(_steps(draft.steps)),
    )


def from_definition(definition: FlowDefinition) -> dict[str, Any]:
    """Return a definition as the values of a draft's fields; raises UnknownKind."""
    event = events.registry.get(definition.trigger)
    return {
        "key": definition.key,
        "name": definition.name,
        "trigger": [
            {
                "type": definition.trigger,
                "value": _raw_options(event.options_class, definition.trigger_options),
            }
        ],
        "stream": definition.stream,
        "topic": definition.topic,
        "entry": [_raw_condition(data) for data in definition.entry],
        "stay": [_raw_condition(data) for data in definition.stay],
        "goals": list(definition.goals),
        "include_waiting": definition.include_waiting,
        "max_lateness": definition.max_lateness,
        "on_doubt": definition.on_doubt,
        **from_rules(definition),
        "steps": [_raw_step(step) for step in definition.steps],
    }


def to_conditions(stream: StreamValue) -> list[dict[str, Any]]:
    """Return a stream of conditions as the engine keeps them."""
    return list(_conditions(stream))


def from_conditions(written: Iterable[Mapping[str, Any]]) -> list[RawBlock]:
    """Return conditions as the raw blocks of a stream; raises UnknownKind."""
    return [_raw_condition(data) for data in written]


def _steps(stream: StreamValue) -> Iterator[StepDefinition]:
    for child in stream:
        step = steps.registry.get(child.block_type)
        branches = {}
        for name in step.branches:
            inner = (child.value or {}).get(f"{BRANCH_PREFIX}{name}")
            if inner:
                branches[name] = tuple(_steps(inner))
        yield StepDefinition(
            key=child.id or "",
            kind=child.block_type,
            options=_options(step, child.value),
            branches=branches,
        )


def _conditions(stream: StreamValue) -> Iterator[dict[str, Any]]:
    for child in stream:
        yield _condition(child)


def _condition(child: Any) -> dict[str, Any]:
    condition = conditions.registry.get(child.block_type)
    return {"kind": child.block_type, **_options(condition, child.value)}


def _options(kind: type[Kind], value: Mapping[str, Any] | None) -> dict[str, Any]:
    types = kind.option_types()
    found: dict[str, Any] = {}
    for option in kind.option_fields():
        given = (value or {}).get(option.name)
        if is_condition(option, types[option.name]):
            given = _condition(given[0]) if given else None
        elif is_condition_list(option):
            given = list(_conditions(given)) if given else None
        stored = to_option(option, types[option.name], given)
        if stored is not MISSING:
            found[option.name] = stored
    return found


def _raw_step(step: StepDefinition) -> RawBlock:
    kind = steps.registry.get(step.kind)
    value = _raw_options(kind, step.options)
    if kind.branches:
        value = value or {}
        for name in kind.branches:
            value[f"{BRANCH_PREFIX}{name}"] = [
                _raw_step(child) for child in step.branches.get(name, ())
            ]
    return {"type": step.kind, "value": value, "id": step.key}


def _raw_condition(data: Mapping[str, Any]) -> RawBlock:
    kind = conditions.registry.get(str(data["kind"]))
    options = {name: value for name, value in data.items() if name != "kind"}
    return {"type": kind.kind, "value": _raw_options(kind, options)}


def _raw_options(kind: type[Kind], options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options as block values, with defaults where none was given."""
    types = kind.option_types()
    if not types:
        return None
    found: dict[str, Any] = {}
    for option in kind.option_fields():
        annotation = types[option.name]
        given = options.get(option.name, MISSING)
        if is_condition(option, annotation):
            missing = given is MISSING or not given
            found[option.name] = [] if missing else [_raw_condition(given)]
            continue
        if is_condition_list(option):
            found[option.name] = [] if given is MISSING else [_raw_condition(one) for one in given]
            continue
        if given is MISSING:
            given = default_of(option)
            if given is MISSING:
                continue
        found[option.name] = from_option(option, annotation, given)
    return found
