"""A block of a letter as the picker shows it, before anybody chooses it."""

from __future__ import annotations

from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils import translation
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET
from wagtail.blocks import StreamBlock
from wagtail.users.models import UserProfile

from oscar_triggers.conf import site_settings

from ..brands import brand
from ..letter_blocks import registry
from ..letter_blocks.composing import compose
from ..previews import SANDBOX_POLICY, shown_sample
from .access import requires
from .letters import ADD, CHANGE

#: Pages elsewhere, for a shop that named none yet.
_SOCIAL = (("Instagram", "https://instagram.com/"), ("YouTube", "https://youtube.com/"))
_THEMES = {UserProfile.AdminColorThemes.LIGHT: False, UserProfile.AdminColorThemes.DARK: True}


@require_GET
@requires(any_of=(ADD, CHANGE))
@xframe_options_sameorigin
def block_preview(request: HttpRequest, kind: str) -> HttpResponse:
    """Return a block with samples, in the shop's looks, where it can run nothing."""
    if kind not in registry:
        raise Http404
    block = registry.get(kind)()
    stream = StreamBlock([(kind, block)]).normalize([(kind, block.get_preview_value())])
    language = translation.get_language() or "en"
    looks = brand()
    if not looks.social:
        looks = replace(looks, social=_SOCIAL)
    made = compose(stream, language=language, brand=looks, is_whole=False)
    profile = UserProfile.get_for_user(request.user)
    response = shown_sample(request, made.body, language, dark=_THEMES.get(profile.theme))
    # A letter's pictures have whole addresses; from here the shop's own are nearer.
    response.content = response.content.replace(
        f"{site_settings(None).base_url}{static('')}".encode(), static("").encode()
    )
    response["Content-Security-Policy"] = SANDBOX_POLICY
    response["Cache-Control"] = "private, no-store"
    return response
