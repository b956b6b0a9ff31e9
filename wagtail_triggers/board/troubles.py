"""What is wrong, with the page on which something can be done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import pgettext

from oscar_triggers.insight.findings import Level
from oscar_triggers.insight.troubles import Place, Trouble

from ..models import FlowDraft
from ..permissions import VIEW_ENROLLMENTS, VIEW_LETTERS, VIEW_MESSAGES


@dataclass(frozen=True, kw_only=True)
class TroubleRow:
    """One trouble as the page says it."""

    text: str
    what_to_do: str
    is_problem: bool
    url: str = ""
    link: str = ""


def trouble_rows(found: Iterable[Trouble], user: Any) -> list[TroubleRow]:
    """Return the troubles, each with a link where the reader may follow it."""
    return [_row(one, user) for one in found]


def _row(one: Trouble, user: Any) -> TroubleRow:
    url, link = _link(one, user)
    return TroubleRow(
        text=one.text,
        what_to_do=one.what_to_do,
        is_problem=one.level == Level.PROBLEM,
        url=url,
        link=link,
    )


def _link(one: Trouble, user: Any) -> tuple[str, str]:
    if one.place in (Place.DEAD, Place.UNKNOWN) and user.has_perm(VIEW_MESSAGES):
        query = urlencode({"state": one.place.value})
        return f"{reverse('triggers_messages:index')}?{query}", pgettext("triggers", "See them")
    if one.place == Place.HELD and user.has_perm(VIEW_ENROLLMENTS):
        query = urlencode({"state": "held", "flow": one.flow_id or ""})
        url = f"{reverse('triggers_enrollments:index')}?{query}"
        return url, pgettext("triggers", "See them")
    if one.place == Place.ONE_OFF and user.has_perm(VIEW_LETTERS):
        return reverse("triggers_one_off:index"), pgettext("triggers", "See one-off letters")
    if one.flow_key and user.has_perm("wagtail_triggers.view_flowdraft"):
        name = FlowDraft.snippet_viewset.get_url_name("list")
        url = f"{reverse(name)}?{urlencode({'q': one.flow_key})}"
        return url, pgettext("triggers", "See the flow")
    return "", ""
