"""The variants of a split beside each other: what each sends first, to which share, and how it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import pgettext

from oscar_triggers.content import rendering
from oscar_triggers.content.coding import LetterTooLong
from oscar_triggers.content.compiling import compile_text
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.content.values import UnfitValue
from oscar_triggers.definitions import FlowDefinition, StepDefinition
from oscar_triggers.engine import templates
from oscar_triggers.exceptions import TemplateError
from oscar_triggers.insight import arms
from oscar_triggers.insight.reports import Figures
from oscar_triggers.models import Template, TemplateVersion

from .blocks.ways import BRANCH_LABELS
from .diagram import SPLIT
from .models import TemplateDraft
from .people import preview_values
from .text_counting import Counted, counted
from .texts import is_text


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The letter or text that a variant sends first."""

    key: str
    name: str
    language: str
    subject: str = ""
    preheader: str = ""
    #: What a text says and costs; None for a letter, which is drawn in a frame.
    words: Counted | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One arm of a split."""

    label: str
    #: Of a hundred who come to the split.
    percent: int
    shown: Shown | None
    #: Why there is nothing to show.
    missing: str = ""
    #: None for a flow that is not live.
    figures: Figures | None = None

    @property
    def click_percent(self) -> int | None:
        """Return how many of a hundred letters were clicked; None where none was sent."""
        rate = self.figures.click_rate if self.figures is not None else None
        return None if rate is None else round(100 * rate)


def split_of(definition: FlowDefinition, key: str) -> StepDefinition | None:
    """Return a split of a flow by its key."""
    for step, *_rest in definition.walk():
        if step.kind == SPLIT and step.key == key:
            return step
    return None


def variants_of(
    split: StepDefinition, flow_key: str, language: str, now: datetime, *, is_live: bool
) -> tuple[Variant, ...]:
    """Return the arms that get anybody, each with its first message."""
    weights = {arm: int(weight) for arm, weight in split.options["weights"].items() if weight}
    first = {arm: _first_send(split.branches.get(arm, ())) for arm in weights}
    keys = {str(step.options.get("template", "")) for step in first.values() if step is not None}
    drafts = drafts_of(keys, language)
    figures = arms.of_split(flow_key, split.key, now) if is_live else {}
    whole = sum(weights.values())
    return tuple(
        Variant(
            label=str(BRANCH_LABELS.get(arm, arm)),
            percent=round(100 * weights[arm] / whole),
            **_message(first[arm], drafts, now),
            figures=figures.get(arm, Figures()) if is_live else None,
        )
        for arm in sorted(weights)
    )


def _first_send(siblings: Sequence[StepDefinition]) -> StepDefinition | None:
    for step in siblings:
        if step.kind == "send":
            return step
        for inside in step.branches.values():
            if (found := _first_send(inside)) is not None:
                return found
    return None


def drafts_of(keys: set[str], language: str) -> dict[str, TemplateDraft]:
    """Return what would be sent by these keys in a language, as it was written last.

    What a file owns is made a draft for the eye only; it is never saved.
    """
    by_key: dict[str, dict[str, TemplateDraft]] = {}
    rows = TemplateDraft.objects.filter(key__in=keys).select_related("latest_revision")
    for row in rows:
        by_key.setdefault(row.key, {})[row.language] = row
    found = {
        key: _latest(texts[templates.preferred(sorted(texts), language)])
        for key, texts in by_key.items()
    }
    missing = keys - set(found)
    return {**found, **dict(_of_files(missing, language))} if missing else found


def _latest(row: TemplateDraft) -> TemplateDraft:
    revision = row.latest_revision
    if revision is None:
        return row
    for name in ("name", "subject", "preheader", "body", "text", "channel"):
        setattr(row, name, revision.content.get(name, getattr(row, name)))
    if "blocks" in revision.content:
        row.blocks = TemplateDraft._meta.get_field("blocks").to_python(revision.content["blocks"])
    return row


def _of_files(keys: set[str], language: str) -> Iterator[tuple[str, TemplateDraft]]:
    versions: dict[str, dict[str, TemplateVersion]] = {}
    rows = TemplateVersion.objects.filter(template__key__in=keys).select_related("template")
    for row in rows.defer("compiled").order_by("number"):
        versions.setdefault(row.template.key, {})[row.language] = row
    for key, texts in versions.items():
        version = texts[templates.preferred(sorted(texts), language)]
        template: Template = version.template
        yield (
            key,
            TemplateDraft(
                key=key,
                name=template.name,
                channel=template.channel,
                language=version.language,
                **version.source,
            ),
        )


def _message(
    step: StepDefinition | None, drafts: Mapping[str, TemplateDraft], now: datetime
) -> dict[str, Any]:
    if step is None:
        return {
            "shown": None,
            "missing": pgettext("triggers", "Nothing is sent in this variant itself."),
        }
    key = str(step.options.get("template", ""))
    draft = drafts.get(key)
    if draft is None:
        return {
            "shown": None,
            "missing": pgettext("triggers", "Its letter is chosen no more, or is not written yet."),
        }
    return {"shown": _shown(draft, now)}


def _shown(draft: TemplateDraft, now: datetime) -> Shown:
    if is_text(draft):
        words = counted(draft, personal=False, now=now)
        return Shown(key=draft.key, name=draft.name, language=draft.language, words=words)
    return Shown(
        key=draft.key,
        name=draft.name,
        language=draft.language,
        subject=_line(draft.subject, draft.language, now),
        preheader=_line(draft.preheader, draft.language, now),
    )


def _line(written: str, language: str, now: datetime) -> str:
    """Return a line filled with samples; as it is written where it cannot be."""
    if not written.strip():
        return ""
    chosen = preview_values("", language, personal=False, now=now)
    try:
        compiled = compile_text(LetterSource(subject="", body="", text=written, language=language))
        return rendering.fill(compiled, chosen.values, language=language, time_zone="").text
    except (TemplateError, UnfitValue, LetterTooLong):
        return written


def shop_language() -> str:
    """Return the language in which variants are shown unless another one is asked for."""
    return str(settings.LANGUAGE_CODE)
