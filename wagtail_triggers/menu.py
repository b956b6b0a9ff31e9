"""The menu beside the lists of flows, letters and messages: one row for each page, in its order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import pgettext_lazy
from wagtail import hooks
from wagtail.admin.menu import MenuItem

from . import halts
from .permissions import (
    VIEW_ANSWERS,
    VIEW_CONTACTS,
    VIEW_LETTERS,
    VIEW_MESSAGES,
    VIEW_REQUESTS,
    VIEW_SEGMENTS,
)
from .views.ready import SEEING


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page that the menu leads to, and who may see it."""

    name: str
    label: Any
    #: Name of its address.
    url_name: str
    icon: str
    #: The lists stand at 100 (flows), 200 (letters), 300 (messages) and 350 (contacts).
    order: int
    #: Permissions of which one is enough; or all are needed.
    permissions: tuple[str, ...]
    needs_all: bool = False

    def is_open_to(self, user: Any) -> bool:
        """Say whether the page would let somebody in."""
        held = map(user.has_perm, self.permissions)
        return all(held) if self.needs_all else any(held)


PAGES = (
    Page(
        name="triggers-dashboard",
        label=pgettext_lazy("triggers", "Dashboard"),
        url_name="wagtail_triggers:dashboard",
        icon="home",
        order=50,
        permissions=(VIEW_MESSAGES,),
    ),
    Page(
        name="triggers-ready",
        label=pgettext_lazy("triggers", "Ready flows"),
        url_name="wagtail_triggers:ready",
        icon="triggers-flow",
        order=150,
        permissions=SEEING,
    ),
    Page(
        name="triggers-segments",
        label=pgettext_lazy("triggers", "Segments"),
        url_name="triggers_segments:index",
        icon="group",
        order=220,
        permissions=(VIEW_SEGMENTS, "oscar_triggers.add_savedsegment"),
    ),
    Page(
        name="triggers-one-off",
        label=pgettext_lazy("triggers", "One-off letters"),
        url_name="triggers_one_off:index",
        icon="mail",
        order=230,
        permissions=(VIEW_LETTERS, "oscar_triggers.add_oneoffletter"),
    ),
    Page(
        name="triggers-calendar",
        label=pgettext_lazy("triggers", "Calendar"),
        url_name="wagtail_triggers:calendar",
        icon="calendar",
        order=240,
        permissions=(VIEW_LETTERS, VIEW_MESSAGES),
        needs_all=True,
    ),
    Page(
        name="triggers-why",
        label=pgettext_lazy("triggers", "Why?"),
        url_name="wagtail_triggers:why",
        icon="help",
        order=360,
        permissions=(VIEW_CONTACTS,),
    ),
    Page(
        name="triggers-sending",
        label=pgettext_lazy("triggers", "Sending"),
        url_name="wagtail_triggers:sending",
        icon="mail",
        order=370,
        permissions=halts.SEEING_SENDING,
    ),
    Page(
        name="triggers-waiting",
        label=pgettext_lazy("triggers", "Waiting for products"),
        url_name="wagtail_triggers:waiting",
        icon="time",
        order=400,
        permissions=(VIEW_REQUESTS,),
    ),
    Page(
        name="triggers-answers",
        label=pgettext_lazy("triggers", "Answers to surveys"),
        url_name="wagtail_triggers:answers",
        icon="comment",
        order=500,
        permissions=(VIEW_ANSWERS,),
    ),
)


class PageItem(MenuItem):
    """A menu item for those whom its page would let in."""

    def __init__(self, page: Page) -> None:
        super().__init__(
            page.label,
            reverse(page.url_name),
            name=page.name,
            icon_name=page.icon,
            order=page.order,
        )
        self._page = page

    def is_shown(self, request: HttpRequest) -> bool:
        """Say whether the page behind it would let the reader in."""
        return self._page.is_open_to(request.user)


def register() -> None:
    """Add the pages to the menu; addresses are known only when it is drawn."""
    for page in PAGES:
        item: Callable[[], MenuItem] = partial(PageItem, page)
        hooks.register("register_triggers_menu_item", item)
