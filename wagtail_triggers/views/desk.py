"""What the flow editor asks the server about the form on the screen; nothing of it is saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from oscar_triggers.engine import matching
from oscar_triggers.exceptions import InvalidOptions, ProblemsError, TriggersError, UnknownKind

from ..approving import facts_of
from ..blocks.choices import templates_and_texts
from ..compiler import to_definition
from ..diagram import diagram_of
from ..findings import findings_of
from ..models import FlowDraft, TemplateDraft
from ..outline import question
from ..permissions import VIEW_PERSONAL_DATA
from ..playing import played
from ..scenes import NobodyKnown, made_up_scene, scene_of, thing_choices
from ..side_panels import address
from ..unsaved import NotAForm, posted_draft
from ..versions import definition_of
from .access import requires

CHANGE = "wagtail_triggers.change_flowdraft"
ADD = "wagtail_triggers.add_flowdraft"
LETTER_PERMISSIONS = (
    "wagtail_triggers.change_templatedraft",
    "wagtail_triggers.add_templatedraft",
)

Answer = Callable[[HttpRequest, FlowDraft], HttpResponse]


def of_the_form(answer: Answer) -> Callable[..., HttpResponse]:
    """Turn a function of the posted draft into a view for those who write flows."""

    @require_POST
    @requires(any_of=(ADD, CHANGE))
    @wraps(answer)
    def view(request: HttpRequest, pk: str = "") -> HttpResponse:
        try:
            draft = posted_draft(request, pk)
        except NotAForm:
            return HttpResponseBadRequest()
        return answer(request, draft)

    return view


@of_the_form
def diagram(request: HttpRequest, draft: FlowDraft) -> HttpResponse:
    """Draw the flow."""
    found = diagram_of(draft, timezone.now())
    context = {"problem": found} if isinstance(found, str) else {"diagram": found}
    return TemplateResponse(request, "wagtail_triggers/desk/diagram.html", context)


@of_the_form
def checks(request: HttpRequest, draft: FlowDraft) -> HttpResponse:
    """Say what keeps the flow from being published, and what is odd about it."""
    found = findings_of(draft)
    return TemplateResponse(
        request,
        "wagtail_triggers/desk/checks.html",
        {
            "errors": [row for row in found if row.is_error],
            "advice": [row for row in found if not row.is_error],
            "count": len(found),
        },
    )


@of_the_form
def scenes(request: HttpRequest, draft: FlowDraft) -> HttpResponse:
    """Offer whom the flow may be played for."""
    try:
        definition = to_definition(draft)
        things = thing_choices(definition, timezone.now())
    except (UnknownKind, InvalidOptions):
        things = []
    return TemplateResponse(
        request,
        "wagtail_triggers/desk/scenes.html",
        {
            "things": things,
            "may_choose": request.user.has_perm(VIEW_PERSONAL_DATA),
            "is_live": bool(draft.pk and draft.live),
            "play_url": address("desk_play", draft),
        },
    )


@of_the_form
def play(request: HttpRequest, draft: FlowDraft) -> HttpResponse:
    """Play the flow for the person of the panel, in a transaction that is taken back."""
    email = request.POST.get("play_email", "").strip()
    if email and not request.user.has_perm(VIEW_PERSONAL_DATA):
        raise PermissionDenied
    now = timezone.now()
    context: dict[str, object] = {}
    try:
        definition = (
            definition_of(draft.key)
            if request.POST.get("play_version") == "live"
            else to_definition(draft)
        )
        if email:
            scene = scene_of(definition, email, now)
        else:
            scene = made_up_scene(definition, request.POST.get("play_thing", ""), now)
        context = {"rows": played(definition, scene, now), "note": scene.note}
    except NobodyKnown as error:
        context = {"problems": [str(error)]}
    except ProblemsError:
        said = pgettext("triggers", "It cannot be played yet. Correct first what Checks names.")
        context = {"problems": [said]}
    except (TriggersError, ValueError) as error:
        context = {"problems": [str(error)]}
    return TemplateResponse(request, "wagtail_triggers/desk/played.html", context)


@of_the_form
def count(request: HttpRequest, draft: FlowDraft) -> HttpResponse:
    """Count the people for whom the conditions of the start hold now."""
    context: dict[str, object] = {}
    try:
        asked = to_definition(draft).entry
        later = [data for data in asked if matching.needs_event(data)]
        of_people = [data for data in asked if data not in later]
        context = {
            "later": [question(data) for data in later],
            "is_asked": bool(of_people),
            "matched": matching.count_matching(of_people, timezone.now()),
        }
    except (UnknownKind, InvalidOptions):
        context = {"is_incomplete": True}
    return TemplateResponse(request, "wagtail_triggers/desk/count.html", context)


@of_the_form
def publishing(request: HttpRequest, draft: FlowDraft) -> HttpResponse:
    """Say what publishing would do to people on their way, and who would enter."""
    return TemplateResponse(request, "wagtail_triggers/desk/publishing.html", facts_of(draft))


@require_GET
@requires(any_of=(ADD, CHANGE))
def letters(request: HttpRequest) -> JsonResponse:
    """Return the letters that a step may send, with their keys: one may be new since."""
    choices, texts = templates_and_texts()
    return JsonResponse({"letters": choices, "texts": texts})


@require_GET
@requires(any_of=LETTER_PERMISSIONS)
def letter(request: HttpRequest, key: str) -> HttpResponse:
    """Lead to the form of a letter, in the shop's own language where it has that one."""
    found = sorted(
        TemplateDraft.objects.filter(key=key).only("pk", "language"),
        key=lambda draft: (draft.language != settings.LANGUAGE_CODE, draft.language),
    )
    if not found:
        messages.error(
            request,
            pgettext(
                "triggers",
                "This letter is kept in a file. “Kept in files” under Flows takes it over.",
            ),
        )
        return redirect("wagtail_triggers:files")
    name = TemplateDraft.snippet_viewset.get_url_name("edit")
    return redirect(reverse(name, args=[quote(found[0].pk)]))
