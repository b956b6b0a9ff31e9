"""Whom a flow is played for: a made-up person, or a customer, each with a real thing of the shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.timesince import timesince
from django.utils.translation import pgettext

from oscar_triggers import channels
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine.simulation import Act, MadeUp
from oscar_triggers.events import Event, TriggerOptions
from oscar_triggers.kinds import to_json
from oscar_triggers.models import ALL_TOPICS, BasketWatch, ContactPoint, JournalEntry
from oscar_triggers.shop import looking
from oscar_triggers.snapshots import About, Person

from .blocks.options import default_of, plain_type
from .wording import about_in_words

THINGS_OFFERED = 10
_EMAIL = "somebody@example.com"


class NobodyKnown(Exception):
    """An address that belongs to nobody in this shop; the message says so."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A person, and what happens to them."""

    person: Person
    act: Act
    made_up: MadeUp
    #: Said above the result, where something had to be assumed.
    note: str = ""


def thing_choices(definition: FlowDefinition, now: datetime) -> list[tuple[str, str]]:
    """Return the newest things that could start the flow, by "type:id", without names."""
    event, _options = definition.trigger_event()
    if not event.about_type:
        return []
    found: dict[str, datetime] = {}
    if event.about_type == "basket":
        watched = BasketWatch.objects.filter(closed_at=None, changed_at__isnull=False)
        for basket_id, moment in watched.order_by("-changed_at").values_list(
            "basket_id", "changed_at"
        )[:THINGS_OFFERED]:
            found[str(basket_id)] = moment  # type: ignore[assignment]  # filtered above
    else:
        acts = JournalEntry.objects.filter(about_type=event.about_type).order_by("-pk")
        for about_id, moment in acts.values_list("about_id", "occurred_at")[: 10 * THINGS_OFFERED]:
            found.setdefault(about_id, moment)
    return [
        (
            f"{event.about_type}:{about_id}",
            pgettext("triggers", "%(thing)s, %(time)s ago")
            % {
                "thing": about_in_words(event.about_type, about_id),
                "time": timesince(moment, now, depth=1),
            },
        )
        for about_id, moment in list(found.items())[:THINGS_OFFERED]
    ]


def made_up_scene(definition: FlowDefinition, thing: str, now: datetime) -> Scene:
    """Return a person who agreed to everything, about a thing of `thing_choices`, or about none."""
    event, options = definition.trigger_event()
    type_, _, id_ = thing.partition(":")
    about = About(type=type_, id=id_) if id_ and type_ == event.about_type else None
    person = Person(email=_EMAIL, first_name=pgettext("triggers", "Sam"), email_verified=True)
    act = _act(event, options, about, now, member=False)
    return Scene(person=person, act=act, made_up=MadeUp(topics=(ALL_TOPICS,)))


def scene_of(definition: FlowDefinition, email: str, now: datetime) -> Scene:
    """Return a customer as they are, about the newest thing of theirs; raises NobodyKnown."""
    event, options = definition.trigger_event()
    person = _person_of(email)
    about = _newest_thing(person, event.about_type)
    note = ""
    if about is None and event.about_type:
        note = pgettext(
            "triggers",
            "We know of nothing of theirs that could start this flow, so it begins without it.",
        )
    act = _act(event, options, about, now, member=person.user_id is not None)
    return Scene(person=person, act=act, made_up=MadeUp(), note=note)


def _person_of(email: str) -> Person:
    try:
        normalised = channels.registry.get("email")().normalise(email)
    except ValueError:
        normalised = email
    point = (
        ContactPoint.objects.filter(channel="email", normalised=normalised)
        .order_by("-contact__user_id", "pk")
        .select_related("contact")
        .first()
    )
    if point is not None:
        return Person(contact_id=point.contact_id, user_id=point.contact.user_id)
    user = get_user_model()._default_manager.filter(email__iexact=email).order_by("pk").first()
    if user is None:
        raise NobodyKnown(pgettext("triggers", "Nobody in this shop has that e-mail address."))
    return Person(user_id=user.pk, email=email, email_verified=True)


def _newest_thing(person: Person, about_type: str) -> About | None:
    if not about_type or person.contact_id is None:
        return None
    if about_type == "basket":
        watch = (
            BasketWatch.objects.filter(contact_id=person.contact_id, closed_at=None)
            .order_by("-changed_at")
            .first()
        )
        if watch is not None:
            return About(type="basket", id=str(watch.basket_id))
    entry = (
        JournalEntry.objects.filter(contact_id=person.contact_id, about_type=about_type)
        .order_by("-pk")
        .first()
    )
    return About(type=about_type, id=entry.about_id) if entry is not None else None


def _act(
    event: type[Event], options: TriggerOptions, about: About | None, now: datetime, *, member: bool
) -> Act:
    """Return the event that starts the flow, as far as possible as it was told before."""
    told: Mapping[str, Any] = {}
    if about is not None:
        entry = JournalEntry.objects.filter(
            kind=event.kind, about_type=about.type, about_id=about.id
        ).order_by("-pk")
        told = entry.values_list("payload", flat=True).first() or {}
    payload = {**_filled(event, about, now), **told, **_set_by(event, options)}
    if about is not None and about.type == "basket":
        payload |= _basket(event, about, member=member)
    return Act(payload=to_json(payload), about=about)


def _filled(event: type[Event], about: About | None, now: datetime) -> dict[str, Any]:
    """Return something for each field that an event cannot do without."""
    samples: dict[Any, Any] = {int: 1, str: "–", datetime: now, timedelta: timedelta()}
    types = event.option_types()
    found: dict[str, Any] = {}
    for option in event.option_fields():
        kind, _nullable = plain_type(types[option.name])
        if about is not None and option.name in (f"{about.type}_id", "number", "request_id"):
            found[option.name] = int(about.id) if kind is int and about.id.isdigit() else about.id
        elif default_of(option) is MISSING:
            found[option.name] = samples.get(kind, "–")
    return found


def _set_by(event: type[Event], options: TriggerOptions) -> dict[str, Any]:
    """Return the fields that the trigger asks for under the same name, as how long ago."""
    types = event.option_types()
    found: dict[str, Any] = {}
    for option in event.option_fields():
        value = getattr(options, option.name, None)
        if value in (None, ""):
            continue
        kind, _nullable = plain_type(types[option.name])
        is_seconds = kind is int and isinstance(value, timedelta)
        found[option.name] = int(value.total_seconds()) if is_seconds else value
    return found


def _basket(event: type[Event], about: About, *, member: bool) -> dict[str, Any]:
    """Return what the shop knows of a basket now, as far as the event tells it."""
    seen = looking.look([int(about.id)]).get(int(about.id)) if about.id.isdigit() else None
    if seen is None:
        return {}
    known = {
        "value": seen.value,
        "currency": seen.currency,
        "line_count": seen.line_count,
        "left_at": seen.touched_at,
        "member": member or seen.owner_id is not None,
    }
    names = {option.name for option in event.option_fields()}
    return {name: value for name, value in known.items() if name in names}
