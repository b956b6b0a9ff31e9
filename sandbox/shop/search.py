"""A search engine over the shop's own tables, so that no search server has to be installed.

Haystack's `simple` engine ignores Oscar's category and visibility filters: it looks for the word
"true" in the titles, and every list of the shop is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import Avg, F, Min, Q, QuerySet
from haystack.backends import BaseEngine, BaseSearchBackend, BaseSearchQuery, SearchNode
from haystack.models import SearchResult
from oscar.core.loading import get_model

_SORTED_BY = {
    "title_exact": "title",
    "date_created": "date_created",
    "price": "lowest_price",
    "rating": "average_score",
}


class ProductSearch(BaseSearchBackend):  # type: ignore[misc]  # haystack ships no types
    """Finds public products by words and categories."""

    def update(self, index: Any, iterable: Any, commit: bool = True) -> None:
        """Do nothing: the tables are the index."""

    def remove(self, obj_or_string: Any, commit: bool = True) -> None:
        """Do nothing: the tables are the index."""

    def clear(self, models: Any = None, commit: bool = True) -> None:
        """Do nothing: the tables are the index."""

    def search(self, query_string: str, **kwargs: Any) -> dict[str, Any]:
        """Return the products that a ProductQuery asks for, and how many there are."""
        asked = json.loads(query_string)
        products = _found(asked["words"], asked["categories"])
        products = _sorted(products, kwargs.get("sort_by") or [])
        start, end = kwargs.get("start_offset") or 0, kwargs.get("end_offset")
        results = []
        for product in products[start:end]:
            result = SearchResult("catalogue", "product", product.pk, 0)
            result._model = type(product)
            result._object = product
            results.append(result)
        return {"results": results, "hits": products.count()}


class ProductQuery(BaseSearchQuery):  # type: ignore[misc]  # haystack ships no types
    """Reads words and categories out of the filters that Oscar's forms add."""

    def build_query(self) -> str:
        """Return what is asked for as JSON."""
        words: list[str] = []
        categories: list[int] = []
        for expression, value in _conditions(self.query_filter):
            if expression.startswith("content"):
                words += str(getattr(value, "query_string", value)).split()
            elif expression.startswith("category"):
                categories += value
        return json.dumps({"words": words, "categories": categories})


class DatabaseEngine(BaseEngine):  # type: ignore[misc]  # haystack ships no types
    """The pair, as HAYSTACK_CONNECTIONS names it."""

    backend = ProductSearch
    query = ProductQuery


def _conditions(node: SearchNode) -> Iterator[tuple[str, Any]]:
    for child in node.children:
        if isinstance(child, SearchNode):
            yield from _conditions(child)
        else:
            yield child


def _found(words: list[str], categories: list[int]) -> QuerySet[Any]:
    products = get_model("catalogue", "Product").objects.browsable()
    for word in words:
        products = products.filter(Q(title__icontains=word) | Q(description__icontains=word))
    if categories:
        products = products.filter(categories__in=categories).distinct()
    found: QuerySet[Any] = products.base_queryset()
    return found


def _sorted(products: QuerySet[Any], sort_by: list[str]) -> QuerySet[Any]:
    if not sort_by:
        return products.order_by("title", "pk")
    products = products.annotate(
        lowest_price=Min("stockrecords__price"), average_score=Avg("reviews__score")
    )
    terms = []
    for name in sort_by:
        field = F(_SORTED_BY.get(name.lstrip("-"), "title"))
        terms.append(
            field.desc(nulls_last=True) if name.startswith("-") else field.asc(nulls_last=True)
        )
    return products.order_by(*terms, "pk")
