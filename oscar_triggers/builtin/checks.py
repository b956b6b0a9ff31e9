"""What is checked of a flow's shipped steps before it is published."""

from __future__ import annotations

from django.utils.translation import pgettext

from .. import channels
from ..conf import PROMOTIONAL
from ..content.compiling import promotional_problems
from ..content.letters import CompiledLetter
from ..definitions import FlowDefinition, StepDefinition
from ..engine import checking, templates
from ..exceptions import Problem


@checking.register
def sends_have_live_templates(definition: FlowDefinition) -> list[Problem]:
    """Name the Send steps whose template or channel is missing, or whose letter lacks a duty."""
    problems: list[Problem] = []
    for step, *_rest in definition.walk():
        if step.kind == "send":
            problems += _problems_of(step, definition.stream)
    return problems


def _problems_of(step: StepDefinition, stream: str) -> list[Problem]:
    where = f"steps › {step.key}"
    key = str(step.options.get("template", ""))
    channel = str(step.options.get("channel", "email"))
    if channel not in channels.registry:
        return [
            Problem(
                where=where,
                message=pgettext("triggers", "no app brings the channel '%(channel)s'")
                % {"channel": channel},
            )
        ]
    languages = templates.languages(key)
    if not languages:
        return [
            Problem(
                where=where,
                message=pgettext(
                    "triggers", "the template '%(key)s' is not published; publish it first"
                )
                % {"key": key},
            )
        ]
    if stream != PROMOTIONAL or channels.registry.get(channel).content != "email":
        return []
    return [
        Problem(where=f"{where} › {key} ({language}) › {problem.where}", message=problem.message)
        for language in languages
        for problem in promotional_problems(
            CompiledLetter.from_json(templates.live(key, language).compiled)
        )
    ]
