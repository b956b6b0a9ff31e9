"""Fixtures: a made-up person and what happens to them, as a file for a simulation or a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import yaml

from ..exceptions import DefinitionError, Problem
from ..kinds import parse_duration, to_json
from ..models import ALL_TOPICS
from ..snapshots import About, Person
from .simulation import DEFAULT_LENGTH, Act, MadeUp

_KNOWN = ("person", "event", "about", "at", "until", "later")
_PERSON = ("email", "phone", "first_name", "last_name", "language", "time_zone", "user_id")
_MADE_UP = ("consent", "fields", "tags")


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """What a fixture file holds."""

    person: Person
    act: Act
    later: tuple[Act, ...] = ()
    made_up: MadeUp = field(default_factory=MadeUp)
    #: UTC; None: now.
    at: datetime | None = None
    until: timedelta = DEFAULT_LENGTH


def read_fixture(text: str) -> Fixture:
    """Read a fixture from YAML; raises DefinitionError that says what is wrong.

    `person` holds fields of a person, and `consent` (true or a list of topics), `fields` and
    `tags`; `event` the fields of the starting event; `about` is written as basket:123; each of
    `later` has `after`, `event` (a kind), maybe `about`, and that event's fields.
    """
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _error(f"is not readable YAML: {error}") from error
    if not isinstance(data, Mapping) or not isinstance(data.get("person"), Mapping):
        raise _error("must be a mapping with a 'person'")
    _refuse_unknown(data, _KNOWN, "fixture")
    person = dict(data["person"])
    _refuse_unknown(person, (*_PERSON, *_MADE_UP), "person")
    consent = person.pop("consent", ())
    made_up = MadeUp(
        topics=(ALL_TOPICS,) if consent is True else tuple(consent or ()),
        fields=dict(person.pop("fields", None) or {}),
        tags=tuple(person.pop("tags", None) or ()),
    )
    event = dict(data.get("event") or {})
    return Fixture(
        person=Person(**person),
        act=Act(
            event=str(event.pop("kind", "")),
            payload=to_json(event),
            about=read_about(data.get("about")),
        ),
        later=tuple(_later(row) for row in data.get("later") or ()),
        made_up=made_up,
        at=read_moment(data["at"]) if data.get("at") else None,
        until=_duration(data.get("until", DEFAULT_LENGTH), "until"),
    )


def read_about(value: Any) -> About | None:
    """Read "basket:123"; raises DefinitionError for anything else that is not empty."""
    if not value:
        return None
    type_, colon, id_ = str(value).partition(":")
    if not (type_ and colon and id_):
        raise _error("write it as basket:123", where="about")
    return About(type=type_, id=id_)


def read_moment(value: Any) -> datetime:
    """Read a moment with its offset from UTC; raises DefinitionError for one without."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise _error(f"is no moment: {error}", where="at") from error
    if moment.tzinfo is None:
        raise _error("needs an offset, as in 2030-05-01T10:00:00+02:00", where="at")
    return moment


def _later(row: Any) -> Act:
    if not isinstance(row, Mapping) or not row.get("event"):
        raise _error("needs 'after' and 'event'", where="later")
    payload = {key: value for key, value in row.items() if key not in ("after", "event", "about")}
    return Act(
        event=str(row["event"]),
        payload=to_json(payload),
        about=read_about(row.get("about")),
        after=_duration(row.get("after", "0s"), "later"),
    )


def _duration(value: Any, where: str) -> timedelta:
    try:
        return value if isinstance(value, timedelta) else parse_duration(str(value))
    except ValueError as error:
        raise _error(str(error), where=where) from error


def _refuse_unknown(data: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(map(str, data)) - set(known))
    if unknown:
        raise _error(
            f"has unknown entries: {', '.join(unknown)} (known: {', '.join(known)})", where=where
        )


def _error(message: str, *, where: str = "fixture") -> DefinitionError:
    return DefinitionError([Problem(message=message, where=where)])
