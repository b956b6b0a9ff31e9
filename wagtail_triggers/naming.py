"""Naming: steps by their place and label, because the editor's keys are random."""

from __future__ import annotations

from django.utils.text import capfirst

from oscar_triggers import steps
from oscar_triggers.definitions import FlowDefinition


def step_names(definition: FlowDefinition) -> dict[str, str]:
    """Return every step by its key, as "2. Send a message"."""
    found = {}
    for number, (step, *_rest) in enumerate(definition.walk(), start=1):
        label = steps.registry.get(step.kind).label if step.kind in steps.registry else ""
        found[step.key] = f"{number}. {capfirst(str(label or step.kind))}"
    return found
