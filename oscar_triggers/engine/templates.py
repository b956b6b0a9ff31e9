"""Templates: publishing a letter's text, and finding the text for a language."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.translation import pgettext

from .. import channels
from ..content.compiling import compile_for
from ..content.letters import LetterSource
from ..exceptions import Problem, TemplateError, TriggersError
from ..models import Owner, Template, TemplateVersion
from ..models.sql import database_for


class NoSuchTemplate(TriggersError):
    """A template key that was never published."""


def publish(
    key: str,
    name: str,
    source: LetterSource,
    *,
    owner: str,
    by: Any = None,
    now: datetime,
    channel: str = "email",
    take_over: bool = False,
) -> TemplateVersion:
    """Compile a text and make it the live one of its key and language.

    Publishing the same text again returns the version that is live. Raises TemplateError with
    every problem of the text, or when another side owns the template and `take_over` is off.
    """
    compiled = compile_for(channel, source)
    stored = {
        "subject": source.subject,
        "preheader": source.preheader,
        "body": source.body,
        "text": source.text,
    }
    digest = hashlib.sha256(
        json.dumps([stored, compiled.to_json()], sort_keys=True).encode()
    ).hexdigest()
    with transaction.atomic(using=database_for(Template)):
        template, _created = Template.objects.get_or_create(
            key=key,
            defaults={"name": name, "channel": channel, "owner": owner, "created_at": now},
        )
        template = Template.objects.select_for_update().get(pk=template.pk)
        if template.owner != owner and not take_over:
            raise TemplateError([_owned_elsewhere(template)])
        if template.channel != channel:
            raise TemplateError([_of_another_channel(template)])
        if source.language == preferred([source.language, *languages(key)], ""):
            # Staff read it in lists: it is called as in the shop's own language.
            template.name = name
        Template.objects.filter(pk=template.pk).update(name=template.name, owner=owner)
        live_version = _latest(template.pk, source.language)
        if live_version is not None and live_version.content_hash == digest:
            return live_version
        highest = TemplateVersion.objects.filter(
            template=template, language=source.language
        ).aggregate(highest=Max("number"))["highest"]
        version = TemplateVersion(
            template=template,
            language=source.language,
            number=(highest or 0) + 1,
            source=stored,
            compiled=compiled.to_json(),
            content_hash=digest,
            published_at=now,
            published_by=by,
        )
        version.save()
        return version


def _owned_elsewhere(template: Template) -> Problem:
    side = Owner(template.owner).label
    return Problem(
        where="template",
        message=pgettext(
            "triggers", "'%(key)s' is written in %(side)s; take it over there or choose another key"
        )
        % {"key": template.key, "side": side},
    )


def _of_another_channel(template: Template) -> Problem:
    return Problem(
        where="channel",
        message=pgettext(
            "triggers", "'%(key)s' is written for the channel “%(channel)s”; choose another key"
        )
        % {"key": template.key, "channel": channels.name_of(template.channel)},
    )


def template_id(key: str) -> int:
    """Return the id of a template; raises NoSuchTemplate."""
    found = Template.objects.filter(key=key).values_list("pk", flat=True).first()
    if found is None:
        raise NoSuchTemplate(
            pgettext("triggers", "The template '%(key)s' does not exist; publish it.")
            % {"key": key}
        )
    return found


def languages(key: str) -> list[str]:
    """Return the languages in which a template is published."""
    return sorted(
        set(TemplateVersion.objects.filter(template__key=key).values_list("language", flat=True))
    )


def channel_of(key: str) -> str:
    """Return the channel that a template is written for; "" for one that is not published."""
    return Template.objects.filter(key=key).values_list("channel", flat=True).first() or ""


def preferred(available: Sequence[str], wanted: str) -> str:
    """Choose a language: the wanted one, its base, the shop's, its base, or the first there is."""
    lowered = {language.lower(): language for language in available}
    shop = settings.LANGUAGE_CODE.lower()
    for candidate in (wanted.lower(), wanted.lower().split("-")[0], shop, shop.split("-")[0]):
        if candidate in lowered:
            return lowered[candidate]
    return available[0]


def live(key: str, language: str) -> TemplateVersion:
    """Return the live text of a template for a language; raises NoSuchTemplate."""
    return live_by_id(template_id(key), language)


def live_by_id(template_pk: int, language: str) -> TemplateVersion:
    """Return the live text of a template for a language; raises NoSuchTemplate."""
    available = sorted(
        set(
            TemplateVersion.objects.filter(template_id=template_pk).values_list(
                "language", flat=True
            )
        )
    )
    if not available:
        raise NoSuchTemplate(f"Template {template_pk} has no published text; publish one.")
    version = _latest(template_pk, preferred(available, language))
    assert version is not None
    return version


def _latest(template_pk: int, language: str) -> TemplateVersion | None:
    return (
        TemplateVersion.objects.filter(template_id=template_pk, language=language)
        .order_by("-number")
        # Large, and known to the process from the last batch, as a rule.
        .defer("source", "compiled")
        .first()
    )
