"""Blocks made from the registries: a trigger, conditions, and steps with their branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import pgettext_lazy
from wagtail import blocks

from oscar_triggers import conditions, definitions, events, steps
from oscar_triggers.kinds import Kind

from .options import option_block

BRANCH_PREFIX = "branch_"
FORK_ICON = "triggers-flow"
BRANCH_LABELS = {
    "yes": pgettext_lazy("triggers", "If yes"),
    "no": pgettext_lazy("triggers", "If no"),
}


class NoOptionsBlock(blocks.StaticBlock):
    """A kind without options: it is enough that it stands there."""

    class Meta:
        admin_text = pgettext_lazy("triggers", "Nothing to set here.")


class KindBlock(blocks.StructBlock):
    """A kind's options as fields, and each of its branches as steps."""


class OneOfBlock(blocks.StreamBlock):
    """One thing out of a registry."""


def stream_block(registry: str) -> blocks.StreamBlock:
    """Return a new stream of what a registry holds now; `registry` is a key of STREAMS."""
    return STREAMS[registry]()


def trigger_stream() -> blocks.StreamBlock:
    """Return the events that can start a flow, with the options of a trigger."""
    return OneOfBlock(
        [
            (kind, _kind_block(event, event.options_class))
            for kind, event in events.registry.items()
            if event.can_trigger
        ]
    )


def condition_stream() -> blocks.StreamBlock:
    """Return the conditions, any number of them."""
    return blocks.StreamBlock(
        [(kind, _kind_block(found, found)) for kind, found in conditions.registry.items()]
    )


def step_stream(depth: int = 1) -> blocks.StreamBlock:
    """Return the steps, those with branches down to definitions.MAX_DEPTH.

    Blocks of one depth share one inner stream, so that the page grows with the depth and not
    with the number of kinds that branch.
    """
    children = step_stream(depth + 1) if depth < definitions.MAX_DEPTH else None
    found: list[tuple[str, blocks.Block]] = []
    for kind, step in steps.registry.items():
        if step.branches and children is None:
            continue
        branches = [
            (
                f"{BRANCH_PREFIX}{name}",
                _branch_stream(children, BRANCH_LABELS.get(name, capfirst(name))),
            )
            for name in step.branches
            if children is not None
        ]
        icon = FORK_ICON if step.branches else step.icon
        found.append((kind, _kind_block(step, step, extra=branches, icon=icon)))
    return blocks.StreamBlock(found)


def _branch_stream(children: blocks.StreamBlock, label: Any) -> blocks.StreamBlock:
    return blocks.StreamBlock(
        list(children.child_blocks.items()), required=False, label=label, collapsed=False
    )


def _condition_choice(**kwargs: Any) -> blocks.StreamBlock:
    return OneOfBlock(
        [(kind, _kind_block(found, found)) for kind, found in conditions.registry.items()],
        max_num=1,
        **kwargs,
    )


def _kind_block(
    shown: type[Kind],
    options: type[Kind],
    *,
    extra: list[tuple[str, blocks.Block]] | None = None,
    icon: str = "sliders",
) -> blocks.Block:
    """Build the block of a kind: `shown` names it, `options` is the class of its options."""
    types = options.option_types()
    children: list[tuple[str, blocks.Block]] = [
        (option.name, option_block(option, types[option.name], _condition_choice))
        for option in options.option_fields()
    ]
    children += extra or []
    label = capfirst(shown.label or shown.kind.replace("_", " "))
    if not children:
        return NoOptionsBlock(label=label, icon=icon, admin_text=shown.description or label)
    return KindBlock(children, label=label, icon=icon, help_text=shown.description or None)


STREAMS: dict[str, Callable[[], blocks.StreamBlock]] = {
    "events": trigger_stream,
    "conditions": condition_stream,
    "steps": step_stream,
}
