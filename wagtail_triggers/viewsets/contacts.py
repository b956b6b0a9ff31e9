"""Contacts in Wagtail's admin: a list, and a page with everything about one person."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views.generic import IndexView, InspectView
from wagtail.admin.viewsets.model import ModelViewSet

from oscar_triggers.models import Contact

from ..contacts import acts, finding, history
from ..contacts.dossier import MOST_SHOWN, Dossier
from ..contacts.finding import name_of
from ..forms.contacts import FindForm, WhyForm
from ..permissions import CHANGE_CONTACTS
from ..segment_filter import NarrowedBySegment, OfSegment
from .columns import WrittenColumn
from .large import CappedPaginator


class ContactFilterSet(OfSegment):
    """Narrows the list to the people of a segment."""

    contact_column = "pk"

    class Meta:
        model = Contact
        fields: list[str] = []


class ContactIndexView(NarrowedBySegment, IndexView):
    """The list; who is looked for is posted, so that no address stands in a URL."""

    paginator_class = CappedPaginator
    template_name = "wagtail_triggers/contacts.html"
    results_template_name = "wagtail_triggers/contacts_results.html"
    #: What was looked for; None before anything was.
    find_form: FindForm | None = None

    def get_base_queryset(self) -> QuerySet[Any]:
        """Return the people, or those whom the posted words find."""
        rows = finding.people()
        if self.find_form is not None:
            rows = finding.find(self.find_form.cleaned_data["who"])
        return finding.with_address(rows).defer("fields")

    def get_paginate_by(self, queryset: Any) -> int:
        """Show what was found on one page: links to others would have to hold the words."""
        if self.find_form is not None:
            return finding.MOST_FOUND
        return int(super().get_paginate_by(queryset))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Find somebody; the only one found is shown at once."""
        form = FindForm(request.POST)
        if not form.is_valid():
            return redirect(self.index_url)
        self.find_form = form
        found = list(finding.find(form.cleaned_data["who"]).values_list("pk", flat=True)[:2])
        if len(found) == 1:
            return redirect(reverse(self.inspect_url_name, args=[found[0]]))
        answer: HttpResponse = self.get(request, *args, **kwargs)
        return answer

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add the box by which people are found."""
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["find_form"] = self.find_form or FindForm()
        context["looked_for"] = self.find_form is not None
        page = context.get("page_obj")
        context["too_many"] = (
            self.find_form is not None and page is not None and page.paginator.num_pages > 1
        )
        context["most_found"] = finding.MOST_FOUND
        return context

    def get_page_title(self) -> str:
        """Return the page's title."""
        return pgettext("triggers", "Contacts")


class ContactInspectView(InspectView):
    """One person: what we know, hold and owe, what was allowed, and what staff did."""

    page_title = pgettext_lazy("triggers", "Contact")

    def get_object(self, queryset: Any = None) -> Contact:
        """Fetch the person."""
        people = Contact.objects.select_related("user")
        found: Contact = get_object_or_404(people, pk=unquote(str(self.pk)))
        return found

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the person; one that turned out to be another leads there."""
        if self.object.joined_into_id is not None:
            return redirect(reverse("triggers_contacts:inspect", args=[self.object.joined_into_id]))
        answer: HttpResponse = super().get(request, *args, **kwargs)
        return answer

    def get_page_subtitle(self) -> str:
        """Return who it is."""
        return name_of(self.object)

    def get_fields_context(self) -> list[dict[str, Any]]:
        """Leave Wagtail's list of all columns out."""
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the parts of the page."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context.update(
            contact=self.object,
            dossier=Dossier(self.object, timezone.now()),
            most_shown=MOST_SHOWN,
            why_form=WhyForm(known=True),
            may_change=self.request.user.has_perm(CHANGE_CONTACTS),
            acts=acts.for_contact(),
            history=history.of(self.object),
        )
        return context


class ContactViewSet(ModelViewSet):
    """Contacts: the list and the page of each."""

    model = Contact
    name = "triggers_contacts"
    url_prefix = "triggers/contacts"
    icon = "group"
    menu_label = pgettext_lazy("triggers", "Contacts")
    menu_name = "triggers-contacts"
    menu_order = 350
    add_to_reference_index = False
    copy_view_enabled = False
    inspect_view_enabled = True
    form_fields: list[str] = []
    index_view_class = ContactIndexView
    inspect_view_class = ContactInspectView
    index_template_name = "wagtail_triggers/contacts.html"
    index_results_template_name = "wagtail_triggers/contacts_results.html"
    inspect_template_name = "wagtail_triggers/contact.html"
    filterset_class = ContactFilterSet
    list_per_page = 50
    ordering = ["-pk"]
    list_display = [
        TitleColumn(
            "name",
            label=pgettext_lazy("triggers", "Name"),
            accessor=name_of,
            url_name="triggers_contacts:inspect",
        ),
        WrittenColumn("address", label=pgettext_lazy("triggers", "E-mail address")),
        Column("language", label=pgettext_lazy("triggers", "Language")),
        DateColumn("created_at", label=pgettext_lazy("triggers", "Known since")),
        DateColumn("seen_at", label=pgettext_lazy("triggers", "Last seen in the shop")),
    ]

    def get_urlpatterns(self) -> list[URLPattern]:
        """Return the pages that read; acts for people are views of their own."""
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path(f"inspect/<{self.pk_path_converter}:pk>/", self.inspect_view, name="inspect"),
        ]
