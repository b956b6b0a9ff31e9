"""What staff did, when and why: Wagtail's log, kept with the contact that it was done for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from wagtail.log_actions import log
from wagtail.log_actions import registry as log_registry
from wagtail.models import ModelLogEntry

MOST_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One thing that somebody did."""

    at: datetime
    by: str
    what: str
    reason: str
    about: str


def write(thing: Any, verb: str, user: Any, *, reason: str, about: str = "") -> None:
    """Keep that somebody did something, and why; `about` says to what, without an address."""
    log(thing, f"wagtail_triggers.{verb}", user=user, data={"reason": reason, "about": about})


def of(thing: Any) -> list[Deed]:
    """Return what was done to a thing, the newest first."""
    return _deeds(log_registry.get_logs_for_instance(thing))


def of_kind(model: type[Any]) -> list[Deed]:
    """Return what was done to the rows of a model, also to those that are gone."""
    rows = ModelLogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model))
    return _deeds(rows.filter(action__startswith="wagtail_triggers."))


def _deeds(rows: Any) -> list[Deed]:
    return [
        Deed(
            at=row.timestamp,
            by=str(row.user_display_name),
            what=str(row.message),
            reason=str(row.data.get("reason", "")),
            about=str(row.data.get("about", "")),
        )
        for row in rows.select_related("user").order_by("-timestamp", "-pk")[:MOST_SHOWN]
    ]
