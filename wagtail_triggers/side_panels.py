"""Side panels of the flow editor: the diagram, the checks, and playing the flow for somebody."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.translation import pgettext_lazy
from wagtail.admin.ui.components import MediaContainer
from wagtail.admin.ui.side_panels import BaseSidePanel, ChecksSidePanel

MEDIA = forms.Media(
    css={"all": ["wagtail_triggers/diagram.css", "wagtail_triggers/desk.css"]},
    js=["wagtail_triggers/desk.js"],
)


class FlowSidePanel(BaseSidePanel):
    """Shows what the server says of the form as it stands, again after each change."""

    template_name = "wagtail_triggers/desk/side_panel.html"
    #: Name of the view that answers; with `_new` for a flow that was never saved.
    view: ClassVar[str]
    #: Whether it asks before somebody opens it, because its toggle shows a number.
    is_eager: ClassVar[bool] = False

    @property
    def media(self) -> forms.Media:
        """Bring the panel's own style and behaviour."""
        return MEDIA

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        """Add where to ask."""
        context: dict[str, Any] = super().get_context_data(parent_context)
        context.update(url=address(self.view, self.object), is_eager=self.is_eager)
        return context


class DiagramPanel(FlowSidePanel):
    """The chain as it would run."""

    class SidePanelToggle(BaseSidePanel.SidePanelToggle):
        """Its button."""

        aria_label = pgettext_lazy("triggers", "Toggle diagram")
        icon_name = "triggers-flow"
        has_counter = False

    name = "triggers-diagram"
    title = pgettext_lazy("triggers", "Diagram")
    order = 340
    view = "desk_diagram"


class FlowChecksPanel(FlowSidePanel):
    """What is wrong or odd, and what to do; stands where Wagtail checks the text of pages."""

    class SidePanelToggle(ChecksSidePanel.SidePanelToggle):
        """Its button, with the number of findings."""

    name = "checks"
    title = ChecksSidePanel.title
    order = ChecksSidePanel.order
    view = "desk_checks"
    is_eager = True


class SimulatePanel(FlowSidePanel):
    """Plays the flow for one person and changes nothing."""

    class SidePanelToggle(BaseSidePanel.SidePanelToggle):
        """Its button."""

        aria_label = pgettext_lazy("triggers", "Toggle “Play it”")
        icon_name = "user"
        has_counter = False

    name = "triggers-simulate"
    title = pgettext_lazy("triggers", "Play it for …")
    order = 360
    view = "desk_scenes"


PANELS: tuple[type[FlowSidePanel], ...] = (DiagramPanel, FlowChecksPanel, SimulatePanel)


def address(view: str, draft: Any) -> str:
    """Return the address of a view of a draft, saved or new."""
    if draft is not None and draft.pk:
        return reverse(f"wagtail_triggers:{view}", args=[quote(draft.pk)])
    return reverse(f"wagtail_triggers:{view}_new")


class WithFlowPanels:
    """An edit or create view with the side panels of flows instead of the checks of pages."""

    request: Any
    object: Any
    expects_json_response: bool

    def get_side_panels(self) -> MediaContainer:
        """Add them; an answer to autosave needs none of them anew."""
        shown: Any = super().get_side_panels()  # type: ignore[misc]  # the view that it is mixed into has it
        kept = [panel for panel in shown if not isinstance(panel, ChecksSidePanel)]
        if getattr(self, "expects_json_response", False):
            return MediaContainer(kept)
        draft = getattr(self, "object", None) or self.form.instance  # type: ignore[attr-defined]  # as above
        own = [panel(draft, self.request) for panel in PANELS]
        return MediaContainer(sorted([*kept, *own], key=lambda panel: panel.order))
