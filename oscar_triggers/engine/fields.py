"""What a shop knows of its contacts beside names and points: fields by name, and tags.

The front door for the shop's own code, for flows and for imports: what really changed is also
recorded as an event, so that flows can start on it. Which field it was stands in the journal, its
value does not: values of fields are personal data and live in `Contact.fields` only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import pgettext

from .. import events
from ..exceptions import TriggersError
from ..kinds import clean_text
from ..models import Contact, ContactTag
from ..models.sql import database_for, insert_or_ignore
from ..snapshots import Person
from . import intake, joining
from .intake import Record

SET = "set"
CLEAR = "clear"
ADD_TAG = "add_tag"
REMOVE_TAG = "remove_tag"

#: Kind of the event that tells of a change; its class stands in the `builtin` room.
CHANGED = "contact_changed"
#: What the event says: a field has another value or none, a tag came or went.
VALUE = "value"
TAG_ADDED = "tag_added"
TAG_REMOVED = "tag_removed"

LONGEST_TEXT = 500
LONGEST_TAG = 60
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")

Scalar = str | int | float | bool


class InvalidField(TriggersError, ValueError):
    """A field's name, a value or a tag that cannot be kept."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing to change about one contact: `what` is SET, CLEAR, ADD_TAG or REMOVE_TAG."""

    contact_id: int
    what: str
    #: The field's name, or the tag.
    name: str
    #: For SET: text of up to 500 characters, a number, yes or no, or a date (kept as ISO text).
    value: Any = None


def set_field_many(
    contact_ids: Iterable[int], name: str, value: Any, now: datetime
) -> list[Change]:
    """Set one field of contacts to one value; see `change_many`. None clears it."""
    return change_many(
        [Change(contact_id=pk, what=SET, name=name, value=value) for pk in contact_ids], now
    )


def clear_field_many(contact_ids: Iterable[int], name: str, now: datetime) -> list[Change]:
    """Forget one field of contacts; see `change_many`."""
    return change_many([Change(contact_id=pk, what=CLEAR, name=name) for pk in contact_ids], now)


def add_tag_many(contact_ids: Iterable[int], tag: str, now: datetime) -> list[Change]:
    """Put a tag on contacts; see `change_many`."""
    return change_many([Change(contact_id=pk, what=ADD_TAG, name=tag) for pk in contact_ids], now)


def remove_tag_many(contact_ids: Iterable[int], tag: str, now: datetime) -> list[Change]:
    """Take a tag off contacts; see `change_many`."""
    return change_many(
        [Change(contact_id=pk, what=REMOVE_TAG, name=tag) for pk in contact_ids], now
    )


def change_many(changes: Sequence[Change], now: datetime) -> list[Change]:
    """Apply changes in their order and return those that changed something.

    Each of these is recorded as a `contact_changed` event, dated `now` (UTC). All of it is one
    transaction, whose number of statements does not depend on the number of changes. A contact
    that was joined into another stands for that one; one that does not exist is left out.
    Raises InvalidField, before anything is written, for a name, value or tag that cannot be kept.
    """
    clean = [_clean(change) for change in changes]
    if not clean:
        return []
    with transaction.atomic(using=database_for(Contact)):
        contacts = _locked({change.contact_id for change in clean})
        known = [
            Change(
                contact_id=contacts[change.contact_id].pk,
                what=change.what,
                name=change.name,
                value=change.value,
            )
            for change in clean
            if change.contact_id in contacts
        ]
        rows = {contact.pk: contact for contact in contacts.values()}
        changed = [*_change_fields(rows, known), *_change_tags(known, now)]
        intake.record_many([_record(rows[one.contact_id], one, now) for one in changed])
    return changed


def check_name(name: str) -> str:
    """Return a field's name; raises InvalidField unless it is small letters, digits and _."""
    if not _NAME.match(name):
        raise InvalidField(
            pgettext(
                "triggers",
                "'%(name)s' is no name for a field; use small letters, digits and _, "
                "beginning with a letter, as in 'birthday' (60 at most).",
            )
            % {"name": name[:80]}
        )
    return name


def check_value(value: Any) -> Scalar | None:
    """Return a value as it is kept in JSON; raises InvalidField for one that cannot be.

    Dates and moments become ISO text, decimals text; None and "" mean that there is none.
    """
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, str):
        text = clean_text(value).strip()
        if len(text) > LONGEST_TEXT:
            raise InvalidField(
                pgettext("triggers", "A field holds %(count)d characters at most.")
                % {"count": LONGEST_TEXT}
            )
        return text or None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidField(
        pgettext("triggers", "A field holds text, a number, a date, or yes or no; not %(type)s.")
        % {"type": type(value).__name__}
    )


def check_tag(tag: str) -> str:
    """Return a tag without spaces around it; raises InvalidField for none or a long one."""
    clean = " ".join(clean_text(tag).split())
    if not clean or len(clean) > LONGEST_TAG:
        raise InvalidField(
            pgettext("triggers", "A tag has 1 to %(count)d characters.") % {"count": LONGEST_TAG}
        )
    return clean


def _clean(change: Change) -> Change:
    if change.what in (ADD_TAG, REMOVE_TAG):
        return Change(contact_id=change.contact_id, what=change.what, name=check_tag(change.name))
    if change.what not in (SET, CLEAR):
        raise InvalidField(
            f"A change is {SET!r}, {CLEAR!r}, {ADD_TAG!r} or {REMOVE_TAG!r}, not {change.what!r}."
        )
    value = check_value(change.value) if change.what == SET else None
    return Change(
        contact_id=change.contact_id,
        what=CLEAR if value is None else SET,
        name=check_name(change.name),
        value=value,
    )


def _locked(ids: set[int]) -> dict[int, Contact]:
    """Lock what these contacts stand for, in one order for all writers; by the ids given."""
    ends = joining.follow(Contact.objects.filter(pk__in=ids))
    rows = {
        row.pk: row
        for row in Contact.objects.select_for_update(no_key=True)
        .filter(pk__in={contact.pk for contact in ends.values()})
        .order_by("pk")
    }
    return {pk: rows[end.pk] for pk, end in ends.items() if end.pk in rows}


def _change_fields(rows: Mapping[int, Contact], changes: Sequence[Change]) -> list[Change]:
    before = {pk: dict(row.fields or {}) for pk, row in rows.items()}
    last: dict[tuple[int, str], Change] = {}
    for change in changes:
        if change.what in (SET, CLEAR):
            last[change.contact_id, change.name] = change
    changed = [
        change for (pk, name), change in last.items() if not _same(before[pk].get(name), change)
    ]
    for change in changed:
        fields = before[change.contact_id]
        if change.what == SET:
            fields[change.name] = change.value
        else:
            fields.pop(change.name, None)
        rows[change.contact_id].fields = fields
    Contact.objects.bulk_update(
        [rows[pk] for pk in sorted({c.contact_id for c in changed})], ["fields"]
    )
    return changed


def _same(found: Any, change: Change) -> bool:
    """Compare with the type: 1 and True, or 1 and 1.0, are not the same in JSON."""
    return type(found) is type(change.value) and found == change.value


def _change_tags(changes: Sequence[Change], now: datetime) -> list[Change]:
    last = {
        (change.contact_id, change.name): change
        for change in changes
        if change.what in (ADD_TAG, REMOVE_TAG)
    }
    if not last:
        return []
    present = {
        (contact_id, tag): pk
        for pk, contact_id, tag in ContactTag.objects.filter(
            contact_id__in={pk for pk, _tag in last}, tag__in={tag for _pk, tag in last}
        ).values_list("pk", "contact_id", "tag")
    }
    added = [c for key, c in last.items() if c.what == ADD_TAG and key not in present]
    removed = [c for key, c in last.items() if c.what == REMOVE_TAG and key in present]
    insert_or_ignore(
        ContactTag,
        [{"contact_id": c.contact_id, "tag": c.name, "created_at": now} for c in added],
        conflict=("contact", "tag"),
    )
    ContactTag.objects.filter(pk__in=[present[c.contact_id, c.name] for c in removed]).delete()
    return [*added, *removed]


def _record(contact: Contact, change: Change, now: datetime) -> Record:
    what = {ADD_TAG: TAG_ADDED, REMOVE_TAG: TAG_REMOVED}.get(change.what, VALUE)
    return Record(
        event=events.from_payload(
            CHANGED, {"field": change.name, "change": what, "changed_at": now.isoformat()}
        ),
        contact=contact.pk,
        person=Person(
            contact_id=contact.pk,
            user_id=contact.user_id,
            language=contact.language,
            time_zone=contact.time_zone,
        ),
        occurred_at=now,
        site_id=contact.site_id,
        key=f"{contact.pk}:{what}:{change.name}:{now.isoformat()}",
    )
