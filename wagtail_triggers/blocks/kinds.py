"""Blocks made from the registries: a trigger, conditions, and steps with their branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import pgettext_lazy
from wagtail import blocks

from oscar_triggers import conditions, definitions, events, steps
from oscar_triggers.kinds import Kind

from ..letter_blocks.streams import letter_stream
from . import groups
from .options import is_condition, is_condition_list, option_block
from .shown import Pictured, label_of
from .summaries import summary_format
from .ways import BRANCH_LABELS

BRANCH_PREFIX = "branch_"
FORK_ICON = "triggers-flow"
#: Icons that steps name and Wagtail draws under another name.
ICONS = {"bell": "comment"}
#: How deep conditions that join others may stand in each other.
MAX_TREE_DEPTH = 4


class NoOptionsBlock(Pictured, blocks.StaticBlock):
    """A kind without options: it is enough that it stands there."""

    class Meta:
        admin_text = pgettext_lazy("triggers", "Nothing to set here.")


class KindBlock(Pictured, blocks.StructBlock):
    """A kind's options as fields, and each of its branches as steps."""

    _found: list[CheckMessage] | None = None

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Return what is wrong with the block, looked for once.

        Blocks of one depth are shared by all streams that offer them, and Wagtail looks into each
        stream anew: at three levels that is 700,000 looks into the same few hundred blocks, ten
        seconds of each `manage.py` command.
        """
        if self._found is None:
            self._found = super().check(**kwargs)
        return self._found


class OneOfBlock(blocks.StreamBlock):
    """One thing out of a registry."""


def stream_block(registry: str) -> blocks.StreamBlock:
    """Return a new stream of what a registry holds now; `registry` is a key of STREAMS."""
    return STREAMS[registry]()


def trigger_stream() -> blocks.StreamBlock:
    """Return the events that can start a flow, with the options of a trigger."""
    questions = Questions()
    return OneOfBlock(
        [
            (kind, _kind_block(event, event.options_class, questions))
            for kind, event in events.registry.items()
            if event.can_trigger and event.is_offered
        ]
    )


def condition_stream() -> blocks.StreamBlock:
    """Return the conditions, any number of them."""
    return Questions().stream(many=True)


def segment_stream() -> blocks.StreamBlock:
    """Return the conditions that can be asked of a person outside any flow."""
    return Questions(of_people=True).stream(many=True)


def step_stream(depth: int = 1, questions: Questions | None = None) -> blocks.StreamBlock:
    """Return the steps, those with branches down to definitions.MAX_DEPTH.

    Blocks of one depth share one inner stream, so that the page grows with the depth and not
    with the number of kinds that branch; all share the same questions.
    """
    questions = questions or Questions()
    children = step_stream(depth + 1, questions) if depth < definitions.MAX_DEPTH else None
    found: list[tuple[str, blocks.Block]] = []
    for kind, step, group in groups.in_groups(steps.registry.items(), groups.STEPS):
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
        icon = FORK_ICON if step.branches else ICONS.get(step.icon, step.icon)
        block = _kind_block(step, step, questions, extra=branches, icon=icon, group=group)
        found.append((kind, block))
    return blocks.StreamBlock(found)


def _branch_stream(children: blocks.StreamBlock, label: Any) -> blocks.StreamBlock:
    return blocks.StreamBlock(
        list(children.child_blocks.items()), required=False, label=label, collapsed=False
    )


class Questions:
    """Conditions as blocks, with those that join others down to MAX_TREE_DEPTH.

    The blocks of one depth are made once and shared by all streams that offer them.
    """

    def __init__(self, depth: int = 1, *, of_people: bool = False) -> None:
        self.depth = depth
        #: Whether only those are offered that need no flow around them.
        self.of_people = of_people

    @cached_property
    def inner(self) -> Questions:
        """Return the questions that a joining condition may join."""
        return Questions(self.depth + 1, of_people=self.of_people)

    @cached_property
    def children(self) -> list[tuple[str, blocks.Block]]:
        """Return the block of each kind of condition that is offered at this depth."""
        return [
            (kind, _kind_block(found, found, self.inner, icon="help", group=group))
            for kind, found, group in groups.in_groups(
                conditions.registry.items(), groups.CONDITIONS
            )
            if self.depth < MAX_TREE_DEPTH or not joins_conditions(found)
            if not self.of_people or found.fits_segments()
        ]

    def stream(self, *, many: bool = False, **kwargs: Any) -> blocks.StreamBlock:
        """Return a stream of one condition, or of any number of them."""
        if many:
            return blocks.StreamBlock(self.children, **kwargs)
        return OneOfBlock(self.children, max_num=1, **kwargs)


def joins_conditions(condition: type[Kind]) -> bool:
    """Say whether a condition is made of other conditions."""
    types = condition.option_types()
    return any(
        is_condition(option, types[option.name]) or is_condition_list(option)
        for option in condition.option_fields()
    )


def _kind_block(
    shown: type[Kind],
    options: type[Kind],
    questions: Questions,
    *,
    extra: list[tuple[str, blocks.Block]] | None = None,
    icon: str = "sliders",
    group: Any = "",
) -> blocks.Block:
    """Build the block of a kind: `shown` names it, `options` is the class of its options."""
    types = options.option_types()
    children: list[tuple[str, blocks.Block]] = [
        (option.name, option_block(option, types[option.name], questions.stream))
        for option in options.option_fields()
    ]
    children += extra or []
    label = label_of(shown)
    if not children:
        said = {"admin_text": shown.description} if shown.description else {}
        return NoOptionsBlock(
            label=label, icon=icon, group=group, description=shown.description, **said
        ).pictured(shown)
    help_text = shown.description or None
    return KindBlock(
        children,
        label=label,
        icon=icon,
        group=group,
        help_text=help_text,
        description=shown.description,
        label_format=summary_format(options),
    ).pictured(shown)


STREAMS: dict[str, Callable[[], blocks.StreamBlock]] = {
    "events": trigger_stream,
    "conditions": condition_stream,
    "segments": segment_stream,
    "steps": step_stream,
    "letter_blocks": letter_stream,
}
