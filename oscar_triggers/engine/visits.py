"""When people were last in the shop: asked of every source that can tell, never of machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db.models import Max

from .. import events
from ..models import Contact, JournalEntry

#: Given contacts, each with the moment (UTC) before which nothing interests, returns when some
#: of them were seen last. Must ask the database a constant number of times.
Source = Callable[[Mapping[int, datetime]], Mapping[int, datetime]]
_sources: dict[str, Source] = {}


def source(name: str) -> Callable[[Source], Source]:
    """Have a function asked for visits (a decorator); its name stands in decisions."""

    def add(function: Source) -> Source:
        _sources[name] = function
        return function

    return add


def last_visits(since: Mapping[int, datetime]) -> dict[int, tuple[datetime, str]]:
    """Return when contacts were last seen after the given moments, and which source tells it."""
    found: dict[int, tuple[datetime, str]] = {}
    if not since:
        return found
    for name, function in _sources.items():
        for contact_id, moment in function(since).items():
            if moment <= since[contact_id]:
                continue
            if contact_id not in found or found[contact_id][0] < moment:
                found[contact_id] = (moment, name)
    return found


@source("acts")
def _acts(since: Mapping[int, datetime]) -> Mapping[int, datetime]:
    """Ask the journal: an order, a login, a checkout that began."""
    kinds = [kind for kind, event in events.registry.items() if event.is_visit]
    return dict(
        JournalEntry.objects.filter(
            contact_id__in=since, kind__in=kinds, occurred_at__gt=min(since.values())
        )
        .order_by()
        .values_list("contact_id")
        .annotate(at=Max("occurred_at"))
    )


@source("seen")
def _seen(since: Mapping[int, datetime]) -> Mapping[int, datetime]:
    """Ask the contacts themselves; noted to the hour only."""
    rows = Contact.objects.filter(pk__in=since, seen_at__gt=min(since.values()))
    return {pk: at for pk, at in rows.values_list("pk", "seen_at") if at is not None}
