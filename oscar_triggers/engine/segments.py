"""Segments: groups of people by name, as the setting SEGMENTS or another app defines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.translation import pgettext

from .. import conditions
from ..conf import triggers_settings
from ..definitions import KEY
from ..exceptions import InvalidOptions
from ..snapshots import Subject, Verdict

IN_SEGMENT = "in_segment"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A group of people: those for whom all conditions hold, at the moment of asking."""

    key: str
    #: What editors read.
    label: Any
    conditions: tuple[Mapping[str, Any], ...]

    def contains_many(self, subjects: Sequence[Subject], now: datetime) -> list[Verdict]:
        """Say for each subject whether it belongs, with what each condition compared."""
        asked = [conditions.from_options(data) for data in self.conditions]
        answers = [condition.holds_many(subjects, now) for condition in asked]
        return [
            Verdict(
                holds=all(verdict.holds for verdict in row),
                compared={
                    "of": [
                        {
                            "kind": condition.kind,
                            "holds": verdict.holds,
                            "compared": dict(verdict.compared),
                        }
                        for condition, verdict in zip(asked, row, strict=True)
                    ]
                },
            )
            for row in zip(*answers, strict=True)
        ]


#: Returns segments by key; asked again each time, so that they may stand in a table.
Source = Callable[[], Mapping[str, Segment]]
_sources: list[Source] = []


def source(function: Source) -> Source:
    """Have a function asked for more segments (a decorator); the setting's own go first."""
    if function not in _sources:
        _sources.append(function)
    return function


def known() -> dict[str, Segment]:
    """Return all segments by key; raises ImproperlyConfigured for a setting it cannot use."""
    found: dict[str, Segment] = {}
    for function in (_from_settings, *_sources):
        for key, segment in function().items():
            found.setdefault(key, segment)
    return found


def get(key: str) -> Segment:
    """Return a segment; raises InvalidOptions for one that nobody named."""
    for function in (_from_settings, *_sources):
        found = function().get(key)
        if found is not None:
            return found
    segments = known()
    if key not in segments:
        raise InvalidOptions(
            pgettext("triggers", "There is no segment '%(key)s' (known: %(known)s).")
            % {"key": key, "known": ", ".join(sorted(segments)) or "–"}
        )
    return segments[key]


def named_in(written: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the keys of the segments that conditions, as they are written, ask for."""
    return {
        str(data.get("segment", ""))
        for condition in written
        for _place, data in conditions.walk(condition)
        if data.get("kind") == IN_SEGMENT
    }


def content_hash(key: str) -> str:
    """Return a hash of what a segment asks, with what the segments within it ask."""
    segments, asked, left = known(), {}, [key]
    while left:
        one = left.pop()
        if one in segments and one not in asked:
            asked[one] = segments[one].conditions
            left += named_in(segments[one].conditions)
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def circle_of(key: str, segments: Mapping[str, Segment]) -> list[str]:
    """Return the way by which a segment asks for itself, from it to it again; [] where none does."""
    ways = [[key]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        inside = segments.get(way[-1])
        for other in sorted(named_in(inside.conditions)) if inside is not None else ():
            if other == key:
                return [*way, key]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def check_settings() -> None:
    """Read OSCAR_TRIGGERS["SEGMENTS"] whole; raises ImproperlyConfigured with what to write.

    Kinds of conditions are known only once all apps are ready, so `conf` cannot do this. A segment
    of the settings asks for others of the settings only: it must be known to be good before there
    are tables, and an editor could delete a saved one from under it.
    """
    segments = _from_settings()
    _refuse_circles(segments)
    for key, segment in segments.items():
        strangers = sorted(named_in(segment.conditions) - set(segments))
        if strangers:
            raise ImproperlyConfigured(
                f"OSCAR_TRIGGERS['SEGMENTS'][{key!r}] asks for the segment {strangers[0]!r}, which "
                "the setting does not name. Name it there too, or save this one in the editor."
            )
        for data in segment.conditions:
            problems = conditions.problems_of(data, f"SEGMENTS[{key!r}]")
            if problems:
                raise ImproperlyConfigured(
                    "OSCAR_TRIGGERS " + "; ".join(str(problem) for problem in problems)
                )


def _from_settings() -> Mapping[str, Segment]:
    return _read()


@cache
def _read() -> Mapping[str, Segment]:
    written = triggers_settings().segments
    example = "Write {'vip': {'label': 'VIPs', 'conditions': [{'kind': 'has_tag', 'tag': 'vip'}]}}."
    if not isinstance(written, Mapping):
        raise ImproperlyConfigured(f"OSCAR_TRIGGERS['SEGMENTS'] must be a mapping. {example}")
    found = {}
    for key, data in written.items():
        where = f"OSCAR_TRIGGERS['SEGMENTS'][{key!r}]"
        if not KEY.match(str(key)):
            raise ImproperlyConfigured(
                f"{where}: a segment's key is of small letters, digits, - and _. {example}"
            )
        if not isinstance(data, Mapping) or set(data) - {"label", "conditions"}:
            raise ImproperlyConfigured(
                f"{where} must be a mapping with 'conditions' and, if you like, a 'label'. {example}"
            )
        asked = data.get("conditions")
        if (
            not isinstance(asked, list | tuple)
            or not asked
            or not all(isinstance(one, Mapping) for one in asked)
        ):
            raise ImproperlyConfigured(
                f"{where}['conditions'] must be a list of at least one condition. {example}"
            )
        found[str(key)] = Segment(
            key=str(key), label=data.get("label") or str(key), conditions=tuple(asked)
        )
    _refuse_circles(found)
    return found


def _refuse_circles(segments: Mapping[str, Segment]) -> None:
    """Refuse a segment that is asked within itself: it would ask for ever."""
    for key in segments:
        if circle_of(key, segments):
            raise ImproperlyConfigured(
                f"OSCAR_TRIGGERS['SEGMENTS'][{key!r}] asks for itself, perhaps by way of "
                "another segment. Take one of these conditions out."
            )


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "OSCAR_TRIGGERS":
        _read.cache_clear()
