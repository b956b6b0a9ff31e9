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
WRITE_MJML = "wagtail_triggers.write_mjml_templatedraft"
#: One of these is asked of whoever chooses what letters show.
WRITES_LETTERS = ("wagtail_triggers.add_templatedraft", "wagtail_triggers.change_templatedraft")
CHANGE_LOOKS = "wagtail_triggers.change_letterbrand"
PUBLISH_TEMPLATE = "wagtail_triggers.publish_templatedraft"
VIEW_MESSAGES = "oscar_triggers.view_message"
VIEW_ENROLLMENTS = "oscar_triggers.view_enrollment"
VIEW_REQUESTS = "oscar_triggers.view_productrequest"
VIEW_ANSWERS = "oscar_triggers.view_surveyanswer"
#: Seeing contacts is seeing personal data.
VIEW_CONTACTS = VIEW_PERSONAL_DATA
CHANGE_CONTACTS = "oscar_triggers.change_contact"
STOP_SENDING = "wagtail_triggers.stop_sending"
EXPORT = "wagtail_triggers.export_data"
VIEW_SEGMENTS = "oscar_triggers.view_savedsegment"
#: Who belongs to a segment tells something about a person: both are asked.
SEES_SEGMENTS_OF_PEOPLE = (VIEW_SEGMENTS, VIEW_CONTACTS)
VIEW_LETTERS = "oscar_triggers.view_oneoffletter"
CHANGE_LETTERS = "oscar_triggers.change_oneoffletter"
SEND_LETTERS = "oscar_triggers.send_oneoffletter"

#: Reads the message log and the lists, without addresses and without what was said to whom.
VIEWER = (
    "wagtailadmin.access_admin",
    "wagtail_triggers.view_flowdraft",
    "wagtail_triggers.view_templatedraft",
    VIEW_MESSAGES,
    VIEW_ENROLLMENTS,
    VIEW_REQUESTS,
    VIEW_ANSWERS,
    VIEW_SEGMENTS,
    VIEW_LETTERS,
)
#: Reads the same, and takes lists away as files.
ANALYST = (*VIEWER, EXPORT)
#: Writes drafts, previews them and sends tests to themselves.
EDITOR = (
    *VIEWER,
    "wagtail_triggers.add_flowdraft",
    "wagtail_triggers.change_flowdraft",
    "wagtail_triggers.delete_flowdraft",
    "wagtail_triggers.add_templatedraft",
    "wagtail_triggers.change_templatedraft",
    "wagtail_triggers.delete_templatedraft",
    "oscar_triggers.add_savedsegment",
    "oscar_triggers.change_savedsegment",
    "oscar_triggers.delete_savedsegment",
    "oscar_triggers.add_oneoffletter",
    CHANGE_LETTERS,
    "oscar_triggers.delete_oneoffletter",
    SEND_TEST,
)
#: Puts drafts live, writes MJML, pauses flows, takes files over, sees whom the shop wrote to, acts for people
#: and stops all sending.
PUBLISHER = (
    *EDITOR,
    EXPORT,
    "wagtail_triggers.publish_flowdraft",
    "wagtail_triggers.lock_flowdraft",
    "wagtail_triggers.unlock_flowdraft",
    "wagtail_triggers.publish_templatedraft",
    "wagtail_triggers.lock_templatedraft",
    "wagtail_triggers.unlock_templatedraft",
    PAUSE_FLOW,
    TAKE_OVER_FLOW,
    TAKE_OVER_TEMPLATE,
    WRITE_MJML,
    CHANGE_LOOKS,
    VIEW_PERSONAL_DATA,
    CHANGE_CONTACTS,
    RESOLVE_MESSAGE,
    STOP_SENDING,
    SEND_LETTERS,
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


class ContactPolicy(ReadOnlyPolicy):
    """Lets those who may see personal data read contacts; acts for people are views of their own."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        """Say whether the user may look; a person's row is edited by nobody here."""
        return action == "view" and bool(user.is_active and user.has_perm(VIEW_CONTACTS))
