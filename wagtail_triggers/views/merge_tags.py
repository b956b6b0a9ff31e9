"""The personal data that letters may say, for the picker."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import get_language, pgettext
from django.views.decorators.http import require_GET

from oscar_triggers.content import tags
from oscar_triggers.content.tags import MergeTag
from oscar_triggers.content.values import formatter

from ..permissions import WRITES_LETTERS
from .access import requires


@require_GET
@requires(any_of=WRITES_LETTERS)
def merge_tags(request: HttpRequest) -> JsonResponse:
    """Return the merge tags by group, with samples; what repeats stands in blocks of its own."""
    language = get_language() or "en"
    groups: dict[str, list[dict[str, str]]] = {}
    for tag in tags.registry.values():
        if "[]" not in tag.path:
            groups.setdefault(str(tag.group), []).append(_shown(tag, language))
    response = JsonResponse(
        {
            "words": {
                "title": pgettext("triggers", "Personal data"),
                "search": pgettext("triggers", "Find a merge tag"),
                "fallback": pgettext("triggers", "Text where it is not known (may be empty)"),
                "close": pgettext("triggers", "Close"),
            },
            "groups": [{"label": label, "tags": found} for label, found in groups.items()],
        }
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _shown(tag: MergeTag, language: str) -> dict[str, str]:
    sample: Any = tag.sample_in(language)
    return {
        "path": tag.path,
        "label": str(tag.label),
        "sample": formatter(language, "").text(sample),
    }
