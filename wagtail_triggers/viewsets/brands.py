"""The looks of letters among Wagtail's settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import pgettext_lazy
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    MultiFieldPanel,
    ObjectList,
    Panel,
    TabbedInterface,
)
from wagtail.contrib.settings.registry import register_setting

from ..brands import older_letters
from ..letter_blocks.brands import NETWORKS
from ..models import LetterBrand
from ..models.brands import COLOURS
from ..permissions import PUBLISH_TEMPLATE
from ..widgets import ColourInput, MergeTextInput


class OlderLettersPanel(Panel):
    """The published letters that look as before, and the button that publishes them again."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of the one row."""

        template_name = "wagtail_triggers/panels/older_letters.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add the letters."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            context.update(
                letters=older_letters(),
                url=reverse("wagtail_triggers:publish_again"),
                may_publish=self.request.user.has_perm(PUBLISH_TEMPLATE),
            )
            return context


def _colours(scheme: str, heading: Any) -> MultiFieldPanel:
    return MultiFieldPanel(
        [
            FieldRowPanel(
                [FieldPanel(f"{scheme}_{name}", widget=ColourInput) for name in pair if name]
            )
            for pair in zip(COLOURS[::2], (*COLOURS[1::2], ""), strict=True)
        ],
        heading=heading,
    )


def _text(name: str, *, rows: int = 0) -> FieldPanel:
    widget: Any = MergeTextInput if not rows else forms.Textarea(attrs={"rows": rows})
    return FieldPanel(name, widget=widget)


EDIT_HANDLER = TabbedInterface(
    [
        ObjectList(
            [
                OlderLettersPanel(heading=pgettext_lazy("triggers", "Published letters")),
                MultiFieldPanel(
                    [FieldPanel("logo"), FieldPanel("logo_width"), _text("header")],
                    heading=pgettext_lazy("triggers", "Head"),
                ),
                MultiFieldPanel(
                    [FieldPanel("font"), FieldPanel("button_radius"), FieldPanel("button_is_wide")],
                    heading=pgettext_lazy("triggers", "Font and buttons"),
                ),
                MultiFieldPanel(
                    [_text("footer"), _text("legal", rows=3)],
                    heading=pgettext_lazy("triggers", "Foot"),
                ),
            ],
            heading=pgettext_lazy("triggers", "Looks"),
        ),
        ObjectList(
            [
                _colours("light", pgettext_lazy("triggers", "Light")),
                _colours("dark", pgettext_lazy("triggers", "Dark")),
            ],
            heading=pgettext_lazy("triggers", "Colours"),
        ),
        ObjectList(
            [FieldPanel(name) for name in NETWORKS],
            heading=pgettext_lazy("triggers", "Social networks"),
        ),
    ]
)


def register_looks() -> None:
    """Offer the looks of letters among the settings."""
    LetterBrand.edit_handler = EDIT_HANDLER
    register_setting(LetterBrand, icon="view", name="triggers-looks")
