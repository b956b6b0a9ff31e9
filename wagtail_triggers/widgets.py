"""Inputs of letters: a line that may say personal data, and a colour."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse_lazy
from django.utils.translation import pgettext_lazy

_MERGE_ATTRS = {
    # Written in the letter's language, which need not be that of the page.
    "dir": "auto",
    "data-controller": "triggers-merge",
    "data-triggers-merge-url-value": reverse_lazy("wagtail_triggers:merge_tags"),
    "data-triggers-merge-label-value": pgettext_lazy("triggers", "Personal data"),
}


class MergeTextInput(forms.TextInput):
    """One line, with a button "Personal data" below it."""

    class Media:
        """What a browser loads for it."""

        css = {"all": ["wagtail_triggers/merge_tags.css"]}
        js = ["wagtail_triggers/merge_tags.js", "wagtail_triggers/letter_links.js"]

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({**_MERGE_ATTRS, **(attrs or {})})


class MergeTextarea(forms.Textarea):
    """Some lines of plain words, with a button "Personal data" below them."""

    class Media:
        """What a browser loads for it."""

        css = {"all": ["wagtail_triggers/merge_tags.css"]}
        js = ["wagtail_triggers/merge_tags.js"]

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({**_MERGE_ATTRS, **(attrs or {})})


class ColourInput(forms.TextInput):
    """A colour as text, with a sample beside it; empty for the brand's."""

    class Media:
        """What a browser loads for it."""

        css = {"all": ["wagtail_triggers/merge_tags.css"]}
        js = ["wagtail_triggers/colours.js"]

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(
            {
                "data-controller": "triggers-colour",
                "data-triggers-colour-label-value": pgettext_lazy("triggers", "Choose a colour"),
                "maxlength": 7,
                "placeholder": "#rrggbb",
                "dir": "ltr",
                **(attrs or {}),
            }
        )
