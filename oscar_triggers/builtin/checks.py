"""What is checked of a flow's shipped steps before it is published."""

from __future__ import annotations

from .. import channels
from ..definitions import FlowDefinition
from ..engine import checking, templates
from ..exceptions import Problem


@checking.register
def sends_have_live_templates(definition: FlowDefinition) -> list[Problem]:
    """Name the Send steps whose template or channel is missing."""
    problems = []
    for step, *_rest in definition.walk():
        if step.kind != "send":
            continue
        where = f"steps › {step.key}"
        key = str(step.options.get("template", ""))
        channel = str(step.options.get("channel", "email"))
        if not templates.languages(key):
            problems.append(
                Problem(
                    where=where,
                    message=f"the template {key!r} is not published; publish it first",
                )
            )
        if channel not in channels.registry:
            problems.append(Problem(where=where, message=f"no app brings the channel {channel!r}"))
    return problems
