"""The form of a template draft."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django import forms
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.forms.models import WagtailAdminModelForm

from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.exceptions import Problem, TemplateError

from ..people import preview_choices
from ..publishing import language_choices, letter_source

TEXT_FIELDS = ("subject", "preheader", "body", "text")


def problem_text(problem: Problem) -> str:
    """Say a problem beside its field, with the line where it has one."""
    message = problem.message[:1].upper() + problem.message[1:]
    if problem.line:
        return pgettext("triggers", "Line %(line)d: %(message)s") % {
            "line": problem.line,
            "message": message,
        }
    return message


class TemplateForm(WagtailAdminModelForm):
    """Saves any draft; lets only what compiles be published."""

    language = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Language"), choices=language_choices
    )
    body = forms.CharField(
        label=pgettext_lazy("triggers", "Body"),
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 28, "class": "triggers-code", "spellcheck": "false", "wrap": "off"}
        ),
        help_text=pgettext_lazy(
            "triggers",
            "MJML with personal data in double braces, as in {{ contact.first_name|default:"
            '"there" }}.',
        ),
    )
    text = forms.CharField(
        label=pgettext_lazy("triggers", "Plain text"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "triggers-code"}),
        help_text=pgettext_lazy("triggers", "Left empty, it is made from the body."),
    )
    preview_as = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Preview and test with"),
        choices=preview_choices,
        required=False,
        help_text=pgettext_lazy(
            "triggers", "Not saved; it only fills the preview and the test letter."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.first_published_at:
            for name in ("key", "language"):
                if name in self.fields:
                    self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """Refuse to publish what does not compile, each problem at its field."""
        cleaned: dict[str, Any] = super().clean()
        if self.is_deferred_validation or self.errors:
            return cleaned
        draft = SimpleNamespace(
            **{
                name: cleaned.get(name, getattr(self.instance, name))
                for name in (*TEXT_FIELDS, "language")
            }
        )
        try:
            compile_letter(letter_source(draft))
        except TemplateError as error:
            for problem in error.problems:
                field = problem.where if problem.where in self.fields else None
                self.add_error(field, problem_text(problem))
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """Hand the choice of whom to preview to the draft, which does not keep it."""
        self.instance.preview_as = self.cleaned_data.get("preview_as", "")
        return super().save(commit=commit)
