"""What a shop knows of its contacts: fields and tags, and the flows that start on a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import contacts, fields, joining
from oscar_triggers.engine.fields import Change
from oscar_triggers.models import Contact, ContactTag, Enrollment, JournalEntry
from oscar_triggers.snapshots import Person

from .conftest import NEVER, wait


def known(contact_id: int) -> dict[str, Any]:
    """Return a contact's fields as the database holds them."""
    return dict(Contact.objects.get(pk=contact_id).fields)


def changes() -> list[tuple[str, str]]:
    """Return the changes that were recorded, oldest first."""
    entries = JournalEntry.objects.filter(kind="contact_changed").order_by("pk")
    return [(e.payload["change"], e.payload["field"]) for e in entries]


def test_a_field_is_set_once_and_told_once(agreed: int, now: datetime) -> None:
    assert len(fields.set_field_many([agreed], "size", "M", now)) == 1
    assert fields.set_field_many([agreed], "size", "M", now + timedelta(hours=1)) == []
    assert known(agreed) == {"size": "M"}
    assert changes() == [("value", "size")]
    fields.set_field_many([agreed], "size", "L", now + timedelta(hours=2))
    fields.clear_field_many([agreed], "size", now + timedelta(hours=3))
    fields.clear_field_many([agreed], "size", now + timedelta(hours=4))
    assert known(agreed) == {}
    assert changes() == [("value", "size")] * 3


def test_the_value_stands_in_the_contact_and_nowhere_else(agreed: int, now: datetime) -> None:
    fields.set_field_many([agreed], "company", "Whitby Whaling Ltd", now)
    entry = JournalEntry.objects.get(kind="contact_changed")
    assert "Whitby" not in str((entry.payload, entry.person, entry.dedup_key))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (date(1990, 3, 1), "1990-03-01"),
        (Decimal("1.50"), "1.50"),
        (True, True),
        (7, 7),
        (1.5, 1.5),
        ("  wide \0 ", "wide"),
        ("x" * 500, "x" * 500),
    ],
)
def test_values_are_kept_as_json(agreed: int, now: datetime, value: Any, kept: Any) -> None:
    fields.set_field_many([agreed], "thing", value, now)
    assert known(agreed)["thing"] == kept


def test_yes_is_not_one(agreed: int, now: datetime) -> None:
    fields.set_field_many([agreed], "vip", 1, now)
    assert len(fields.set_field_many([agreed], "vip", True, now + timedelta(hours=1))) == 1
    assert known(agreed)["vip"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"what": "set", "name": "Birthday", "value": "x"},
        {"what": "set", "name": "", "value": "x"},
        {"what": "set", "name": "a" * 61, "value": "x"},
        {"what": "set", "name": "size__gt", "value": ["M"]},
        {"what": "set", "name": "size", "value": "x" * 501},
        {"what": "set", "name": "size", "value": float("nan")},
        {"what": "set", "name": "size", "value": {"a": 1}},
        {"what": "add_tag", "name": "  "},
        {"what": "add_tag", "name": "x" * 61},
        {"what": "erase", "name": "size"},
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    agreed: int, now: datetime, change: dict[str, Any]
) -> None:
    good = Change(contact_id=agreed, what=fields.SET, name="size", value="M")
    with pytest.raises(fields.InvalidField):
        fields.change_many([good, Change(contact_id=agreed, **change)], now)
    assert known(agreed) == {}
    assert changes() == []


def test_tags_come_and_go_and_each_change_is_told(agreed: int, now: datetime) -> None:
    fields.add_tag_many([agreed], " loyal  customer ", now)
    fields.add_tag_many([agreed], "loyal customer", now + timedelta(hours=1))
    assert list(ContactTag.objects.values_list("tag", flat=True)) == ["loyal customer"]
    fields.remove_tag_many([agreed], "loyal customer", now + timedelta(hours=2))
    fields.remove_tag_many([agreed], "loyal customer", now + timedelta(hours=3))
    assert not ContactTag.objects.exists()
    assert changes() == [("tag_added", "loyal customer"), ("tag_removed", "loyal customer")]


def test_of_several_changes_in_one_go_the_last_counts(agreed: int, now: datetime) -> None:
    fields.change_many(
        [
            Change(contact_id=agreed, what=fields.SET, name="size", value="M"),
            Change(contact_id=agreed, what=fields.SET, name="size", value="L"),
            Change(contact_id=agreed, what=fields.ADD_TAG, name="vip"),
            Change(contact_id=agreed, what=fields.REMOVE_TAG, name="vip"),
            Change(contact_id=agreed + 1_000, what=fields.SET, name="size", value="S"),
        ],
        now,
    )
    assert known(agreed) == {"size": "L"}
    assert changes() == [("value", "size")]


def test_a_flow_starts_on_the_change_it_listens_to_each_time_anew(
    agreed: int, publish_flow: Callable[..., Any], tick: Callable[..., Any], now: datetime
) -> None:
    publish_flow(wait("a", "20d"), trigger={"kind": "contact_changed", "field": "size"})
    publish_flow(
        wait("a", "20d"),
        key="large",
        trigger={"kind": "contact_changed", "field": "size"},
        entry=[{"kind": "contact_field", "name": "size", "comparison": "is", "wanted": "L"}],
    )
    publish_flow(
        wait("a", "20d"), key="vips", trigger={"kind": "contact_changed", "change": "tag_added"}
    )
    fields.set_field_many([agreed], "size", "M", now)
    fields.set_field_many([agreed], "hat", "M", now)
    tick(now)
    fields.set_field_many([agreed], "size", "L", now + timedelta(minutes=1))
    fields.add_tag_many([agreed], "vip", now + timedelta(minutes=1))
    tick(now + timedelta(minutes=1))
    entered = list(Enrollment.objects.order_by("pk").values_list("flow__key", flat=True))
    assert sorted(entered) == ["gift-cards", "gift-cards", "large", "vips"]


def test_a_change_noticed_by_the_engine_is_no_visit(
    agreed: int, tick: Callable[..., Any], now: datetime
) -> None:
    Contact.objects.filter(pk=agreed).update(seen_at=now - timedelta(days=30))
    fields.set_field_many([agreed], "size", "M", now)
    tick(now)
    assert Contact.objects.get(pk=agreed).seen_at == now - timedelta(days=30)
    assert now < NEVER


def test_the_statements_do_not_grow_with_the_people(db: None, now: datetime) -> None:
    ids = contacts.resolve_many(
        [(Person(email=f"p{number}@example.com"), None) for number in range(60)], now
    )

    def statements(some: list[Any], value: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            fields.change_many(
                [
                    change
                    for pk in some
                    for change in (
                        Change(contact_id=pk, what=fields.SET, name="size", value=value),
                        Change(contact_id=pk, what=fields.ADD_TAG, name=value),
                    )
                ],
                now,
            )
        return len(captured)

    assert statements(ids[:1], "one") == statements(ids, "many")


def test_what_is_known_of_two_that_are_one_stays_known(agreed: int, now: datetime) -> None:
    [other] = contacts.resolve_many([(Person(email="b@example.com"), None)], now)
    assert other is not None
    fields.change_many(
        [
            Change(contact_id=agreed, what=fields.SET, name="size", value="M"),
            Change(contact_id=agreed, what=fields.ADD_TAG, name="vip"),
            Change(contact_id=other, what=fields.SET, name="size", value="L"),
            Change(contact_id=other, what=fields.SET, name="hat", value="7"),
            Change(contact_id=other, what=fields.ADD_TAG, name="vip"),
            Change(contact_id=other, what=fields.ADD_TAG, name="sailor"),
        ],
        now,
    )
    assert joining.join(agreed, other, now)
    assert known(agreed) == {"size": "M", "hat": "7"}
    assert known(other) == {}
    assert sorted(ContactTag.objects.values_list("contact_id", "tag")) == [
        (agreed, "sailor"),
        (agreed, "vip"),
    ]
    fields.set_field_many([other], "hat", "8", now + timedelta(minutes=1))
    assert known(agreed)["hat"] == "8"
