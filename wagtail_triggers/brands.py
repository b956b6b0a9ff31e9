"""The looks of the shop's letters, and the letters that were published before they changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps

from oscar_triggers.exceptions import ProblemsError

from .letter_blocks.brands import PLAIN, Brand


def brand() -> Brand:
    """Return the looks that every letter made of blocks inherits."""
    row = apps.get_model("wagtail_triggers", "LetterBrand").objects.select_related("logo").first()
    return row.to_brand() if row is not None else PLAIN


def older_letters() -> list[Any]:
    """Return the published letters made of blocks that still look as before, by name."""
    row = apps.get_model("wagtail_triggers", "LetterBrand").objects.first()
    if row is None:
        return []
    drafts = apps.get_model("wagtail_triggers", "TemplateDraft")
    older = drafts.objects.filter(live=True, last_published_at__lt=row.changed_at)
    return [draft for draft in older.order_by("name", "language") if len(draft.blocks)]


@dataclass(frozen=True, kw_only=True)
class Republished:
    """What became of letters that were to be published again."""

    published: tuple[Any, ...]
    #: Those that could not be, each with the reason.
    refused: tuple[tuple[Any, str], ...]


def publish_again(drafts: Sequence[Any], *, by: Any, now: datetime) -> Republished:
    """Publish the live text of letters again, in today's looks; drafts of theirs stay drafts."""
    published, refused = [], []
    for draft in drafts:
        try:
            draft.hand_to_engine(by)
        except ProblemsError as error:
            refused.append((draft, str(error)))
            continue
        type(draft).objects.filter(pk=draft.pk).update(last_published_at=now)
        published.append(draft)
    return Republished(published=tuple(published), refused=tuple(refused))
