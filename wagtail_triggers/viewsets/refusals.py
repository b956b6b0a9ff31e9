"""What the engine refuses at the last moment, after the form was found good."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from oscar_triggers.exceptions import ProblemsError


class PublishesOrSaysWhy:
    """A create or edit view whose draft stays a draft when the engine refuses it."""

    request: Any
    object: Any

    def publish_action(self) -> HttpResponse | None:
        """Publish; a refusal is said, and the draft keeps what was written."""
        try:
            response: HttpResponse | None = super().publish_action()  # type: ignore[misc]  # the view that it is mixed into has it
        except ProblemsError as error:
            for problem in error.problems:
                messages.error(self.request, str(problem))
            name = self.object.snippet_viewset.get_url_name("edit")
            return redirect(reverse(name, args=[quote(self.object.pk)]))
        return response
