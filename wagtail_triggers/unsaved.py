"""A flow as it stands in the form on somebody's screen, saved or not."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from .checking import FORM_FIELDS
from .models import FlowDraft


class NotAForm(Exception):
    """What was posted is no form of a flow."""


def posted_draft(request: HttpRequest, pk: str = "") -> FlowDraft:
    """Return the draft that the posted form would make; nothing is saved.

    What the form refuses keeps its saved value. Raises NotAForm, and Http404 for a draft that is
    gone.
    """
    draft: FlowDraft = FlowDraft()
    if pk:
        draft = get_object_or_404(FlowDraft, pk=pk).get_latest_revision_as_object()
    form_class: Any = FlowDraft.get_edit_handler().get_form_class()
    form = form_class(request.POST, instance=draft, for_user=request.user)
    form.defer_required_fields()
    try:
        form.is_valid()
    except KeyError as error:
        # Wagtail's stream fields expect their hidden inputs.
        raise NotAForm(f"The form lacks {error}.") from error
    for name in FORM_FIELDS | {"people"}:
        if name in form.cleaned_data:
            setattr(draft, name, form.cleaned_data[name])
    return draft
