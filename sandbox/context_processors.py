"""What the sandbox's templates know everywhere."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from oscar.apps.communication.notifications.context_processors import (
    notifications as oscar_notifications,
)
from oscar.apps.search.context_processors import search_form as oscar_search_form

#: Wagtail's header shows any `search_form` it finds in the context.
_NAMESPACES_WITHOUT_THE_SHOP = frozenset({"wagtailadmin", "admin"})


def search_form(request: HttpRequest) -> dict[str, Any]:
    """Give Oscar's search form to the shop's pages and to no page of an admin.

    Oscar's own processor puts a stray "Search / Relevancy" box over the lists of Wagtail's admin.
    """
    form: dict[str, Any] = {} if _is_admin(request) else oscar_search_form(request)
    return form


def notifications(request: HttpRequest) -> dict[str, Any]:
    """Count a customer's unread notifications where the shop shows them: each asks the database."""
    found: dict[str, Any] = {} if _is_admin(request) else oscar_notifications(request)
    return found


def _is_admin(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and (
        not _NAMESPACES_WITHOUT_THE_SHOP.isdisjoint(match.namespaces)
        or request.path_info.startswith("/cms/")
    )
