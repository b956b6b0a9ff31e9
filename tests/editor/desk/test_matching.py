"""How many people conditions hold for now: the count beside the conditions of a flow."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import matching
from oscar_triggers.exceptions import UnknownKind
from oscar_triggers.models import Contact
from oscar_triggers.testing import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
FRIENDS = {"kind": "has_tag", "tag": "friend"}
GERMANS = {"kind": "speaks", "language": "de"}


@pytest.fixture
def people() -> list[Contact]:
    """Return six people, two of them friends, one of those German."""
    return [
        factories.contact(
            f"person-{number}@example.com",
            now=NOW,
            tags=("friend",) if number < 2 else (),
            language="de" if number in (1, 5) else "en",
        )
        for number in range(6)
    ]


def test_those_for_whom_all_conditions_hold_are_counted(people: list[Contact]) -> None:
    assert matching.count_matching([FRIENDS], NOW) == matching.Matched(
        count=2, asked=6, of=6, is_whole=True
    )
    assert matching.count_matching([FRIENDS, GERMANS], NOW).count == 1


def test_without_conditions_everybody_counts_and_nobody_is_asked(people: list[Contact]) -> None:
    found = matching.count_matching([], NOW)
    assert (found.count, found.of, found.is_whole) == (6, 6, True)


def test_a_contact_that_was_joined_into_another_is_not_counted_twice(
    people: list[Contact],
) -> None:
    Contact.objects.filter(pk=people[0].pk).update(joined_into=people[1])
    assert matching.count_matching([FRIENDS], NOW) == matching.Matched(
        count=1, asked=5, of=5, is_whole=True
    )


def test_a_limit_is_kept_and_told(people: list[Contact]) -> None:
    found = matching.count_matching([GERMANS], NOW, limit=3)
    assert found == matching.Matched(count=1, asked=3, of=6, is_whole=False)


def test_who_has_no_more_time_counts_what_was_asked_by_then(
    people: list[Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_AT_ONCE", 2)
    found = matching.count_matching([GERMANS], NOW, seconds=0)
    assert (found.asked, found.count, found.is_whole) == (2, 1, False)


def test_the_number_of_queries_does_not_grow_with_the_people_in_a_batch(
    people: list[Contact],
) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        matching.count_matching([FRIENDS, GERMANS], NOW, limit=2)
    for number in range(20):
        factories.contact(f"more-{number}@example.com", now=NOW, tags=("friend",))
    with CaptureQueriesContext(connection) as many:
        assert matching.count_matching([FRIENDS], NOW, limit=1_000).count == 22
    assert len(many) <= len(few) + 2


@pytest.mark.parametrize(
    ("condition", "needed"),
    [
        (FRIENDS, False),
        ({"kind": "has_ordered"}, False),
        ({"kind": "basket_worth", "amount": "10"}, True),
        ({"kind": "event_field", "field": "value", "wanted": "3"}, True),
        ({"kind": "order_stage", "stage": "paid"}, True),
        ({"kind": "not", "of": [{"kind": "message_clicked"}]}, True),
        ({"kind": "any", "of": [FRIENDS, GERMANS]}, False),
    ],
)
def test_a_question_about_the_event_cannot_be_asked_of_a_person_alone(
    condition: dict[str, object], needed: bool
) -> None:
    assert matching.needs_event(condition) is needed


def test_a_condition_that_nobody_knows_is_no_guess(people: list[Contact]) -> None:
    with pytest.raises(UnknownKind):
        matching.count_matching([{"kind": "reads_minds"}], NOW)
