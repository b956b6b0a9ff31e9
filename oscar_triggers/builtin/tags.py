"""The merge tags that every letter may use."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import pgettext_lazy

from ..content.tags import MergeTag, register_tags

CTX = "triggers"


def _by_language(**texts: str) -> Callable[[str], str]:
    return lambda language: texts.get(language.split("-")[0], texts["en"])


_PERSON = pgettext_lazy(CTX, "Person")
_SHOP = pgettext_lazy(CTX, "Shop")
_LINKS = pgettext_lazy(CTX, "Links")

register_tags(
    [
        MergeTag(
            path="contact.first_name",
            label=pgettext_lazy(CTX, "First name"),
            group=_PERSON,
            sample=_by_language(en="Anna", ru="Анна", de="Anna"),
        ),
        MergeTag(
            path="contact.last_name",
            label=pgettext_lazy(CTX, "Last name"),
            group=_PERSON,
            sample=_by_language(en="Bell", ru="Белова", de="Brandt"),
        ),
        MergeTag(
            path="shop.name",
            label=pgettext_lazy(CTX, "Name of the shop"),
            group=_SHOP,
            sample="Kettle & Pine",
        ),
        MergeTag(
            path="shop.url",
            label=pgettext_lazy(CTX, "Address of the shop's first page"),
            group=_SHOP,
            sample="https://shop.example",
        ),
        MergeTag(
            path="shop.postal_address",
            label=pgettext_lazy(CTX, "Postal address of the shop"),
            group=_SHOP,
            sample="Kettle & Pine, 12 Harbour Street, Bristol",
        ),
        MergeTag(
            path="links.unsubscribe",
            label=pgettext_lazy(CTX, "Link to unsubscribe"),
            group=_LINKS,
            sample="https://shop.example/t/u/sample/",
        ),
        MergeTag(
            path="links.basket",
            label=pgettext_lazy(CTX, "Link back to the basket"),
            group=_LINKS,
            sample="https://shop.example/t/b/sample/",
            about_types=frozenset({"basket"}),
        ),
    ]
)
