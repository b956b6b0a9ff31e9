"""The page of a one-off letter: what would happen, what happened, and the buttons between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import npgettext, pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST
from wagtail.log_actions import log

from oscar_triggers.channels import Outcome
from oscar_triggers.content.letters import LetterSource
from oscar_triggers.engine import audience, one_off, segments, templates, trials
from oscar_triggers.exceptions import ProblemsError, TriggersError
from oscar_triggers.insight import letters
from oscar_triggers.models import LetterState, OneOffLetter, Template

from ..crowds import count_sentence, letter_state, segment_names, when_in_words
from ..people import sample_values
from ..permissions import (
    CHANGE_LETTERS,
    SEND_LETTERS,
    SEND_TEST,
    VIEW_LETTERS,
    VIEW_MESSAGES,
)
from ..words import REASONS
from .access import requires


@require_GET
@requires(any_of=(VIEW_LETTERS, CHANGE_LETTERS, SEND_LETTERS))
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how far a letter is; of a draft, whom it would reach, before anybody confirms it."""
    letter = get_object_or_404(OneOffLetter.objects.select_related("flow"), pk=pk)
    now = timezone.now()
    user: Any = request.user
    is_draft = letter.state == LetterState.DRAFT
    problems = (
        [capfirst(_said(one)) for one in one_off.problems_of(letter, now)] if is_draft else []
    )
    context: dict[str, Any] = {
        "page_title": letter.name,
        "header_title": letter.name,
        "header_icon": "mail",
        "breadcrumbs_items": [
            {"url": reverse("wagtailadmin_home"), "label": pgettext("triggers", "Home")},
            {
                "url": reverse("triggers_one_off:index"),
                "label": pgettext("triggers", "One-off letters"),
            },
            {"url": "", "label": letter.name},
        ],
        "letter": letter,
        "state": letter_state(letter),
        "is_open": letter.state in one_off.OPEN,
        "is_paused": one_off.is_paused(letter),
        "to": segment_names().get(letter.segment, letter.segment),
        "template_name": Template.objects.filter(key=letter.template)
        .values_list("name", flat=True)
        .first()
        or letter.template,
        "when": when_in_words(letter),
        "problems": problems,
        "report": letters.reports([letter]).get(letter.pk),
        "may_send": user.has_perm(SEND_LETTERS),
        "may_change": user.has_perm(CHANGE_LETTERS),
        "may_test": user.has_perm(SEND_TEST),
        "address": user.email,
        "messages_url": _messages_url(letter) if user.has_perm(VIEW_MESSAGES) else "",
    }
    if is_draft and not problems:
        context.update(_whom(letter, now))
    report = context["report"]
    if report is not None:
        context["not_sent"] = [
            (capfirst(str(REASONS.get(reason, reason) or state)), count)
            for state, reason, count in report.not_sent
        ]
    return TemplateResponse(request, "wagtail_triggers/crowds/letter.html", context)


def _said(problem: Any) -> str:
    """Return a problem as its message where the place is only a field of the form."""
    place = problem.where.partition(" › ")[0]
    return (
        problem.message if place in ("", "segment", "send_at", "topic", "steps") else str(problem)
    )


def _messages_url(letter: OneOffLetter) -> str:
    if letter.flow_id is None:
        return ""
    return f"{reverse('triggers_messages:index')}?flow={quote(letter.flow_id)}"


def _whom(letter: OneOffLetter, now: Any) -> dict[str, Any]:
    """Count whom a letter would reach, and why others get nothing."""
    writing = audience.Writing(topic=letter.topic)
    counted = audience.count(segments.get(letter.segment), now, writing=writing)
    refused = sum(counted.unreachable.values())
    reasons = sorted(counted.unreachable.items(), key=lambda item: -item[1])
    return {
        "counted": counted,
        "sentence": count_sentence(counted),
        "refused": npgettext(
            "triggers",
            "%(count)s of them may not be written to:",
            "%(count)s of them may not be written to:",
            refused,
        )
        % {"count": f"{refused:,}"}
        if refused
        else "",
        "reasons": [(capfirst(str(REASONS.get(name, name))), n) for name, n in reasons],
        "reach": counted.reachable,
    }


Act = Callable[..., OneOffLetter]


def _view(act: Act, action: str, said: Any) -> Callable[[HttpRequest, int], HttpResponse]:
    """Return a view that does something with a letter, keeps it in the history, and goes back."""

    @require_POST
    @requires(SEND_LETTERS)
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        letter = get_object_or_404(OneOffLetter, pk=pk)
        try:
            letter = act(letter.pk, by=request.user, now=timezone.now())
        except ProblemsError as error:
            for problem in error.problems:
                messages.error(request, capfirst(str(problem)))
        else:
            log(letter, f"wagtail_triggers.{action}", user=request.user)
            messages.success(request, said % {"letter": letter.name})
        return redirect("wagtail_triggers:one_off", pk)

    return view


pause = _view(
    one_off.pause,
    "pause",
    pgettext_lazy("triggers", "“%(letter)s” is paused: nothing more leaves until you resume."),
)
resume = _view(
    one_off.resume,
    "resume",
    pgettext_lazy("triggers", "“%(letter)s” goes on; what became too late is not sent."),
)
cancel = _view(
    one_off.cancel,
    "cancel_letter",
    pgettext_lazy("triggers", "“%(letter)s” is cancelled: what has not left never leaves."),
)


@require_POST
@requires(SEND_LETTERS)
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a letter go to as many people as its page said."""
    letter = get_object_or_404(OneOffLetter, pk=pk)
    shown = request.POST.get("people", "")
    if not shown.isdigit() or len(shown) > 9:
        messages.error(
            request,
            pgettext("triggers", "Look first at whom it reaches, and confirm on that page."),
        )
        return redirect("wagtail_triggers:one_off", pk)
    try:
        letter = one_off.confirm(pk, people=int(shown), by=request.user, now=timezone.now())
    except ProblemsError as error:
        for problem in error.problems:
            messages.error(request, capfirst(str(problem)))
    else:
        log(letter, "wagtail_triggers.confirm_letter", user=request.user)
        messages.success(
            request,
            pgettext("triggers", "“%(letter)s” is confirmed: %(when)s.")
            % {"letter": letter.name, "when": when_in_words(letter)},
        )
    return redirect("wagtail_triggers:one_off", pk)


@require_POST
@requires(SEND_TEST, any_of=(CHANGE_LETTERS, SEND_LETTERS))
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the letter, filled with samples, to oneself: in each language in which it is published."""
    letter = get_object_or_404(OneOffLetter, pk=pk)
    user: Any = request.user
    now = timezone.now()
    try:
        languages = templates.languages(letter.template)
        answers = [
            receipt
            for language in languages
            for receipt in trials.send_test(
                _source(letter.template, language),
                [user.email],
                values=sample_values(language),
                template_key=letter.template,
                now=now,
            )
        ]
    except (TriggersError, ValueError) as error:
        messages.error(request, str(error))
        return redirect("wagtail_triggers:one_off", pk)
    failed = [one for one in answers if one.outcome is not Outcome.SENT]
    if failed or not answers:
        detail = failed[0].detail or failed[0].outcome.value if failed else letter.template
        messages.error(
            request,
            pgettext("triggers", "The test letter did not leave: %(detail)s") % {"detail": detail},
        )
    else:
        messages.success(
            request,
            pgettext("triggers", "Sent to %(address)s, in these languages: %(languages)s.")
            % {"address": user.email, "languages": ", ".join(languages)},
        )
    return redirect("wagtail_triggers:one_off", pk)


def _source(key: str, language: str) -> LetterSource:
    version = templates.live(key, language)
    return LetterSource(**version.source, language=version.language)
