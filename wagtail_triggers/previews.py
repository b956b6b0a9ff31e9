"""A letter as it would arrive, for the preview panel; a broken one shows what is wrong with it."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers.builtin.today import PATH as TODAY
from oscar_triggers.content import compiling, rendering
from oscar_triggers.content.coding import LetterTooLong
from oscar_triggers.content.letters import Letter, LetterSource
from oscar_triggers.content.values import UnfitValue
from oscar_triggers.exceptions import Problem, TemplateError
from oscar_triggers.shop.products.chosen import prices_in

from . import letter_checker
from .inbox import inbox_of
from .languages import in_staff_language
from .letter_blocks.brands import Brand
from .letter_blocks.composing import Composed, compose
from .letter_blocks.samples import sample_stream
from .letter_checking import block_label
from .people import PreviewValues, preview_values, sample_values
from .permissions import VIEW_PERSONAL_DATA
from .publishing import composed, source_of
from .text_counting import counted
from .texts import is_text

LIGHT, DARK, TEXT, MJML = "light", "dark", "text", "mjml"
MODES = [
    (LIGHT, pgettext_lazy("triggers", "Light")),
    (DARK, pgettext_lazy("triggers", "Dark")),
    (TEXT, pgettext_lazy("triggers", "Plain text")),
    (MJML, pgettext_lazy("triggers", "MJML source")),
]
TEXT_MODES = [(TEXT, pgettext_lazy("triggers", "As it arrives"))]
#: An author's HTML shows pictures and styles; it runs nothing and sends nothing anywhere.
LETTER_POLICY = (
    "default-src 'none'; img-src * data:; style-src 'unsafe-inline' *; font-src *; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
#: The same for letters that were sent, which also get an origin of their own.
SANDBOX_POLICY = f"sandbox; {LETTER_POLICY}"

FIELD_LABELS = {
    "subject": pgettext_lazy("triggers", "Subject"),
    "preheader": pgettext_lazy("triggers", "Preheader"),
    "blocks": pgettext_lazy("triggers", "Blocks"),
    "body": pgettext_lazy("triggers", "Body"),
    "text": pgettext_lazy("triggers", "Plain text"),
}

_DARK_QUERY = re.compile(r"@media[^{]*prefers-color-scheme\s*:\s*dark[^{]*", re.IGNORECASE)
_BODY = re.compile(r"<body[^>]*>", re.IGNORECASE)
_LINES_AROUND = 2


def modes_of(draft: Any) -> list[tuple[str, Any]]:
    """Return the ways to look at a template draft."""
    return TEXT_MODES if is_text(draft) else MODES


@in_staff_language
def preview_letter(request: HttpRequest, draft: Any, mode: str) -> HttpResponse:
    """Show a template draft in one of its modes."""
    if is_text(draft):
        found = counted(draft, personal=_may_see_people(request), now=timezone.now())
        return _guarded(
            TemplateResponse(request, "wagtail_triggers/text_message.html", {"counted": found})
        )
    if mode == MJML:
        lines = composed(draft).body.splitlines()
        response: HttpResponse = TemplateResponse(
            request, "wagtail_triggers/letter_source.html", {"lines": lines}
        )
        return _guarded(response)
    chosen = preview_values(
        getattr(draft, "preview_as", ""),
        draft.language,
        personal=_may_see_people(request),
        now=timezone.now(),
    )
    made = composed(draft)
    try:
        letter = fill_draft(draft, chosen, made)
    except TemplateError as error:
        return _guarded(
            TemplateResponse(
                request,
                "wagtail_triggers/letter_problems.html",
                {"problems": [_shown(problem, draft, made) for problem in error.problems]},
            )
        )
    if mode == TEXT:
        return _guarded(
            TemplateResponse(
                request,
                "wagtail_triggers/letter_text.html",
                {"letter": letter, "note": chosen.note},
            )
        )
    head = render_to_string(
        "wagtail_triggers/letter_head.html",
        {
            "letter": letter,
            "note": chosen.note,
            "dark": mode == DARK,
            "inbox": inbox_of(letter),
        },
    )
    shown = _below_head(in_scheme(letter.html, dark=mode == DARK), head)
    if not letter_checker.is_asked(request):
        return _guarded(HttpResponse(shown))
    checked = HttpResponse(letter_checker.with_checker(request, shown))
    checked["Content-Security-Policy"] = (
        f"{LETTER_POLICY}; script-src {letter_checker.scripts(request)}"
    )
    return checked


def fill_draft(draft: Any, chosen: PreviewValues, made: Composed | None = None) -> Letter:
    """Compile a draft in a process of its own and fill it; raises TemplateError.

    Values that no letter can say are a problem of the draft as well: an editor must read of them.
    """
    source = source_of(draft, made or composed(draft))
    compiled = compiling.compile_in_subprocess(source)
    try:
        return rendering.fill(
            compiled,
            with_prices(chosen.values, source),
            language=draft.language,
            time_zone=chosen.time_zone,
        )
    except (UnfitValue, LetterTooLong) as error:
        raise TemplateError([Problem(message=str(error))]) from error


def with_prices(values: dict[str, Any], source: LetterSource) -> dict[str, Any]:
    """Return values with what the products that a letter's author chose cost a stranger now."""
    return {**values, **prices_in(source.body, timezone.now())}


@in_staff_language
def preview_brand(request: HttpRequest, brand: Brand, mode: str) -> HttpResponse:
    """Show a letter that ships in the looks that stand in the form."""
    language = translation.get_language() or "en"
    made = compose(sample_stream(), language=language, brand=brand)
    return _guarded(shown_sample(request, made.body, language, dark=mode == DARK))


def shown_sample(
    request: HttpRequest, body: str, language: str, *, dark: bool | None
) -> HttpResponse:
    """Compile MJML of ours and fill it with samples; where `dark` is None, the reader's system says."""
    source = LetterSource(subject=pgettext("triggers", "A sample"), body=body, language=language)
    try:
        compiled = compiling.compile_in_subprocess(source)
    except TemplateError as error:
        problems = [
            {"where": "", "line": 0, "message": problem.message, "around": []}
            for problem in error.problems
        ]
        return TemplateResponse(
            request, "wagtail_triggers/letter_problems.html", {"problems": problems}
        )
    values = with_prices({**sample_values(language), TODAY: timezone.localdate()}, source)
    html = rendering.fill(compiled, values, language=language, time_zone="").html
    return HttpResponse(html if dark is None else in_scheme(html, dark=dark))


def in_scheme(html: str, *, dark: bool) -> str:
    """Make a letter's dark styles count always, or never: a frame cannot choose its scheme."""
    return _DARK_QUERY.sub("@media all " if dark else "@media not all ", html)


def _below_head(html: str, head: str) -> str:
    match = _BODY.search(html)
    if match is None:
        return head + html
    return html[: match.end()] + head + html[match.end() :]


def _guarded(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = LETTER_POLICY
    return response


def _may_see_people(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and bool(user.has_perm(VIEW_PERSONAL_DATA))


def _shown(problem: Problem, draft: Any, made: Composed) -> dict[str, Any]:
    """Return a problem with the lines around it, or with the block that it is in."""
    if draft.blocks and problem.where == "body":
        index = made.index_at(problem.line)
        label = FIELD_LABELS["blocks"] if index is None else block_label(draft, index)
        return {"where": label, "line": 0, "message": problem.message, "around": []}
    text = str(getattr(draft, problem.where, "")) if problem.where in FIELD_LABELS else ""
    lines = text.splitlines()
    first = max(problem.line - _LINES_AROUND, 1)
    around = [
        {"number": number, "text": lines[number - 1], "here": number == problem.line}
        for number in range(first, min(problem.line + _LINES_AROUND, len(lines)) + 1)
        if problem.line
    ]
    return {
        "where": FIELD_LABELS.get(problem.where, problem.where),
        "line": problem.line,
        "message": problem.message,
        "around": around,
    }
