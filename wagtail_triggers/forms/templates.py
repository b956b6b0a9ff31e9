"""The form of a template draft."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django import forms
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.forms.models import WagtailAdminModelForm

from oscar_triggers.channels import name_of

from .. import localizing
from ..letter_checking import forbidden_mjml, look_at
from ..people import preview_choices
from ..permissions import WRITE_MJML
from ..publishing import language_choices
from ..texts import is_text, text_channels
from ..widgets import MergeTextarea, MergeTextInput

TEXT_FIELDS = ("subject", "preheader", "blocks", "body", "text")
#: What a text for a channel without subject and HTML has none of.
LETTER_FIELDS = ("subject", "preheader", "blocks", "body")


class TemplateForm(WagtailAdminModelForm):
    """Saves any draft; lets only what compiles be published."""

    language = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Language"), choices=language_choices
    )
    body = forms.CharField(
        label=pgettext_lazy("triggers", "MJML"),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 28,
                "class": "triggers-code",
                "spellcheck": "false",
                "wrap": "off",
                "dir": "ltr",
            }
        ),
        help_text=pgettext_lazy(
            "triggers",
            "For a letter without blocks: MJML with personal data in double braces, as in "
            '{{ contact.first_name|default:"there" }}.',
        ),
    )
    text = forms.CharField(
        label=pgettext_lazy("triggers", "Plain text"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "triggers-code", "dir": "auto"}),
        help_text=pgettext_lazy("triggers", "Left empty, it is made from the body."),
    )
    subject = forms.CharField(
        label=pgettext_lazy("triggers", "Subject"), max_length=255, widget=MergeTextInput
    )
    preheader = forms.CharField(
        label=pgettext_lazy("triggers", "Preheader"),
        max_length=255,
        required=False,
        widget=MergeTextInput,
        help_text=pgettext_lazy("triggers", "What inboxes show after the subject."),
    )
    channel = forms.ChoiceField(
        label=pgettext_lazy("triggers", "Channel"),
        help_text=pgettext_lazy(
            "triggers", "By which the text is sent. It cannot change once published."
        ),
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
        self.blocks_before = self.instance.blocks
        #: What is said of the letter when it is published.
        self.remark = ""
        self._be_for_a_channel()
        if self.instance.first_published_at or localizing.is_bound(self.instance):
            for name in ("key", "language", "channel"):
                if name in self.fields:
                    self.fields[name].disabled = True

    def _be_for_a_channel(self) -> None:
        """Ask for a letter, or for a text where the draft is for a channel without HTML."""
        offered = dict(text_channels())
        posted = self.data.get(self.add_prefix("channel"))
        if self.instance._state.adding and posted in offered:
            self.instance.channel = posted
        if not is_text(self.instance):
            self.fields.pop("channel", None)
            return
        for name in LETTER_FIELDS:
            self.fields.pop(name, None)
        channel: Any = self.fields["channel"]
        # What no app brings any more stays chosen: publishing says that it is gone.
        channel.choices = list({self.instance.channel: self.instance.channel, **offered}.items())
        self.fields["text"] = forms.CharField(
            label=pgettext_lazy("triggers", "Text"),
            strip=False,
            widget=MergeTextarea(attrs={"rows": 6}),
            help_text=pgettext_lazy(
                "triggers",
                "Web addresses arrive as the shop’s own short links, by which clicks are seen.",
            ),
        )

    def clean(self) -> dict[str, Any]:
        """Refuse to publish what does not compile, each problem at its field."""
        cleaned: dict[str, Any] = super().clean()
        self._refuse_forbidden_mjml(cleaned)
        if self.is_deferred_validation or self.errors:
            return cleaned
        draft = SimpleNamespace(
            **{
                name: cleaned.get(name, getattr(self.instance, name))
                for name in (*TEXT_FIELDS, "language", "channel")
            }
        )
        self._refuse_another_channel(cleaned)
        looked = look_at(draft)
        self.remark = looked.remark
        for field, errors in looked.errors.items():
            for error in errors:
                self.add_error(field if field in self.fields else None, error)
        return cleaned

    def _refuse_another_channel(self, cleaned: dict[str, Any]) -> None:
        """Refuse a key under which another channel's letter or text is written."""
        channel = cleaned.get("channel", self.instance.channel)
        others = type(self.instance)._default_manager.filter(key=cleaned.get("key"))
        other = others.exclude(pk=self.instance.pk).exclude(channel=channel).first()
        if other is not None and "key" in self.fields:
            self.add_error(
                "key",
                pgettext(
                    "triggers",
                    "“%(name)s” has this key and is written for “%(channel)s”. Choose another key.",
                )
                % {"name": other.name, "channel": name_of(other.channel)},
            )

    def _refuse_forbidden_mjml(self, cleaned: dict[str, Any]) -> None:
        user = self.for_user
        if "blocks" not in cleaned or (user is not None and user.has_perm(WRITE_MJML)):
            return
        for field, errors in forbidden_mjml(cleaned["blocks"], self.blocks_before).items():
            for error in errors:
                self.add_error(field, error)

    def save(self, commit: bool = True) -> Any:
        """Hand the choice of whom to preview to the draft, which does not keep it."""
        self.instance.preview_as = self.cleaned_data.get("preview_as", "")
        return super().save(commit=commit)
