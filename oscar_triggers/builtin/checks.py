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
    misfit = _misfit(key, templates.channel_of(key), channel)
    if misfit:
        return [Problem(where=where, message=misfit)]
    if stream != PROMOTIONAL or channels.takes_text(channel):
        return []
    return [
        Problem(where=f"{where} › {key} ({language}) › {problem.where}", message=problem.message)
        for language in languages
        for problem in promotional_problems(
            CompiledLetter.from_json(templates.live(key, language).compiled)
        )
    ]


def _misfit(key: str, written_for: str, channel: str) -> str:
    """Say that a template cannot leave by a channel; "" for one that can."""
    names = {
        "key": key,
        "channel": channels.name_of(channel),
        "other": channels.name_of(written_for),
    }
    wants_text, has_text = channels.takes_text(channel), channels.takes_text(written_for)
    if wants_text and not has_text:
        return (
            pgettext(
                "triggers",
                "'%(key)s' is an e-mail letter, and “%(channel)s” sends nothing but words; write "
                "a text for this channel, or send it by e-mail",
            )
            % names
        )
    if wants_text and written_for != channel:
        return (
            pgettext(
                "triggers",
                "'%(key)s' is written for “%(other)s”; write a text for “%(channel)s”, or send "
                "it there",
            )
            % names
        )
    if has_text and not wants_text:
        return (
            pgettext(
                "triggers",
                "'%(key)s' is a text for “%(other)s” and no e-mail letter; choose a letter, or "
                "send it there",
            )
            % names
        )
    return ""
