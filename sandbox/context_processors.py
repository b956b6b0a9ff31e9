"""What the sandbox's templates know everywhere."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from oscar.apps.search.context_processors import search_form as oscar_search_form

#: Wagtail's header shows any `search_form` it finds in the context.
_NAMESPACES_WITHOUT_THE_SHOP = frozenset({"wagtailadmin", "admin"})


def search_form(request: HttpRequest) -> dict[str, Any]:
    """Give Oscar's search form to the shop's pages and to no page of an admin.

    Oscar's own processor puts a stray "Search / Relevancy" box over the lists of Wagtail's admin.
    """
    match = request.resolver_match
    if match is not None and (
        not _NAMESPACES_WITHOUT_THE_SHOP.isdisjoint(match.namespaces)
        or request.path_info.startswith("/cms/")
    ):
        return {}
    form: dict[str, Any] = oscar_search_form(request)
    return form
