"""What this app adds to Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, include, path
from django.utils.html import format_html
from django.utils.translation import pgettext_lazy
from wagtail import hooks
from wagtail.admin.staticfiles import versioned_static
from wagtail.log_actions import LogActionRegistry
from wagtail.permissions import register_permission_policy
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from oscar_triggers.models import Contact, Enrollment, Message

from . import bulk, guards, halts, home, menu
from .blocks.shown import register_shown
from .contacts.acts import ACTS
from .letter_blocks import letter_stream
from .merge_feature import register_merge_feature
from .permissions import (
    PUBLISHER,
    ContactPolicy,
    ReadOnlyPolicy,
    permissions_for,
)
from .viewsets.brands import register_looks
from .viewsets.contacts import ContactViewSet
from .viewsets.crowds import LetterViewSet, SegmentViewSet
from .viewsets.enrollments import EnrollmentViewSet
from .viewsets.flows import FlowViewSet
from .viewsets.messages import MessageViewSet
from .viewsets.products import product_chooser
from .viewsets.templates import TemplateViewSet

# First of all: once somebody asked for the model's policy it is too late for another one.
register_permission_policy(Message, ReadOnlyPolicy(Message))
register_permission_policy(Enrollment, ReadOnlyPolicy(Enrollment))
register_permission_policy(Contact, ContactPolicy(Contact))


class TriggersGroup(SnippetViewSetGroup):
    """The menu; other packages add to it by the hook `register_triggers_menu_item`."""

    items = (FlowViewSet, TemplateViewSet, EnrollmentViewSet, MessageViewSet, ContactViewSet)
    menu_label = pgettext_lazy("triggers", "Triggers")
    menu_icon = "triggers-flow"
    menu_name = "triggers"
    menu_order = 200
    submenu_hook = "register_triggers_menu_item"
    add_to_admin_menu = True


register_snippet(TriggersGroup)
register_looks()


def style_lists() -> str:
    """Load the one style that our lists need, for which Wagtail's pages of lists have no place."""
    return format_html(
        '<link rel="stylesheet" href="{}">', versioned_static("wagtail_triggers/lists.css")
    )


def register_admin_urls() -> list[URLPattern | URLResolver]:
    """Add the views beside the viewsets', and what Wagtail's preview of a block finds by its name.

    Addresses are read once in each process, when every app of the shop has registered its own.
    """
    letter_stream()
    register_shown()
    return [path("triggers/", include("wagtail_triggers.views.urls"))]


def register_icons(icons: list[str]) -> list[str]:
    """Add the editor's icons."""
    return [*icons, "wagtail_triggers/icons/triggers-flow.svg"]


def register_permissions() -> QuerySet[Permission]:
    """Show the permissions that Wagtail does not know by itself on the page of a group."""
    return permissions_for(PUBLISHER).filter(
        codename__in=[
            "view_message",
            "view_enrollment",
            "view_productrequest",
            "view_surveyanswer",
            "view_flowdraft",
            "view_templatedraft",
            "view_personal_data",
            "resolve_message",
            "pause_flowdraft",
            "take_over_flowdraft",
            "take_over_templatedraft",
            "send_test_templatedraft",
            "change_contact",
            "stop_sending",
            "export_data",
            "view_savedsegment",
            "view_oneoffletter",
            "send_oneoffletter",
            "write_mjml_templatedraft",
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
        "confirm_letter": (
            pgettext_lazy("triggers", "Confirm"),
            pgettext_lazy("triggers", "Confirmed"),
        ),
        "cancel_letter": (
            pgettext_lazy("triggers", "Cancel"),
            pgettext_lazy("triggers", "Cancelled"),
        ),
        "take_over": (
            pgettext_lazy("triggers", "Take over"),
            pgettext_lazy("triggers", "Taken over from a file"),
        ),
    }
    said |= {f"contact_{verb}": (act.label, act.past) for verb, act in ACTS.items()}
    said |= {
        "stop_sending": (
            pgettext_lazy("triggers", "Stop all sending"),
            pgettext_lazy("triggers", "Stopped all sending"),
        ),
        "resume_sending": (
            pgettext_lazy("triggers", "Let sending go on"),
            pgettext_lazy("triggers", "Let sending go on"),
        ),
        "release_flow": (
            pgettext_lazy("triggers", "Let a flow go on"),
            pgettext_lazy("triggers", "Let go on after the guard against floods"),
        ),
        "block_address": (
            pgettext_lazy("triggers", "Block an address"),
            pgettext_lazy("triggers", "Blocked an address"),
        ),
        "lift_block": (
            pgettext_lazy("triggers", "Unblock an address"),
            pgettext_lazy("triggers", "Unblocked an address"),
        ),
    }
    said["roll_back"] = (
        pgettext_lazy("triggers", "Make an older version live"),
        pgettext_lazy("triggers", "Made an older version live"),
    )
    for name, (label, message) in said.items():
        actions.register_action(f"wagtail_triggers.{name}", label, message)


hooks.register("before_delete_snippet", guards.refuse_deleting)
hooks.register("before_bulk_action", guards.refuse_bulk_deleting)
hooks.register("before_unpublish", guards.refuse_unpublishing)
hooks.register("register_admin_urls", register_admin_urls)
hooks.register("insert_global_admin_css", style_lists)
menu.register()
hooks.register("construct_main_menu", halts.warn)
hooks.register(
    "register_admin_viewset", lambda: [product_chooser, SegmentViewSet(), LetterViewSet()]
)
hooks.register("register_rich_text_features", register_merge_feature)
hooks.register("register_icons", register_icons)
hooks.register("register_permissions", register_permissions)
hooks.register("register_log_actions", register_log_actions)
bulk.register()
home.register()
