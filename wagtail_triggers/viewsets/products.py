"""The chooser of the shop's products, for those who write letters."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import pgettext_lazy
from wagtail.admin.viewsets.chooser import ChooserViewSet

from ..permissions import WRITES_LETTERS


class ProductChooserViewSet(ChooserViewSet):
    """Products by title or UPC, to whoever may write or read letters."""

    model = "catalogue.Product"
    icon = "tag"
    choose_one_text = pgettext_lazy("triggers", "Choose a product")
    register_widget = False
    per_page = 20

    def get_urlpatterns(self) -> list[URLPattern]:
        """Check before each of the chooser's views: they are open to every admin user.

        Products are made in the shop's own dashboard: Wagtail's address for that has no form here.
        """
        return [
            path(str(pattern.pattern), _checked(pattern.callback), name=pattern.name)
            for pattern in super().get_urlpatterns()
            if pattern.name != "create"
        ]


def _checked(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user: Any = request.user
        if not any(user.has_perm(name) for name in WRITES_LETTERS):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


product_chooser = ProductChooserViewSet("triggers_product_chooser", url_prefix="triggers/products")
