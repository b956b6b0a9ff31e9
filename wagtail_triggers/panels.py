"""Panels of the edit forms that are more than a field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from wagtail.admin.panels import Panel

from .forecast import forecast
from .permissions import PAUSE_FLOW, SEND_TEST
from .states import LABELS, flow_state, flow_state_label, with_engine_state

MEDIA = forms.Media(
    css={"all": ["wagtail_triggers/editor.css"]}, js=["wagtail_triggers/editor.js"]
)


class FlowNowPanel(Panel):
    """What the flow does now, and what publishing it would do (W9)."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/panels/flow_now.html"

        @property
        def media(self) -> forms.Media:
            """Bring the editor's own style and behaviour."""
            return MEDIA

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add state, counts and the forecast of the saved draft."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            draft = self.instance
            row = (
                with_engine_state(type(draft)._default_manager.filter(pk=draft.pk)).first()
                if draft.pk
                else None
            )
            context.update(
                row=row,
                state=flow_state(row) if row is not None else "draft",
                state_label=flow_state_label(row) if row is not None else LABELS["draft"],
                forecast=forecast(draft, timezone.now()),
                forecast_url=(
                    reverse("wagtail_triggers:forecast", args=[quote(draft.pk)])
                    if draft.pk
                    else reverse("wagtail_triggers:forecast_new")
                ),
                may_pause=self.request.user.has_perm(PAUSE_FLOW),
                key=draft.key,
            )
            return context


class TestLetterPanel(Panel):
    """Sends what stands in the form, saved or not, to the editor."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/panels/test_letter.html"

        @property
        def media(self) -> forms.Media:
            """Bring the editor's own style and behaviour."""
            return MEDIA

        def is_shown(self) -> bool:
            """Show it to those who may send."""
            return bool(super().is_shown() and self.request.user.has_perm(SEND_TEST))

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add where to post, and to whom it goes."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            draft = self.instance
            user = self.request.user
            context.update(
                test_url=(
                    reverse("wagtail_triggers:send_test", args=[quote(draft.pk)])
                    if draft.pk
                    else reverse("wagtail_triggers:send_test_new")
                ),
                address=user.email,
                may_choose=user.has_perm("wagtail_triggers.publish_templatedraft"),
            )
            return context
