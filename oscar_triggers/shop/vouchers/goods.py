"""What a voucher is good for: everything, or some of the shop's categories with all below them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import pgettext
from oscar.core.loading import get_model

from ...models.sql import database_for
from .. import tables

#: Oscar's column takes 128.
_LONGEST_NAME = 100


def categories_named(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the categories that each text names, by number, slug or name: one query."""
    named = Q(pk__in=[])
    for text in texts:
        named |= Q(slug=text) | Q(name__iexact=text)
        if text.isdecimal():
            named |= Q(pk=int(text))
    found: dict[str, list[int]] = {text: [] for text in texts}
    if not texts:
        return found
    rows = tables.rows("catalogue", "Category").order_by("pk").filter(named)
    for pk, slug, name in rows.values_list("pk", "slug", "name"):
        for text in texts:
            if text in (str(pk), slug) or text.casefold() == str(name).casefold():
                found[text].append(pk)
    return found


def category_choices() -> list[tuple[str, str]]:
    """Return all categories by number, named with what is above them: "Kitchen › Mugs"."""
    names: dict[str, str] = {}
    choices = []
    rows = tables.rows("catalogue", "Category").order_by("path")
    for pk, path, name in rows.values_list("pk", "path", "name"):
        # treebeard: the path of what lies below begins with the path of what is above.
        above = next(
            (names[path[:end]] for end in range(len(path) - 1, 0, -1) if path[:end] in names), ""
        )
        names[path] = f"{above} › {name}" if above else str(name)
        choices.append((str(pk), names[path]))
    return choices


def range_of(category_ids: Collection[int]) -> Any:
    """Return the shop's range of exactly these categories, made when it is first asked for."""
    if not category_ids:
        return everything()
    wanted = set(category_ids)
    present = _present(wanted)
    if present is not None:
        return present
    try:
        return _make(sorted(wanted))
    except IntegrityError:
        # Another worker's first grant made it meanwhile: names are unique.
        present = _present(wanted)
        if present is None:
            raise
        return present


def everything() -> Any:
    """Return the shop's range of all products, made when it is first asked for."""
    present = _everything()
    if present is not None:
        return present
    model = get_model("offer", "Range")
    with translation.override(settings.LANGUAGE_CODE):
        name = pgettext("triggers", "Everything in the shop")
    using = database_for(model)
    try:
        with transaction.atomic(using=using):
            return model._default_manager.using(using).create(name=name, includes_all_products=True)
    except IntegrityError:
        # Another worker's first grant made it meanwhile: names are unique.
        present = _everything()
        if present is None:
            raise
        return present


def _everything() -> Any | None:
    ranges = tables.rows("offer", "Range").filter(includes_all_products=True, proxy_class=None)
    return ranges.order_by("pk").first()


def _present(wanted: set[int]) -> Any | None:
    """Return a range of these categories and nothing else, as it stands in the dashboard now."""
    candidates = (
        tables.rows("offer", "Range")
        .filter(
            includes_all_products=False,
            proxy_class=None,
            included_categories__in=wanted,
            included_products=None,
            excluded_products=None,
            excluded_categories=None,
            classes=None,
        )
        .order_by("pk")
        .distinct()
        .prefetch_related("included_categories")
    )
    for one in candidates:
        if {category.pk for category in one.included_categories.all()} == wanted:
            return one
    return None


def _make(category_ids: Sequence[int]) -> Any:
    model = get_model("offer", "Range")
    names = tables.rows("catalogue", "Category").filter(pk__in=category_ids).order_by("path")
    name = ", ".join(str(one) for one in names.values_list("name", flat=True))[:_LONGEST_NAME]
    using = database_for(model)
    taken = tables.rows("offer", "Range").filter(name__startswith=name).count()
    with transaction.atomic(using=using):
        made = model._default_manager.using(using).create(
            name=name if not taken else f"{name} ({taken + 1})"
        )
        made.included_categories.set(category_ids)
    return made
