"""Lets time pass by ageing the data: nothing in the product ever reads a fake clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models, transaction
from django.db.models import F, Value

#: Whoever is signed in stays so.
_LEFT_ALONE = frozenset({"sessions.session"})
#: Fields of JSON that are moments by name, as ISO texts: the database cannot subtract from them.
_MOMENTS_BY_NAME = (("oscar_triggers.orderwatch", "stages"),)
#: Rows that are read at once.
_BATCH = 500
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"(\d+)\s*([wdhms])")


def parse_duration(text: str) -> timedelta:
    """Read "25h", "3d" or "1d 2h 30m"; raises ValueError for anything else."""
    compact = text.replace(" ", "").lower()
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text!r} is no duration; write 25h, 3d or 1d2h30m.")
    return timedelta(**{_UNITS[unit]: int(number) for number, unit in parts})


def travel(duration: timedelta, *, using: str = DEFAULT_DB_ALIAS) -> dict[str, int]:
    """Make everything this much older, and return how many rows moved in each table.

    One UPDATE per table (moments in JSON are read and written back), all in one transaction: a
    worker sees the shop before or after, never half-way. Times inside signed links stay as they are.
    """
    moved: dict[str, int] = {}
    with transaction.atomic(using=using):
        for model in apps.get_models(include_auto_created=True):
            changes = _changes(model, duration)
            if changes:
                moved[model._meta.label_lower] = model._base_manager.using(using).update(**changes)
        for label, name in _MOMENTS_BY_NAME:
            _age_moments(apps.get_model(label)._base_manager.using(using), name, duration)
    return moved


def _age_moments(rows: models.QuerySet[Any], name: str, duration: timedelta) -> None:
    aged = []
    for row in rows.exclude(**{name: {}}).only(name).iterator(chunk_size=_BATCH):
        told = {
            key: (datetime.fromisoformat(moment) - duration).isoformat()
            for key, moment in getattr(row, name).items()
        }
        setattr(row, name, told)
        aged.append(row)
    rows.bulk_update(aged, [name], batch_size=_BATCH)


def _changes(model: type[models.Model], duration: timedelta) -> dict[str, models.Expression]:
    meta = model._meta
    if meta.proxy or not meta.managed or meta.label_lower in _LEFT_ALONE:
        return {}
    step = Value(duration, output_field=models.DurationField())
    # The database works out each new value: NULL stays NULL, and no row is read.
    return {
        field.name: models.ExpressionWrapper(F(field.name) - step, output_field=field)
        for field in meta.local_concrete_fields
        if isinstance(field, models.DateTimeField)
    }
