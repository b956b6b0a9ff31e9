"""Who may do what in the editor: codenames, groups of them, and the policy of the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from wagtail.permission_policies import ModelPermissionPolicy

PAUSE_FLOW = "wagtail_triggers.pause_flowdraft"
TAKE_OVER_FLOW = "wagtail_triggers.take_over_flowdraft"
TAKE_OVER_TEMPLATE = "wagtail_triggers.take_over_templatedraft"
SEND_TEST = "wagtail_triggers.send_test_templatedraft"
VIEW_PERSONAL_DATA = "wagtail_triggers.view_personal_data"
RESOLVE_MESSAGE = "wagtail_triggers.resolve_message"
VIEW_MESSAGES = "oscar_triggers.view_message"

#: Reads the message log, without addresses and without what was said to whom.
VIEWER = (
    "wagtailadmin.access_admin",
    "wagtail_triggers.view_flowdraft",
    "wagtail_triggers.view_templatedraft",
    VIEW_MESSAGES,
)
#: Writes drafts, previews them and sends tests to themselves.
EDITOR = (
    *VIEWER,
    "wagtail_triggers.add_flowdraft",
    "wagtail_triggers.change_flowdraft",
    "wagtail_triggers.delete_flowdraft",
    "wagtail_triggers.add_templatedraft",
    "wagtail_triggers.change_templatedraft",
    "wagtail_triggers.delete_templatedraft",
    SEND_TEST,
)
#: Puts drafts live, pauses flows, takes files over, and sees whom the shop wrote to.
PUBLISHER = (
    *EDITOR,
    "wagtail_triggers.publish_flowdraft",
    "wagtail_triggers.lock_flowdraft",
    "wagtail_triggers.unlock_flowdraft",
    "wagtail_triggers.publish_templatedraft",
    "wagtail_triggers.lock_templatedraft",
    "wagtail_triggers.unlock_templatedraft",
    PAUSE_FLOW,
    TAKE_OVER_FLOW,
    TAKE_OVER_TEMPLATE,
    VIEW_PERSONAL_DATA,
    RESOLVE_MESSAGE,
)


def permissions_for(names: Iterable[str]) -> QuerySet[Permission]:
    """Return the permission rows of "app_label.codename" names, for a shop's own groups."""
    wanted = Q(pk__in=[])
    for name in names:
        app_label, codename = name.split(".")
        wanted |= Q(content_type__app_label=app_label, codename=codename)
    return Permission.objects.filter(wanted)


class ReadOnlyPolicy(ModelPermissionPolicy):
    """Lets those with the view permission read, and nobody change anything, ever."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        """Say whether the user may look; every other action is refused, to superusers too."""
        return action == "view" and super().user_has_permission(user, action)

    def user_has_any_permission(self, user: Any, actions: Iterable[str]) -> bool:
        """Say whether looking is among the actions and allowed."""
        return "view" in actions and self.user_has_permission(user, "view")
