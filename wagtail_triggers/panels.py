"""Panels of the edit forms that are more than a field."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from wagtail.admin.panels import MultiFieldPanel, ObjectList, Panel

from oscar_triggers.content import tags

from .blocks.choices import texts_by_key
from .diagram import live_numbers, numbers_in_words
from .forecast import forecast
from .letter_checking import letter_warnings
from .models import TemplateDraft
from .permissions import PAUSE_FLOW, SEND_TEST
from .side_panels import address
from .states import LABELS, flow_state, flow_state_label, with_counts
from .texts import is_text, text_channels
from .voucher_words import used_in_words

MEDIA = forms.Media(css={"all": ["wagtail_triggers/editor.css"]}, js=["wagtail_triggers/editor.js"])
WORDS_MEDIA = forms.Media(
    css={"all": ["wagtail_triggers/editor.css"]},
    js=["wagtail_triggers/asking.js", "wagtail_triggers/words.js"],
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
            # A copy still has the row of what it was copied from, but no key of its own yet.
            row = (
                with_counts(type(draft)._default_manager.filter(pk=draft.pk)).first()
                if draft.pk and draft.key
                else None
            )
            context.update(
                row=row,
                state=flow_state(row) if row is not None else "draft",
                state_label=flow_state_label(row) if row is not None else LABELS["draft"],
                forecast=forecast(draft, timezone.now()),
                forecast_url=(
                    reverse("wagtail_triggers:forecast", args=[quote(draft.pk)])
                    if row is not None
                    else reverse("wagtail_triggers:forecast_new")
                ),
                may_pause=self.request.user.has_perm(PAUSE_FLOW),
                letters_url=reverse("wagtail_triggers:letters"),
                texts=json.dumps(texts_by_key()),
                text_channels=json.dumps([kind for kind, _label in text_channels()]),
                new_letter_url=reverse(TemplateDraft.snippet_viewset.get_url_name("add")),
                publishing_url=address("desk_publishing", draft if row is not None else None),
                numbers=_beside_steps(draft.key, timezone.now()),
                key=draft.key,
            )
            return context


def _beside_steps(key: str, now: datetime) -> dict[str, str]:
    """Return what is written beside the steps of a live flow: people, letters and vouchers."""
    said = {step: list(numbers_in_words(found)) for step, found in live_numbers(key, now).items()}
    for step, used in used_in_words(key, now).items():
        said.setdefault(step, []).append(used)
    return {step: " · ".join(parts) for step, parts in said.items()}


def merge_tag_groups() -> list[tuple[str, list[dict[str, str]]]]:
    """Return every merge tag under its heading, with what is written for it."""
    groups: dict[str, list[dict[str, str]]] = {}
    for tag in tags.registry.values():
        groups.setdefault(str(tag.group), []).append(
            {"label": str(tag.label), "written": _written(tag.path)}
        )
    return list(groups.items())


def _written(path: str) -> str:
    """Return a tag as it stands in a letter; what repeats stands in a loop."""
    around, mark, inner = path.rpartition("[].")
    if not mark:
        return f"{{{{ {path} }}}}"
    if "[]" in around:
        return path
    return f"{{% for line in {around} %}}{{{{ line.{inner} }}}}{{% endfor %}}"


class MergeTagPanel(Panel):
    """The personal data that a letter may say; a click writes it where the caret stood."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/panels/merge_tags.html"

        @property
        def media(self) -> forms.Media:
            """Bring the editor's own style and behaviour."""
            return MEDIA

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add the tags."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            context["groups"] = merge_tag_groups()
            return context


class SourcePanel(MultiFieldPanel):
    """The fields of letters that are written as MJML: open where the letter is one of these."""

    class BoundPanel(MultiFieldPanel.BoundPanel):
        """The panel of one draft."""

        def is_shown(self) -> bool:
            """Show it for letters; a text has no other form."""
            return bool(super().is_shown()) and not is_text(self.instance)

        def get_comparison(self) -> list[Any]:
            """Compare what is shown."""
            return list(super().get_comparison()) if self.is_shown() else []

        def classes(self) -> list[str]:
            """Close it for letters made of blocks."""
            found = list(super().classes())
            return found if self.instance.body else [*found, "collapsed"]


class ContentTab(ObjectList):
    """What a template says, under the name of what it is: a letter or a text."""

    class BoundPanel(ObjectList.BoundPanel):
        """The tab of one draft."""

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            if is_text(self.instance):
                self.heading = pgettext("triggers", "Text")


class WordsPanel(MultiFieldPanel):
    """The words of a text, with what they cost counted beside them while they are written."""

    class BoundPanel(MultiFieldPanel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/panels/words.html"

        @property
        def media(self) -> forms.Media:
            """Bring the counter."""
            media: forms.Media = super().media
            return media + WORDS_MEDIA

        def is_shown(self) -> bool:
            """Show it for texts."""
            return bool(super().is_shown()) and is_text(self.instance)

        def get_comparison(self) -> list[Any]:
            """Compare what is shown."""
            return list(super().get_comparison()) if self.is_shown() else []

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add where it is counted."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            context["count_url"] = reverse("wagtail_triggers:count_text")
            return context


class LetterChecksPanel(Panel):
    """What is worth a look in the letter as it was saved last."""

    class BoundPanel(Panel.BoundPanel):
        """The panel of one draft."""

        template_name = "wagtail_triggers/panels/letter_checks.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            """Add the warnings."""
            context: dict[str, Any] = super().get_context_data(parent_context)
            context["warnings"] = letter_warnings(self.instance) if self.instance.pk else []
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
            return bool(
                super().is_shown()
                # A test goes to an e-mail address.
                and not is_text(self.instance)
                and self.request.user.has_perm(SEND_TEST)
            )

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
