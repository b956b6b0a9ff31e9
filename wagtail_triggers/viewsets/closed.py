"""Wagtail's own views that let every admin user in, closed to those who may not see drafts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permissions import policy_registry
from wagtail.snippets.views.chooser import SnippetChooserViewSet
from wagtail.snippets.views.snippets import ConfirmWorkflowCancellationView

READING = {"add", "change", "delete", "view"}


class ClosedChooserViewSet(SnippetChooserViewSet):
    """A chooser for those who may see what it offers."""

    def get_urlpatterns(self) -> list[URLPattern]:
        """Check before each of the chooser's views."""
        return [
            path(str(pattern.pattern), self._checked(pattern.callback), name=pattern.name)
            for pattern in super().get_urlpatterns()
        ]

    def _checked(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            policy = policy_registry.get_by_type(self.model)
            if not policy.user_has_any_permission(request.user, READING):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked


class ClosedConfirmView(PermissionCheckedMixin, ConfirmWorkflowCancellationView):
    """Asks before a workflow is cancelled, those who may change the draft."""

    permission_required = "change"
