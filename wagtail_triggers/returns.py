"""What came back of a message: the provider's word, visits by its links, and what followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import Count
from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import npgettext, pgettext

from oscar_triggers import events
from oscar_triggers.models import Conversion, Dispatch, HitClass, Message

from .wording import about_in_words


def what_came_back(message: Message, dispatches: Iterable[Dispatch]) -> list[tuple[str, str]]:
    """Return names and texts, none when nothing came back; two queries."""
    return [
        *_provider(dispatches),
        *_links(message),
        *((_event(one), _followed(one)) for one in message.conversions.order_by("occurred_at")),
    ]


def _provider(dispatches: Iterable[Dispatch]) -> Iterator[tuple[str, str]]:
    for one in dispatches:
        if one.feedback:
            said = f"{one.get_feedback_display()}{_at(one.feedback_at)}"
            yield pgettext("triggers", "The provider says"), said
        if one.delivered_at:
            yield pgettext("triggers", "Delivered"), _moment(one.delivered_at)


def _links(message: Message) -> Iterator[tuple[str, str]]:
    if message.clicked_at:
        yield (
            pgettext("triggers", "First followed by a person"),
            _moment(message.clicked_at),
        )
    counted = message.hits.values_list("hit_class").annotate(count=Count("pk"))
    hits = dict(counted.order_by("hit_class"))
    if hits:
        visits = npgettext("triggers", "%(count)d visit", "%(count)d visits", sum(hits.values()))
        by = ", ".join(
            f"{count} {HitClass(hit_class).label}" for hit_class, count in sorted(hits.items())
        )
        yield (
            pgettext("triggers", "By its links"),
            f"{visits % {'count': sum(hits.values())}} ({by})",
        )


def _event(one: Conversion) -> str:
    label = events.registry.get(one.kind).label if one.kind in events.registry else ""
    return str(capfirst(str(label or one.kind.replace("_", " "))))


def _followed(one: Conversion) -> str:
    about = about_in_words(one.about_type, one.about_id) if one.about_id else ""
    worth = f"{number_format(one.value, 2)} {one.currency}" if one.value is not None else ""
    return ", ".join(filter(None, [_moment(one.occurred_at), about, worth]))


def _at(moment: datetime | None) -> str:
    return f", {_moment(moment)}" if moment else ""


def _moment(moment: datetime) -> str:
    return date_format(localtime(moment), "DATETIME_FORMAT")
