"""The log of messages in Wagtail's admin: it can be read, and nothing else."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.contrib.admin.utils import unquote
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.ui.tables import Column, DateColumn, StatusTagColumn, TitleColumn
from wagtail.admin.views.generic import IndexView, InspectView
from wagtail.admin.viewsets.model import ModelViewSet

from oscar_triggers import channels
from oscar_triggers.engine.resolving import OPEN
from oscar_triggers.models import (
    Decision,
    Dispatch,
    Enrollment,
    Flow,
    Message,
    MessageItem,
    MessageState,
    Template,
)
from oscar_triggers.models.partial import NotIndexed

from ..conversation import address_of, enrollment_lines, letter_parts, step_names_of
from ..forms.dates import DateRange
from ..permissions import RESOLVE_MESSAGE, VIEW_PERSONAL_DATA
from ..returns import what_came_back
from ..segment_filter import NarrowedBySegment, OfSegment
from ..stories import story_of
from ..views.access import ExportsForSome
from ..wording import (
    about_in_words,
    about_types,
    compared_answers,
    compared_rows,
    reason_in_words,
    rule_in_words,
    verdict_in_words,
)
from ..words import REASONS
from .columns import WrittenColumn
from .large import LargeListMixin

#: So many messages about one thing are found by its number.
_MOST_ABOUT = 500


def what_label(message: Message) -> str:
    """Return what was sent: the template's name, or that it was a test."""
    if message.idempotency_key.startswith("test:"):
        name = message.template.name if message.template else pgettext("triggers", "a draft")
        return pgettext("triggers", "Test of %(name)s") % {"name": name}
    return str(message.template)


def flow_label(message: Message) -> str:
    """Return the name of the flow that owes it."""
    return message.flow.name if message.flow else "–"


def why_label(message: Message) -> str:
    """Return the reason in words."""
    return capfirst(reason_in_words(message.reason)) or "–"


class MessageFilterSet(OfSegment):
    """Narrows the log."""

    state = django_filters.MultipleChoiceFilter(
        label=pgettext_lazy("triggers", "State"),
        choices=MessageState.choices,
        widget=forms.CheckboxSelectMultiple,
        method="in_states",
    )
    flow = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Flow"),
        field_name="flow_id",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    template = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Template"),
        field_name="template_id",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    channel = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Channel"),
        choices=lambda: [(kind, channels.name_of(kind)) for kind in channels.registry],
        method="with_channel",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    reason = django_filters.ChoiceFilter(
        label=pgettext_lazy("triggers", "Why"),
        choices=lambda: sorted(
            ((code, str(capfirst(words))) for code, words in REASONS.items()),
            key=lambda choice: choice[1].lower(),
        ),
        method="with_reason",
        empty_label=pgettext_lazy("triggers", "All"),
    )
    planned_at = django_filters.DateFromToRangeFilter(
        label=pgettext_lazy("triggers", "Date"), widget=DateRange
    )

    class Meta:
        model = Message
        fields: list[str] = []

    def in_states(self, queryset: QuerySet[Any], name: str, value: list[str]) -> QuerySet[Any]:
        """Keep the messages in these states; nearly all are sent, and need not be looked up."""
        if MessageState.SENT in value:
            listed: QuerySet[Any] = queryset.alias(is_in=NotIndexed("state"))
            return listed.filter(is_in__in=value)
        # Said twice: the index of these holds what is not sent, in so many words.
        return queryset.filter(state__in=value).exclude(state=MessageState.SENT)

    def with_reason(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep what has a reason, and of that this one: in the words of its index."""
        return queryset.filter(**{name: value}).exclude(**{name: ""})

    def with_channel(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep the messages that were tried by a channel."""
        return queryset.filter(
            Exists(Dispatch.objects.filter(message=OuterRef("pk"), channel=value))
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in _choices().items():
            self.filters[name].extra["choices"] = choices


def _choices() -> dict[str, list[tuple[int, str]]]:
    """Return flows and templates to choose from, names only, by one query for both."""
    found: dict[str, list[tuple[int, str]]] = {"flow": [], "template": []}
    rows = Flow.objects.values_list(Value("flow"), "pk", "name").union(
        Template.objects.values_list(Value("template"), "pk", "name")
    )
    for kind, pk, name in sorted(rows, key=lambda row: row[2].lower()):
        found[kind].append((pk, name))
    return found


def _about(number: str) -> list[int]:
    """Return the newest messages about things with this number."""
    items = MessageItem.objects.filter(
        enrollment__about_type__in=about_types(), enrollment__about_id=number
    )
    return list(items.order_by("-message_id").values_list("message_id", flat=True)[:_MOST_ABOUT])


class ContactColumn(WrittenColumn):
    """Who it went to: the address for those who may see it, else a number."""

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        """Choose what to show by the reader's permission."""
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        request = parent_context.get("request")
        personal = request is not None and request.user.has_perm(VIEW_PERSONAL_DATA)
        context["value"] = contact_label(instance, personal=personal)
        return context


def contact_label(message: Message, *, personal: bool) -> str:
    """Return the address, the contact's number, or a dash for a test."""
    if personal and (address := address_of(message)):
        return address
    if message.contact_id is None:
        return "–"
    return pgettext("triggers", "Contact %(number)s") % {"number": message.contact_id}


class MessageIndexView(NarrowedBySegment, ExportsForSome, LargeListMixin, IndexView):
    """The log."""

    list_export = ["what", "state", "flow", "to", "about", "planned", "settled", "clicked", "why"]
    export_filename = "messages"
    export_headings = {
        "what": pgettext_lazy("triggers", "Message"),
        "state": pgettext_lazy("triggers", "State"),
        "flow": pgettext_lazy("triggers", "Flow"),
        "to": pgettext_lazy("triggers", "To"),
        "about": pgettext_lazy("triggers", "About"),
        "planned": pgettext_lazy("triggers", "Planned"),
        "settled": pgettext_lazy("triggers", "Settled"),
        "clicked": pgettext_lazy("triggers", "Clicked"),
        "why": pgettext_lazy("triggers", "Why"),
    }

    @cached_property
    def is_personal(self) -> bool:
        """Say whether the reader may see whom the shop wrote to."""
        return bool(self.request.user.has_perm(VIEW_PERSONAL_DATA))

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Find by number, and by the names of flows and templates: each has an index."""
        query = str(self.search_query or "").strip()
        if not query:
            return queryset
        return queryset.filter(
            Q(public_id=query)
            | Q(pk__in=_about(query))
            | Q(flow_id__in=self._called("flow", query))
            | Q(template_id__in=self._called("template", query))
        )

    def _called(self, name: str, query: str) -> list[int]:
        """Return the flows or templates that are called so, of those to choose from."""
        choices = self.filters.filters[name].extra["choices"]
        return [pk for pk, label in choices if query.lower() in label.lower()]

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        """Return one row of the export; addresses only for those who may see them."""
        return {
            "what": what_label(item),
            "state": str(item.get_state_display()),
            "flow": flow_label(item),
            "to": contact_label(item, personal=self.is_personal),
            "about": about_in_words(item.about_type, item.about_id),
            "planned": item.planned_at,
            "settled": item.settled_at,
            "clicked": item.clicked_at,
            "why": why_label(item),
        }

    def get_base_queryset(self) -> QuerySet[Any]:
        """Fetch what the columns show, without what was said."""
        messages: QuerySet[Any] = super().get_base_queryset()
        messages = messages.select_related("template", "flow").defer("payload", "options")
        if self.is_personal:
            tried = Dispatch.objects.filter(message=OuterRef("pk"), point__isnull=False)
            messages = messages.annotate(
                address=Subquery(tried.order_by("hop").values("point__value")[:1])
            )
        return messages

    def get_page_title(self) -> str:
        """Return the page's title."""
        return pgettext("triggers", "Messages")


class MessageInspectView(InspectView):
    """One message: what was said, each try at it, and every decision with its values."""

    page_title = pgettext_lazy("triggers", "Message")

    def get_object(self, queryset: Any = None) -> Message:
        """Fetch the message with all that the page shows."""
        dispatches = Dispatch.objects.select_related("point").order_by("hop")
        messages = Message.objects.select_related(
            "template", "flow", "template_version"
        ).prefetch_related(Prefetch("dispatches", dispatches))
        found: Message = get_object_or_404(messages, pk=unquote(str(self.pk)))
        return found

    def get_page_subtitle(self) -> str:
        """Return what was sent."""
        return what_label(self.object)

    def get_fields_context(self) -> list[dict[str, Any]]:
        """Leave Wagtail's list of all columns out."""
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the parts of the page."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        message = self.object
        personal = self.request.user.has_perm(VIEW_PERSONAL_DATA)
        may_resolve = self.request.user.has_perm(RESOLVE_MESSAGE)
        enrollments = list(
            Enrollment.objects.filter(message_items__message=message)
            .select_related("flow", "version")
            .order_by("pk")
        )
        dispatches = list(message.dispatches.all())
        steps = step_names_of(enrollments)
        now = timezone.now()
        context.update(
            message=message,
            personal=personal,
            what=what_label(message),
            why=why_label(message),
            contact=contact_label(message, personal=personal),
            about=about_in_words(message.about_type, message.about_id),
            letter=letter_parts(message, dispatches) if personal else None,
            doubts=[one for one in dispatches if one.state in OPEN] if may_resolve else [],
            is_late=now > message.not_after,
            came_back=what_came_back(message, dispatches),
            story=story_of(message, steps, now),
            dispatches=[
                (one, channels.name_of(one.channel), capfirst(reason_in_words(one.reason)))
                for one in dispatches
            ],
            decisions=[
                {
                    "row": decision,
                    "rule": rule_in_words(decision.rule, steps),
                    "verdict": verdict_in_words(decision.verdict),
                    "reason": reason_in_words(decision.reason),
                    "compared": compared_rows(decision.compared, steps=steps, kind=decision.reason),
                    "answers": compared_answers(decision.compared),
                }
                for decision in _decisions(message, enrollments)
            ],
            enrollments=[
                {"row": one, "lines": enrollment_lines(one, message.step_key)}
                for one in enrollments
            ],
        )
        return context


def _decisions(message: Message, enrollments: list[Enrollment]) -> QuerySet[Decision]:
    """Return what was decided about a message, and about the way that led to it."""
    way = Q(enrollment__in=[one.pk for one in enrollments], message=None)
    return Decision.objects.filter(Q(message=message) | way).order_by("decided_at", "pk")


class MessageViewSet(ModelViewSet):
    """Messages: the log and its pages."""

    model = Message
    name = "triggers_messages"
    url_prefix = "triggers/messages"
    icon = "history"
    menu_label = pgettext_lazy("triggers", "Messages")
    menu_name = "triggers-messages"
    menu_order = 300
    add_to_reference_index = False
    copy_view_enabled = False
    inspect_view_enabled = True
    form_fields: list[str] = []
    index_view_class = MessageIndexView
    inspect_view_class = MessageInspectView
    inspect_template_name = "wagtail_triggers/message.html"
    index_results_template_name = "wagtail_triggers/messages_results.html"
    filterset_class = MessageFilterSet
    search_fields = ["public_id", "about_id", "flow__name", "template__name"]
    list_per_page = 50
    ordering = ["-planned_at", "-pk"]
    list_display = [
        TitleColumn(
            "what",
            label=pgettext_lazy("triggers", "Message"),
            accessor=what_label,
            url_name="triggers_messages:inspect",
        ),
        StatusTagColumn(
            "state",
            label=pgettext_lazy("triggers", "State"),
            accessor="get_state_display",
            primary=lambda message: message.state == MessageState.SENT,
        ),
        Column("flow", label=pgettext_lazy("triggers", "Flow"), accessor=flow_label),
        ContactColumn("contact", label=pgettext_lazy("triggers", "To"), accessor="contact_id"),
        DateColumn("planned_at", label=pgettext_lazy("triggers", "Planned"), sort_key="planned_at"),
        DateColumn("settled_at", label=pgettext_lazy("triggers", "Settled")),
        Column("reason", label=pgettext_lazy("triggers", "Why"), accessor=why_label),
    ]

    def get_urlpatterns(self) -> list[URLPattern]:
        """Return the pages that read; the log has no others."""
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path(f"inspect/<{self.pk_path_converter}:pk>/", self.inspect_view, name="inspect"),
        ]
