"""Templates in Wagtail's admin."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import django_filters
from django.contrib.admin.utils import quote
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    ObjectList,
    TabbedInterface,
    TitleFieldPanel,
)
from wagtail.admin.ui.tables import Column, StatusTagColumn, UpdatedAtColumn
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.snippets.views.snippets import (
    CopyView,
    CreateView,
    EditView,
    IndexView,
    SnippetViewSet,
)

from oscar_triggers.channels import name_of
from oscar_triggers.policy.points import EMAIL

from .. import letter_languages, localizing
from ..forms.dates import publishing_panel
from ..letter_checker import WithLetterChecker
from ..models import TemplateDraft
from ..panels import (
    ContentTab,
    LetterChecksPanel,
    MergeTagPanel,
    SourcePanel,
    TestLetterPanel,
    WordsPanel,
)
from ..permissions import WRITE_MJML
from ..publishing import language_choices
from ..states import template_state_label
from ..texts import is_text, text_channels
from ..usage import running_template_uses
from .closed import ClosedChooserViewSet, ClosedConfirmView
from .columns import WrittenColumn
from .history import DraftHistoryView
from .refusals import ApprovesOrSaysWhy, PublishesWithRemark


def language_label(draft: TemplateDraft) -> Any:
    """Return the language's own name in the shop."""
    return dict(language_choices()).get(draft.language, draft.language)


def channel_label(draft: TemplateDraft) -> str:
    """Return what staff call the channel that a template is written for."""
    return name_of(draft.channel)


def first_words(draft: TemplateDraft) -> str:
    """Return what a reader sees first: a letter's subject, or how a text begins."""
    return Truncator(draft.text).chars(60) if is_text(draft) else draft.subject


def channel_choices() -> list[tuple[str, Any]]:
    """Return the channels for which templates can be written."""
    return [(EMAIL, name_of(EMAIL)), *text_channels()]


class TemplateFilterSet(WagtailFilterSet):
    """Narrows the list of templates."""

    language = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Language"),
        choices=language_choices,
        empty_label=pgettext_lazy("triggers", "All"),
    )
    channel = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Channel"),
        choices=channel_choices,
        empty_label=pgettext_lazy("triggers", "All"),
    )
    state = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "State"),
        choices=[
            ("published", pgettext_lazy("triggers", "published")),
            ("changed", pgettext_lazy("triggers", "published, with changes in draft")),
            ("draft", pgettext_lazy("triggers", "draft")),
        ],
        method="with_state",
        empty_label=pgettext_lazy("triggers", "All"),
    )

    class Meta:
        model = TemplateDraft
        fields: list[str] = []

    def _add_locale_filter(self) -> None:
        """Offer no locales: Wagtail's are the languages of pages, and letters have more."""

    def with_state(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the templates in a state."""
        if value == "draft":
            return queryset.filter(live=False)
        changed = Q(has_unpublished_changes=True)
        return queryset.filter(changed if value == "changed" else ~changed, live=True)


class UsedByColumn(Column):
    """The running flows that send a template, by one query for the whole page."""

    def get_value(self, instance: Any) -> str:
        """Return the names of the flows."""
        return ", ".join(getattr(instance, "used_by", ())) or "–"


class InAllLanguages:
    """A view that Wagtail does not narrow to a locale: letters have languages without one, too."""

    i18n_enabled = False


class TemplateIndexView(InAllLanguages, IndexView):
    """The list of templates."""

    #: Wagtail's own puts the model's name into a sentence, which not every language can.
    add_item_label = pgettext_lazy("triggers", "Add a template")

    @cached_property
    def _uses(self) -> dict[str, list[str]]:
        return running_template_uses()

    @cached_property
    def header_buttons(self) -> list[Any]:
        """Lead those who may add letters to the ones that ship."""
        buttons = list(super().header_buttons)
        if self.permission_policy.user_has_permission(self.request.user, "add"):
            buttons.append(
                HeaderButton(
                    label=pgettext("triggers", "Start from a ready letter"),
                    url=reverse("wagtail_triggers:ready_letters"),
                    icon_name="mail",
                )
            )
        return buttons

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        """Lead to a new text, where some app brings a channel that could send it."""
        buttons = list(super().header_more_buttons)
        if not self.permission_policy.user_has_permission(self.request.user, "add"):
            return buttons
        new = [
            Button(
                label=pgettext("triggers", "Add a text message"),
                url=f"{self.add_url}?{urlencode({'channel': kind})}",
                icon_name="comment",
                priority=5,
            )
            for kind, _label in text_channels()[:1]
        ]
        return [*new, *buttons]

    def get_base_queryset(self) -> QuerySet[Any]:
        """Leave the letters themselves in the database."""
        drafts: QuerySet[Any] = super().get_base_queryset()
        return drafts.defer("blocks", "body")

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Tell each row which flows use it."""
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        for draft in context["object_list"]:
            draft.used_by = self._uses.get(draft.key, [])
        return context


class TemplateEditView(InAllLanguages, PublishesWithRemark, WithLetterChecker, EditView):
    """The editor of one template, with its other languages above."""

    def run_before_hook(self) -> Any:
        """Go with wagtail-localize, whose page stands here for a letter that it translates.

        It can show only pages, and publishes what the engine may refuse.
        """
        request = self.request
        if request.method == "GET" and localizing.translation_of(self.object) is not None:
            _offer_preview(request, self.object)
        elif request.POST.get("action") == "publish":
            problems = list(localizing.problems_of(self.object, request.user))
            for problem in problems:
                messages.error(request, problem)
            if problems:
                return redirect(request.path)
        return super().run_before_hook()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the languages."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, **letter_languages.context_of(self.object, self.request.user)}


def _offer_preview(request: HttpRequest, draft: TemplateDraft) -> None:
    url = reverse("wagtail_triggers:translated_letter", args=[quote(draft.pk)])
    text = pgettext("triggers", "Look at the letter with what is translated so far.")
    see = messages.button(url, pgettext("triggers", "See the letter"), new_window=True)
    messages.info(request, text, buttons=[see])


class TemplateCreateView(InAllLanguages, PublishesWithRemark, WithLetterChecker, CreateView):
    """The editor of a new one: a letter, or a text where its address names a channel for texts."""

    @property
    def _channel(self) -> str:
        asked = self.request.GET.get("channel", "")
        return asked if asked in dict(text_channels()) else ""

    def get_initial_form_instance(self) -> Any:
        """Begin a text where one is asked for."""
        return TemplateDraft(channel=self._channel) if self._channel else None

    def get_add_url(self) -> str:
        """Keep what was asked for when the form comes back."""
        url = str(super().get_add_url())
        return f"{url}?{urlencode({'channel': self._channel})}" if self._channel else url


class TemplateCopyView(InAllLanguages, PublishesWithRemark, WithLetterChecker, CopyView):
    """A copy keeps the key and asks for another language: that is how a translation begins."""

    def get_initial_form_instance(self) -> Any:
        """Return the copied draft without what must differ."""
        instance = super().get_initial_form_instance()
        asked = self.request.GET.get("language", "")
        instance.language = asked if asked in dict(language_choices()) else ""
        instance.first_published_at = None
        return instance


class TemplateViewSet(SnippetViewSet):
    """Templates: list, editor, history, preview."""

    model = TemplateDraft
    icon = "mail"
    menu_label = pgettext_lazy("triggers", "Templates")
    menu_name = "triggers-templates"
    menu_order = 200
    url_prefix = "triggers/templates"
    index_view_class = TemplateIndexView
    add_view_class = TemplateCreateView
    edit_view_class = TemplateEditView
    copy_view_class = TemplateCopyView
    filterset_class = TemplateFilterSet
    chooser_viewset_class = ClosedChooserViewSet
    confirm_workflow_cancellation_view_class = ClosedConfirmView
    workflow_action_view_class = ApprovesOrSaysWhy
    create_template_name = "wagtail_triggers/drafts/create.html"
    edit_template_name = "wagtail_triggers/drafts/edit.html"
    history_view_class = DraftHistoryView
    index_results_template_name = "wagtail_triggers/templates_results.html"
    search_backend_name = None
    search_fields = ["name", "key", "subject"]
    list_per_page = 50
    ordering = ["name", "language"]
    list_display = [
        "name",
        Column(
            "language",
            label=pgettext_lazy("triggers", "Language"),
            accessor=language_label,
            sort_key="language",
        ),
        WrittenColumn(
            "subject",
            label=pgettext_lazy("triggers", "Subject or text"),
            accessor=first_words,
        ),
        Column("channel", label=pgettext_lazy("triggers", "Channel"), accessor=channel_label),
        StatusTagColumn(
            "state",
            label=pgettext_lazy("triggers", "State"),
            accessor=template_state_label,
            primary=lambda draft: draft.live,
            sort_key="live",
        ),
        UsedByColumn("used_by", label=pgettext_lazy("triggers", "Sent by")),
        UpdatedAtColumn(label=pgettext_lazy("triggers", "Changed")),
    ]

    edit_handler = TabbedInterface(
        [
            ContentTab(
                [
                    TitleFieldPanel("name", targets=["key"], required_on_save=True),
                    FieldRowPanel(
                        [
                            FieldPanel("key", required_on_save=True),
                            FieldPanel("language", required_on_save=True),
                            FieldPanel("channel"),
                        ]
                    ),
                    WordsPanel(
                        [FieldPanel("text")], heading=pgettext_lazy("triggers", "What it says")
                    ),
                    FieldPanel("subject"),
                    FieldPanel("preheader"),
                    FieldPanel("blocks"),
                    SourcePanel(
                        [
                            MergeTagPanel(heading=pgettext_lazy("triggers", "Personal data")),
                            FieldPanel("body", permission=WRITE_MJML),
                            FieldPanel("text"),
                        ],
                        heading=pgettext_lazy("triggers", "For developers"),
                    ),
                ],
                heading=pgettext_lazy("triggers", "Letter"),
            ),
            ObjectList(
                [
                    LetterChecksPanel(heading=pgettext_lazy("triggers", "Worth a look")),
                    FieldPanel("preview_as"),
                    TestLetterPanel(heading=pgettext_lazy("triggers", "Test letter")),
                    publishing_panel(),
                ],
                heading=pgettext_lazy("triggers", "Preview and test"),
            ),
        ]
    )
