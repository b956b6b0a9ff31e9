"""What the engine refuses at the last moment, after the form was found good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from wagtail.snippets.views.snippets import WorkflowActionView

from oscar_triggers.exceptions import ProblemsError


def _say(request: HttpRequest, error: ProblemsError) -> None:
    for problem in error.problems:
        messages.error(request, str(problem))


class PublishesOrSaysWhy:
    """A create or edit view whose draft stays a draft when the engine refuses it."""

    request: Any
    object: Any

    def publish_action(self) -> HttpResponse | None:
        """Publish; a refusal is said, and the draft keeps what was written."""
        return self._or_say_why(super().publish_action)  # type: ignore[misc]  # the view that it is mixed into has it

    def workflow_action_action(self) -> HttpResponse | None:
        """Approve; where that would publish what the engine refuses, nothing is approved."""
        return self._or_say_why(super().workflow_action_action)  # type: ignore[misc]  # as above

    def _or_say_why(self, act: Callable[[], HttpResponse | None]) -> HttpResponse | None:
        try:
            return act()
        except ProblemsError as error:
            _say(self.request, error)
            name = self.object.snippet_viewset.get_url_name("edit")
            return redirect(reverse(name, args=[quote(self.object.pk)]))


class ApprovesOrSaysWhy(WorkflowActionView):
    """Approving from the dashboard, which leaves the task open when the engine refuses."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Act; a refusal is said on the page of the draft."""
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)
        except ProblemsError as error:
            _say(request, error)
            if request.headers.get("x-requested-with") == "XMLHttpRequest":
                return JsonResponse({"step": "success", "redirect": self.redirect_url})
            return redirect(self.redirect_url)
        return response
