"""What this app adds to Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import pgettext_lazy
from wagtail import hooks
from wagtail.log_actions import LogActionRegistry
from wagtail.permissions import register_permission_policy
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from oscar_triggers.models import Message

from . import guards
from .permissions import PUBLISHER, ReadOnlyPolicy, permissions_for
from .viewsets.flows import FlowViewSet
from .viewsets.messages import MessageViewSet
from .viewsets.templates import TemplateViewSet

# First of all: once somebody asked for the model's policy it is too late for another one.
register_permission_policy(Message, ReadOnlyPolicy(Message))


class TriggersGroup(SnippetViewSetGroup):
    """The menu; other packages add to it by the hook `register_triggers_menu_item`."""

    items = (FlowViewSet, TemplateViewSet, MessageViewSet)
    menu_label = pgettext_lazy("triggers", "Triggers")
    menu_icon = "triggers-flow"
    menu_name = "triggers"
    menu_order = 200
    submenu_hook = "register_triggers_menu_item"
    add_to_admin_menu = True


register_snippet(TriggersGroup)


def register_admin_urls() -> list[URLPattern | URLResolver]:
    """Add the views beside the viewsets'."""
    return [path("triggers/", include("wagtail_triggers.views.urls"))]


def register_icons(icons: list[str]) -> list[str]:
    """Add the editor's icons."""
    return [*icons, "wagtail_triggers/icons/triggers-flow.svg"]


def register_permissions() -> QuerySet[Permission]:
    """Show the permissions that Wagtail does not know by itself on the page of a group."""
    return permissions_for(PUBLISHER).filter(
        codename__in=[
            "view_message",
            "view_flowdraft",
            "view_templatedraft",
            "view_personal_data",
            "resolve_message",
            "pause_flowdraft",
            "take_over_flowdraft",
            "take_over_templatedraft",
            "send_test_templatedraft",
        ]
    )


def register_log_actions(actions: LogActionRegistry) -> None:
    """Name what the history of a flow or template may hold beside Wagtail's own actions."""
    said: dict[str, tuple[Any, Any]] = {
        "pause": (pgettext_lazy("triggers", "Pause"), pgettext_lazy("triggers", "Paused")),
        "resume": (pgettext_lazy("triggers", "Resume"), pgettext_lazy("triggers", "Resumed")),
        "rehearse": (
            pgettext_lazy("triggers", "Rehearse"),
            pgettext_lazy("triggers", "Began to rehearse"),
        ),
        "go_live": (pgettext_lazy("triggers", "Go live"), pgettext_lazy("triggers", "Went live")),
        "take_over": (
            pgettext_lazy("triggers", "Take over"),
            pgettext_lazy("triggers", "Taken over from a file"),
        ),
    }
    for name, (label, message) in said.items():
        actions.register_action(f"wagtail_triggers.{name}", label, message)


hooks.register("before_delete_snippet", guards.refuse_deleting)
hooks.register("before_bulk_action", guards.refuse_bulk_deleting)
hooks.register("before_unpublish", guards.refuse_unpublishing)
hooks.register("register_admin_urls", register_admin_urls)
hooks.register("register_icons", register_icons)
hooks.register("register_permissions", register_permissions)
hooks.register("register_log_actions", register_log_actions)
