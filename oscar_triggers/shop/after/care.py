"""How to care for what was bought, how to use it, and its warranty: said in letters after it.

A product says it itself, by its attributes "care", "instructions" and "warranty" (a variant by
its parent's where it has none). What holds for a whole product class, a shop's code registers:

    care.register("tents", _("Care"), _("Let it dry before you pack it."))
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .. import tables

#: Codes of the product attributes whose values are told.
ATTRIBUTES = ("care", "instructions", "warranty")


@dataclass(frozen=True, kw_only=True)
class Text:
    """One piece of advice; both may be lazy translations."""

    title: Any
    text: Any

    def values(self) -> dict[str, str]:
        """Return it as merge tags know it, in the language of the moment."""
        return {"title": str(self.title), "text": str(self.text)}


_of_classes: dict[str, list[Text]] = defaultdict(list)


def register(product_class: str, title: Any, text: Any) -> None:
    """Have letters say a text about products of a class, which is named by its slug."""
    said = Text(title=title, text=text)
    if said not in _of_classes[product_class]:
        _of_classes[product_class].append(said)


def forget(product_class: str) -> None:
    """Say nothing more about products of a class."""
    _of_classes.pop(product_class, None)


def texts_of(product_ids: Collection[int]) -> dict[int, list[Text]]:
    """Return what is to be said of products, in three queries for any number."""
    if not product_ids:
        return {}
    products = list(
        tables.rows("catalogue", "Product")
        .filter(pk__in=product_ids)
        .values_list("pk", "parent_id", "product_class__slug", "parent__product_class__slug")
    )
    wanted = {pk for one in products for pk in one[:2]} - {None}
    told: dict[int, dict[str, Text]] = defaultdict(dict)
    for value in (
        tables.rows("catalogue", "ProductAttributeValue")
        .filter(product_id__in=wanted, attribute__code__in=ATTRIBUTES)
        .select_related("attribute", "value_option")
        .prefetch_related("value_multi_option")
    ):
        text = str(value.value_as_text or "").strip()
        if text:
            said = Text(title=value.attribute.name, text=text)
            told[value.product_id][value.attribute.code] = said
    found = {}
    for pk, parent_id, own_class, parents_class in products:
        by_code = {**told.get(parent_id, {}), **told.get(pk, {})}
        own = [by_code[code] for code in ATTRIBUTES if code in by_code]
        found[pk] = [*own, *_of_classes.get(own_class or parents_class or "", ())]
    return found
