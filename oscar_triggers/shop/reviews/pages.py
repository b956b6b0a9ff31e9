"""Oscar's own review form at an address of ours, with the number of stars filled in.

The view is the shop's, forked or not: its template, its rules, its form, its signal. Ours adds
the first value of one field. Following a link records nothing; only sending the form does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from oscar.core.loading import get_class

from .. import tables
from .asking import is_open
from .context import STARS


def review_page(request: HttpRequest, product_id: int) -> HttpResponse:
    """Show, or take, a review of a product; who must sign in for it is asked to, and comes back."""
    if not is_open():
        raise Http404
    product = get_object_or_404(tables.rows("catalogue", "Product"), pk=product_id, is_public=True)
    anybody_may = getattr(settings, "OSCAR_ALLOW_ANON_REVIEWS", True)
    if not anybody_may and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), reverse("customer:login"))
    view = _view(get_class("catalogue.reviews.views", "CreateProductReview"))
    response: HttpResponse = view(
        request, product_slug=product.slug, product_pk=product.parent_id or product.pk
    )
    return response


@lru_cache(maxsize=4)
def _view(shops: Any) -> Any:
    class PrefilledReview(shops):  # type: ignore[misc]  # whichever class the shop has
        """The shop's view; the address may say how many stars were clicked."""

        def get_initial(self) -> dict[str, Any]:
            """Return the first values of the form."""
            initial = dict(super().get_initial())
            score = self.request.GET.get("score", "")
            if score in {str(star) for star in STARS}:
                initial["score"] = int(score)
            return initial

        def get_form_kwargs(self) -> dict[str, Any]:
            """Return what the form is made of; a score that came back stays a number.

            Oscar's template rounds it to draw stars, and fails on text when a form that was not
            complete is shown again (4.2).
            """
            kwargs: dict[str, Any] = super().get_form_kwargs()
            if kwargs.get("data", {}).get("score", "") in {str(star) for star in STARS}:
                kwargs["data"] = kwargs["data"].copy()
                kwargs["data"]["score"] = int(kwargs["data"]["score"])
            return kwargs

    return PrefilledReview.as_view()
