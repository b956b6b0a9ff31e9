"""Wagtail's checker of content, at work on the letter in the preview."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.translation import pgettext_lazy
from wagtail.admin.ui.components import MediaContainer
from wagtail.admin.ui.side_panels import ChecksSidePanel
from wagtail.admin.userbar import ContentCheckerItem

from oscar_triggers.policy.points import EMAIL

#: The scripts of Wagtail's that look at a previewed page.
_SCRIPTS = ("wagtailadmin/js/vendor.js", "wagtailadmin/js/userbar.js")


class LetterChecker(ContentCheckerItem):
    """What a letter owes its readers: a page's description for search engines is not part of it."""

    axe_run_only: ClassVar[list[str]] = [
        *(
            rule
            for rule in ContentCheckerItem.axe_run_only
            if rule not in {"empty-meta-description", "input-button-name", "frame-title"}
        ),
        "color-contrast",
        "html-has-lang",
        "image-alt",
    ]
    axe_custom_rules: ClassVar[list[dict[str, Any]]] = [
        rule for rule in ContentCheckerItem.axe_custom_rules if rule["id"] == "alt-text-quality"
    ]
    axe_custom_checks: ClassVar[list[dict[str, Any]]] = [
        check
        for check in ContentCheckerItem.axe_custom_checks
        if check["id"] == "check-image-alt-text"
    ]
    #: What the preview writes above the letter.
    axe_exclude: ClassVar[list[str]] = ["[data-triggers-head]"]
    axe_messages: ClassVar[dict[str, dict[str, Any]]] = {
        **ContentCheckerItem.axe_messages,
        "color-contrast": {
            "error_name": pgettext_lazy("triggers", "Text is hard to read on its background"),
            "help_text": pgettext_lazy("triggers", "Choose colours that differ more"),
        },
        "html-has-lang": {
            "error_name": pgettext_lazy("triggers", "The letter does not say its language"),
            "help_text": pgettext_lazy("triggers", 'Write lang="…" into the <mjml> tag'),
        },
        "image-alt": {
            "error_name": pgettext_lazy("triggers", "Image without an alt text"),
            "help_text": pgettext_lazy("triggers", "Say what the picture shows"),
        },
    }


class ReadabilityPanel(ChecksSidePanel):
    """Wagtail's panel, with what counts in a letter."""

    def get_axe_configuration(self) -> dict[str, Any]:
        """Return what axe-core is asked to look for."""
        found: dict[str, Any] = LetterChecker(in_editor=True).get_axe_configuration(self.request)
        return found


class WithLetterChecker:
    """An edit or create view of letters whose checks are those of letters."""

    request: Any
    object: Any

    def get_side_panels(self) -> MediaContainer:
        """Put the panel where Wagtail's stands; what a text costs stands beside the text."""
        shown: Any = super().get_side_panels()  # type: ignore[misc]  # the view that it is mixed into has it
        panels = []
        for panel in shown:
            if type(panel) is not ChecksSidePanel:
                panels.append(panel)
            elif panel.object.channel == EMAIL:
                panels.append(ReadabilityPanel(panel.object, panel.request))
        return MediaContainer(panels)


def is_asked(request: HttpRequest) -> bool:
    """Return whether a preview is for the panel beside the form, which asks the checker."""
    return bool(getattr(request, "in_preview_panel", False))


def with_checker(request: HttpRequest, html: str) -> str:
    """Return a letter's HTML with Wagtail's checker at its end."""
    checker = render_to_string("wagtail_triggers/letter_checker.html", request=request)
    end = html.lower().rfind("</body")
    return html + checker if end < 0 else html[:end] + checker + html[end:]


def scripts(request: HttpRequest) -> str:
    """Return what a Content-Security-Policy allows to run: the checker, and nothing of a letter."""
    return " ".join(request.build_absolute_uri(static(name)).partition("?")[0] for name in _SCRIPTS)
