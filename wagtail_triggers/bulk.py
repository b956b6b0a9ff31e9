"""Pausing and resuming several flows at once, after a page that says which and asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import npgettext, pgettext_lazy
from wagtail import hooks
from wagtail.log_actions import log
from wagtail.snippets.bulk_actions.snippet_bulk_action import SnippetBulkAction

from oscar_triggers.engine import flows
from oscar_triggers.models import Flow, FlowState

from .models import FlowDraft
from .permissions import PAUSE_FLOW


class FlowBulkAction(SnippetBulkAction):
    """Does one thing with those of the chosen flows that are in the state for it."""

    models = [FlowDraft]
    template_name = "wagtail_triggers/bulk/confirm.html"
    #: In which state a flow must be, and what is done then.
    state: str
    act: Callable[..., Flow]
    #: What is asked, what the buttons say, and why other flows are left out.
    question: Any
    yes: Any
    left_out: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Let in who may pause flows."""
        if not request.user.has_perm(PAUSE_FLOW):
            raise PermissionDenied
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def check_perm(self, draft: FlowDraft) -> bool:
        """Say whether the flow is in the state for it."""
        return draft.key in self._keys

    @property
    def _keys(self) -> set[str]:
        if not hasattr(self, "_found_keys"):
            found = Flow.objects.filter(state=self.state).values_list("key", flat=True)
            self._found_keys = set(found)
        return self._found_keys

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the words of the page."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context.update(
            title=self.display_name,
            question=self.question,
            yes=self.yes,
            no_access_msg=self.left_out,
        )
        return context

    @classmethod
    def execute_action(
        cls, objects: Sequence[FlowDraft], user: Any = None, **kwargs: Any
    ) -> tuple[int, int]:
        """Do it with each, and keep it in the history of each."""
        by = kwargs["self"].request.user
        for draft in objects:
            cls.act(draft.key, timezone.now(), by)
            log(draft, f"wagtail_triggers.{cls.action_type.removesuffix('_flows')}", user=by)
        return len(objects), 0


class PauseFlows(FlowBulkAction):
    """Pauses the chosen flows that are live."""

    display_name = pgettext_lazy("triggers", "Pause")
    aria_label = pgettext_lazy("triggers", "Pause the chosen flows")
    action_type = "pause_flows"
    action_priority = 10
    state = FlowState.LIVE
    act = staticmethod(flows.pause)
    question = pgettext_lazy(
        "triggers",
        "Pause these flows? Nobody enters, moves on or gets a message of them until you resume.",
    )
    yes = pgettext_lazy("triggers", "Yes, pause")
    left_out = pgettext_lazy("triggers", "These are not live, and stay as they are:")

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        """Say how many were paused."""
        return npgettext(
            "triggers",
            "%(count)s flow is paused.",
            "%(count)s flows are paused.",
            num_parent_objects,
        ) % {"count": num_parent_objects}


class ResumeFlows(FlowBulkAction):
    """Lets the chosen flows that are paused go on."""

    display_name = pgettext_lazy("triggers", "Resume")
    aria_label = pgettext_lazy("triggers", "Resume the chosen flows")
    action_type = "resume_flows"
    action_priority = 20
    state = FlowState.PAUSED
    act = staticmethod(flows.resume)
    question = pgettext_lazy(
        "triggers", "Resume these flows? Messages that became too late meanwhile are not sent."
    )
    yes = pgettext_lazy("triggers", "Yes, resume")
    left_out = pgettext_lazy("triggers", "These are not paused, and stay as they are:")

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        """Say how many go on."""
        return npgettext(
            "triggers", "%(count)s flow goes on.", "%(count)s flows go on.", num_parent_objects
        ) % {"count": num_parent_objects}


def register() -> None:
    """Offer both below the list of flows."""
    hooks.register("register_bulk_action", PauseFlows)
    hooks.register("register_bulk_action", ResumeFlows)
