"""Exporting: published flows and letters as files, which publish as they are (W8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .. import channels
from ..content.files import LetterFile, write_letter_file
from ..content.letters import LetterSource
from ..definitions import FlowDefinition, write_flow_file
from ..models import FlowVersion, Template, TemplateVersion


@dataclass(frozen=True, kw_only=True)
class File:
    """A file to be written."""

    name: str
    text: str


def flow_file(version: FlowVersion) -> File:
    """Return a version as YAML; published again, it has the same content hash."""
    definition = FlowDefinition.from_dict(version.definition)
    return File(name=f"{definition.key}.yaml", text=write_flow_file(definition))


def letter_files(definition: FlowDefinition) -> Iterator[File]:
    """Yield the live letters that a flow sends, one file for each language."""
    keys = {
        str(step.options["template"])
        for step, *_rest in definition.walk()
        if step.options.get("template")
    }
    for template in Template.objects.filter(key__in=keys).order_by("key"):
        live: dict[str, TemplateVersion] = {}
        for version in TemplateVersion.objects.filter(template=template).order_by("number"):
            live[version.language] = version
        for language, version in sorted(live.items()):
            letter = LetterFile(
                name=template.name,
                source=LetterSource(**version.source, language=language),
                channel=template.channel,
            )
            ending = "txt" if channels.takes_text(template.channel) else "mjml"
            yield File(name=f"{template.key}.{language}.{ending}", text=write_letter_file(letter))
