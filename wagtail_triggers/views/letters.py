"""Test letters, taking templates over, and letters as they were sent."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST
from wagtail.log_actions import log

from oscar_triggers.channels import Outcome
from oscar_triggers.engine import trials
from oscar_triggers.exceptions import ProblemsError, TemplateError, TriggersError
from oscar_triggers.models import Message, Owner, Template

from .. import localizing
from ..conversation import letter_of
from ..models import TemplateDraft
from ..ownership import take_over_template
from ..people import preview_values
from ..permissions import SEND_TEST, TAKE_OVER_TEMPLATE, VIEW_MESSAGES, VIEW_PERSONAL_DATA
from ..previews import SANDBOX_POLICY, with_prices
from ..publishing import letter_source
from .access import requires

CHANGE = "wagtail_triggers.change_templatedraft"
ADD = "wagtail_triggers.add_templatedraft"
PUBLISH = "wagtail_triggers.publish_templatedraft"


#: So many colleagues get a test at once.
MOST_ADDRESSES = 10


@require_POST
@requires(SEND_TEST, any_of=(ADD, CHANGE))
def send_test(request: HttpRequest, pk: str = "") -> JsonResponse:
    """Send the letter in the form, saved or not; to others than oneself only publishers may."""
    user: Any = request.user
    written = request.POST.get("test_address", "") if user.has_perm(PUBLISH) else ""
    addresses = (
        list(dict.fromkeys(re.split(r"[\s,;]+", written.strip()))) if written.strip() else []
    )
    addresses = addresses or [user.email]
    try:
        for address in addresses:
            validate_email(address)
    except ValidationError:
        return _answer(
            pgettext("triggers", "Write a whole e-mail address, as in me@shop.example."), 400
        )
    if len(addresses) > MOST_ADDRESSES:
        return _answer(
            pgettext("triggers", "Write at most %(most)d addresses.") % {"most": MOST_ADDRESSES},
            400,
        )
    if "blocks-count" not in request.POST:
        return _answer(pgettext("triggers", "This is no whole form; reload the page."), 400)
    draft = get_object_or_404(TemplateDraft, pk=pk) if pk else TemplateDraft()
    form_class: Any = TemplateDraft.get_edit_handler().get_form_class()
    form = form_class(request.POST, instance=draft, for_user=user)
    form.defer_required_fields()
    if not form.is_valid():
        return _answer(pgettext("triggers", "Some fields need to be corrected first."), 400)
    form.save(commit=False)
    refused: list[str] = []
    for one in [draft, *_translations(draft, request)]:
        answer = _send(one, addresses, user)
        if isinstance(answer, JsonResponse):
            return answer
        refused += answer
    if refused:
        return _answer(
            pgettext("triggers", "The mail server did not take it: %(answer)s")
            % {"answer": refused[0]},
            502,
        )
    return _answer(
        pgettext("triggers", "Sent to %(address)s. It stands in the log of messages, too.")
        % {"address": ", ".join(addresses)}
    )


def _translations(draft: Any, request: HttpRequest) -> list[Any]:
    """Return the letter's other languages as they were saved last, where they are wanted."""
    if not request.POST.get("test_languages") or not draft.key:
        return []
    others = TemplateDraft.objects.filter(key=draft.key).exclude(language=draft.language)
    found = [one.get_latest_revision_as_object() for one in others.order_by("language")]
    for one in found:
        one.preview_as = draft.preview_as
    return found


def _send(draft: Any, addresses: list[str], user: Any) -> JsonResponse | list[str]:
    """Send one language; return what the mail server refused, or what to answer at once."""
    now = timezone.now()
    chosen = preview_values(
        draft.preview_as, draft.language, personal=user.has_perm(VIEW_PERSONAL_DATA), now=now
    )
    try:
        source = letter_source(draft)
        receipts = trials.send_test(
            source,
            addresses,
            values=with_prices(chosen.values, source),
            template_key=draft.key,
            now=now,
        )
    except TemplateError as error:
        return _answer(
            pgettext("triggers", "The letter cannot be sent yet. %(problems)s")
            % {"problems": " ".join(str(problem) for problem in error.problems)},
            400,
        )
    except (TriggersError, ValueError) as error:
        return _answer(str(error), 400)
    return [
        receipt.detail or receipt.outcome.value
        for receipt in receipts
        if receipt.outcome is not Outcome.SENT
    ]


def _answer(message: str, status: int = 200) -> JsonResponse:
    return JsonResponse({"ok": status < 400, "message": message}, status=status)


@require_GET
@requires(CHANGE)
def translated_letter(request: HttpRequest, pk: str) -> HttpResponse:
    """Show a letter with the words that wagtail-localize has of it so far; it previews only pages."""
    letter = localizing.translated(get_object_or_404(TemplateDraft, pk=pk))
    if letter is None:
        raise Http404
    response: HttpResponse = letter.make_preview_request(request, letter.default_preview_mode)
    return response


@require_POST
@requires(TAKE_OVER_TEMPLATE)
def take_over(request: HttpRequest, key: str) -> HttpResponse:
    """Make the editor own a template that files owned, in all its languages."""
    get_object_or_404(Template, key=key, owner=Owner.FILE)
    try:
        drafts = take_over_template(key, by=request.user)
    except ProblemsError as error:
        messages.error(request, str(error))
        return redirect("wagtail_triggers:files")
    for draft in drafts:
        log(draft, "wagtail_triggers.take_over", user=request.user)
    messages.success(
        request,
        pgettext(
            "triggers", "“%(name)s” is written here from now on; its files are not read any more."
        )
        % {"name": drafts[0].name if drafts else key},
    )
    if not drafts:
        return redirect("wagtail_triggers:files")
    viewset = TemplateDraft.snippet_viewset
    return redirect(reverse(viewset.get_url_name("edit"), args=[quote(drafts[0].pk)]))


@require_GET
@requires(VIEW_MESSAGES, VIEW_PERSONAL_DATA)
@xframe_options_sameorigin
def message_html(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the HTML of a letter as it was sent, where it can run nothing."""
    message = get_object_or_404(Message.objects.select_related("template_version"), pk=pk)
    letter = letter_of(message)
    if letter is None:
        raise Http404
    # Staff look at the letter; its links belong to the person it was sent to.
    response = HttpResponse(letter.html.replace("<body", "<body inert", 1))
    response["Content-Security-Policy"] = SANDBOX_POLICY
    # Pictures are fetched without telling where from.
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-store"
    return response
