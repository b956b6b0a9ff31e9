"""What the engine refuses at the last moment, after the form was found good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from wagtail.snippets.views.snippets import WorkflowActionView

from oscar_triggers.exceptions import ProblemsError

from ..approving import SEEN, comment_of, facts_of, page_between, publishes


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


class PublishesWithRemark(PublishesOrSaysWhy):
    """The same for letters, of which something may be said though they are published."""

    form: Any

    def publish_action(self) -> HttpResponse | None:
        """Publish, and say what the look at the letter found."""
        response = super().publish_action()
        if response is None and self.form.remark:
            messages.warning(self.request, self.form.remark)
        return response


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


class ApprovesKnowingly(ApprovesOrSaysWhy):
    """Approving a flow, which shows what publishing would do before it is done."""

    @cached_property
    def _publishes(self) -> bool:
        return publishes(self.task_state, self.action_name)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Act; the approval that publishes asks once more, unless its window told already."""
        if self._publishes:
            asked = page_between(
                request,
                self.task_state.revision.as_object(),
                self.task_state,
                comment=request.POST.get("comment", ""),
                leads_to=self.redirect_url,
            )
            if asked is not None:
                return asked
        return super().post(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        """Tell in the window what publishing would do."""
        if self._publishes:
            return ["wagtail_triggers/approve_modal.html"]
        names: list[str] = super().get_template_names()
        return names

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what publishing would do."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        if self._publishes:
            context |= {**facts_of(self.task_state.revision.as_object()), "seen": SEEN}
        return context


class AsksBeforeApproving:
    """The editor of a flow: what was written is saved, and the approval asks once more."""

    request: Any
    object: Any
    workflow_action: str

    def workflow_action_action(self) -> HttpResponse | None:
        """Approve after it was said what publishing would do."""
        task_state = self.object.current_workflow_task_state
        if task_state is not None and publishes(task_state, self.workflow_action):
            name = self.object.snippet_viewset.get_url_name("edit")
            asked = page_between(
                self.request,
                self.object,
                task_state,
                comment=comment_of(self.request),
                leads_to=reverse(name, args=[quote(self.object.pk)]),
            )
            if asked is not None:
                return asked
        response: HttpResponse | None = super().workflow_action_action()  # type: ignore[misc]  # the view that it is mixed into has it
        return response
