"""The merge tags of letters that ask for reviews, with samples for previews."""

from __future__ import annotations

from typing import Any

from django.utils.translation import pgettext_lazy

from ...conf import triggers_settings
from ...content.tags import MergeTag, register_tags
from .. import pictures

_TITLES = {
    "en": ["Enamel mug", "Down jacket"],
    "de": ["Emaillebecher", "Daunenjacke"],
    "ru": ["Эмалированная кружка", "Пуховик"],
}
_VARIANTS = {
    "en": ["", "Size: M"],
    "de": ["", "Größe: M"],
    "ru": ["", "Размер: M"],
}


def _in(texts: dict[str, list[str]]) -> Any:
    return lambda language: texts.get(language.partition("-")[0], texts["en"])


def _urls(language: str) -> list[str]:
    return [f"{triggers_settings().base_url}/"] * 2


def _pictures(language: str) -> list[str]:
    return [pictures.placeholder_url(triggers_settings().base_url)] * 2


_STARS: tuple[tuple[str, Any], ...] = (
    ("star_1", pgettext_lazy("triggers", "Link: 1 star")),
    ("star_2", pgettext_lazy("triggers", "Link: 2 stars")),
    ("star_3", pgettext_lazy("triggers", "Link: 3 stars")),
    ("star_4", pgettext_lazy("triggers", "Link: 4 stars")),
    ("star_5", pgettext_lazy("triggers", "Link: 5 stars")),
)

TAGS: tuple[MergeTag, ...] = tuple(
    MergeTag(
        path=f"review.products[].{name}",
        label=label,
        group=pgettext_lazy("triggers", "Products to review"),
        sample=sample,
        about_types=frozenset({"order"}),
    )
    for name, label, sample in (
        ("title", pgettext_lazy("triggers", "Product title"), _in(_TITLES)),
        ("variant", pgettext_lazy("triggers", "Variant and options"), _in(_VARIANTS)),
        ("url", pgettext_lazy("triggers", "Address of the product page"), _urls),
        ("image_url", pgettext_lazy("triggers", "Address of the product picture"), _pictures),
        ("review_url", pgettext_lazy("triggers", "Link to the review form"), _urls),
        *((name, label, _urls) for name, label in _STARS),
    )
)


def register() -> None:
    """Register the merge tags; a second time changes nothing."""
    register_tags(TAGS)
