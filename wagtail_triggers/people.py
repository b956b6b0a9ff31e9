"""Whom a preview or a test letter is filled for: a sample, or a basket of the shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import pgettext, pgettext_lazy

from oscar_triggers.builtin.today import PATH as TODAY
from oscar_triggers.content import context, tags
from oscar_triggers.models import BasketWatch
from oscar_triggers.snapshots import About, Subject

BASKETS_OFFERED = 10
#: What a preview never takes from the basket's owner unless the editor may see it.
PERSONAL = ("contact",)


@dataclass(frozen=True, kw_only=True)
class PreviewValues:
    """What to fill a preview with."""

    values: dict[str, Any]
    time_zone: str = ""
    #: Said above the preview when the choice could not be honoured.
    note: str = ""


def preview_choices() -> list[tuple[str, Any]]:
    """Return a sample and the baskets that were changed last, without names."""
    now = timezone.now()
    recent = _recent().values_list("basket_id", "changed_at")[:BASKETS_OFFERED]
    return [
        ("", pgettext_lazy("triggers", "Sample data")),
        *(
            (
                f"basket:{basket_id}",
                pgettext("triggers", "Basket %(number)s, changed %(time)s ago")
                % {"number": basket_id, "time": timesince(changed_at, now, depth=1)},
            )
            for basket_id, changed_at in recent
            if changed_at is not None
        ),
    ]


def sample_values(language: str) -> dict[str, Any]:
    """Return samples of every merge tag that is registered."""
    values: dict[str, Any] = {}
    # What a bundle says of each thing: a list of one, which merge() would replace by the next.
    thing: dict[str, Any] = {}
    types = {kind for tag in tags.registry.values() for kind in tag.about_types}
    for about_type in sorted(types) or [""]:
        sample = tags.samples(about_type, language)
        thing = context.merge(thing, sample.pop(tags.ITEMS)[0])
        values = context.merge(values, sample)
    return {**values, tags.ITEMS: [thing]}


def preview_values(chosen: str, language: str, *, personal: bool, now: datetime) -> PreviewValues:
    """Return what to fill a preview with; `personal` allows the real person's name."""
    sample = _sample(language, now)
    about_type, _, about_id = chosen.partition(":")
    if about_type != "basket" or not about_id.isdigit():
        return PreviewValues(values=sample)
    watch = BasketWatch.objects.filter(basket_id=int(about_id)).select_related("contact").first()
    if watch is None:
        return PreviewValues(
            values=sample, note=pgettext("triggers", "This basket is gone; sample data is shown.")
        )
    (given,) = context.provide_many([_subject(watch, language, now)], now)
    if given.unavailable:
        return PreviewValues(
            values=sample,
            note=pgettext(
                "triggers",
                "There is nothing to say about this basket any more; sample data is shown.",
            ),
        )
    return _of_basket(sample, watch, given, personal=personal)


def every_sample(language: str, now: datetime) -> list[tuple[str, PreviewValues]]:
    """Return all that previews offer, with what it is called; the shop is asked once."""
    sample = _sample(language, now)
    watches = list(_recent().select_related("contact")[:BASKETS_OFFERED])
    answers = context.provide_many([_subject(one, language, now) for one in watches], now)
    return [
        (pgettext("triggers", "the sample data"), PreviewValues(values=sample)),
        *(
            (
                pgettext("triggers", "basket %(number)s") % {"number": watch.basket_id},
                _of_basket(sample, watch, given, personal=False),
            )
            for watch, given in zip(watches, answers, strict=True)
            if not given.unavailable
        ),
    ]


def _recent() -> QuerySet[BasketWatch]:
    return BasketWatch.objects.filter(closed_at=None, changed_at__isnull=False).order_by(
        "-changed_at"
    )


def _sample(language: str, now: datetime) -> dict[str, Any]:
    return {**sample_values(language), TODAY: now.date()}


def _of_basket(
    sample: dict[str, Any], watch: BasketWatch, given: context.Provided, *, personal: bool
) -> PreviewValues:
    real = {name: value for name, value in given.values.items() if name not in PERSONAL}
    if personal and watch.contact is not None:
        real["contact"] = {
            "first_name": watch.contact.first_name,
            "last_name": watch.contact.last_name,
        }
    # A list of the sample must not lend its items to a real basket: merge() replaces lists.
    return PreviewValues(values=context.merge(sample, real), time_zone=watch.time_zone)


def _subject(watch: BasketWatch, language: str, now: datetime) -> Subject:
    return Subject(
        enrollment_id=0,
        flow_id=0,
        flow_key="",
        contact_id=watch.contact_id or 0,
        user_id=watch.contact.user_id if watch.contact is not None else None,
        about=About(type="basket", id=str(watch.basket_id)),
        language=language,
        time_zone=watch.time_zone,
        site_id=watch.site_id,
        entered_at=now,
        clock_at=now,
    )
