"""Why a draft is read-only, beyond Wagtail's own locks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.locks import BaseLock


class FileLock(BaseLock):
    """The text is kept in a file; the editor only reads it until someone takes it over."""

    def __init__(self, draft: Any, *, take_over_url_name: str, permission: str) -> None:
        super().__init__(draft)
        self.take_over_url_name = take_over_url_name
        self.permission = permission

    def for_user(self, user: Any) -> bool:
        """Lock for everybody."""
        return True

    def get_message(self, user: Any) -> str:
        """Say why it is locked, with the way out for those who may take it."""
        said = pgettext(
            "triggers",
            "This is kept in a file and published from there, so it can only be read here.",
        )
        if not user.has_perm(self.permission):
            return said
        return format_html(
            '{} <span class="buttons"><button type="button" '
            'class="button button-small button-secondary" data-controller="w-action" '
            'data-action="w-action#post" data-w-action-url-value="{}">{}</button></span>',
            said,
            reverse(self.take_over_url_name, args=[quote(self.object.key)]),
            pgettext("triggers", "Take over, and edit it here from now on"),
        )

    def get_locked_by(self, user: Any) -> str:
        """Say what holds it."""
        return pgettext("triggers", "Kept in a file")

    def get_description(self, user: Any) -> str:
        """Say what that means."""
        return pgettext("triggers", "Changes come from the file until someone takes it over.")


class UnknownKindLock(BaseLock):
    """The draft uses something that no installed app provides; saving it here would lose that."""

    def __init__(self, draft: Any, kinds: Sequence[str]) -> None:
        super().__init__(draft)
        self.kinds = kinds

    def for_user(self, user: Any) -> bool:
        """Lock for everybody: autosave would drop what Wagtail cannot show."""
        return True

    def get_message(self, user: Any) -> str:
        """Name what is missing."""
        return pgettext_lazy(
            "triggers",
            "This flow uses %(kinds)s, which no installed app provides, or which stands deeper "
            "than can be shown here. Install the app again, or keep the flow in a file.",
        ) % {"kinds": ", ".join(self.kinds)}

    def get_locked_by(self, user: Any) -> str:
        """Say what holds it."""
        return pgettext("triggers", "Something it uses is not installed")
