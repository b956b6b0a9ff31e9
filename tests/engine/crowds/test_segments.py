"""Segments that editors saved are asked like those of the setting, and counted honestly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oscar_triggers.engine import audience, clockwork, saved_segments, segments
from oscar_triggers.models import Contact, Enrollment, SavedSegment
from oscar_triggers.policy import staff
from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock

from .conftest import TEA

pytestmark = pytest.mark.django_db

People = Callable[..., list[Contact]]
FLOW: dict[str, Any] = {
    "flow": "tea-only",
    "trigger": {"kind": "contact_changed", "change": "tag_added"},
    "entry": [{"kind": "in_segment", "segment": "tea"}],
    "steps": [{"key": "pause", "kind": "wait", "options": {"duration": "9d"}}],
}


def test_a_flow_lets_in_who_is_in_the_segment_when_it_is_asked(
    people: People, tea: SavedSegment, clock: Clock
) -> None:
    [anna] = people("anna")
    [boris] = people("boris", tags=())
    flow = factories.flow(FLOW, clock=clock)
    for one in (anna, boris):
        flow.run(contact=one, event={"field": "vip", "change": "tag_added"})
    clockwork.tick(clock.now)
    assert set(Enrollment.objects.values_list("contact_id", flat=True)) == {anna.pk}


def test_everybody_is_counted_with_the_same_number_of_questions_for_each_slice(
    people: People, tea: SavedSegment, clock: Clock, django_assert_num_queries: Any
) -> None:
    people("anna", "boris")
    people("chloe", tags=())
    segment = segments.get("tea")
    # One slice: the people, their points, their tags; then nobody is left.
    with django_assert_num_queries(4):
        counted = audience.count(segment, clock.now)
    assert (counted.people, counted.looked_at, counted.is_whole) == (2, 3, True)
    people(*[f"reader-{number}" for number in range(20)])
    with django_assert_num_queries(4):
        assert audience.count(segment, clock.now).people == 22


def test_a_count_that_ended_early_says_of_how_many_it_is(
    people: People, tea: SavedSegment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oscar_triggers.engine.audience.people.__defaults__", (0, 2))
    people("anna", "boris", "chloe", "dmitri")
    people("emil", "frida", tags=())
    counted = audience.count(segments.get("tea"), clock.now, most=2)
    assert (counted.people, counted.looked_at, counted.known) == (2, 2, 6)
    assert not counted.is_whole
    assert counted.estimate == 6
    assert audience.count(segments.get("tea"), clock.now, within=0.0).looked_at == 2


def test_who_may_not_be_written_to_is_told_by_reason(
    people: People, tea: SavedSegment, clock: Clock, settings: Any
) -> None:
    people("anna")
    people("boris", topics=())
    people("colleague")
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "STAFF_ADDRESSES": ["colleague@example.com"],
    }
    writing = audience.Writing(topic="offers")
    counted = audience.count(segments.get("tea"), clock.now, writing=writing)
    assert counted.unreachable == {"no_consent": 1, "staff": 1}
    assert counted.reachable == 1


def test_a_segment_cannot_ask_for_itself_by_way_of_another(tea: SavedSegment, clock: Clock) -> None:
    saved_segments.save(
        key="guests",
        name="Guests",
        asked=[{"kind": "in_segment", "segment": "tea"}],
        now=clock.now,
    )
    with pytest.raises(saved_segments.SegmentProblems, match="tea → guests → tea"):
        saved_segments.save(
            key="tea",
            name="Tea",
            asked=[{"kind": "not", "of": {"kind": "in_segment", "segment": "guests"}}],
            now=clock.now,
            row=tea,
        )
    tea.refresh_from_db()
    assert tea.conditions == TEA


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "at least one condition"),
        ([{"kind": "basket_lines", "comparison": "at_least", "count": 1}], "way through a flow"),
        ([{"kind": "no_reaction"}], "way through a flow"),
        ([{"kind": "in_segment", "segment": "nobody"}], "no segment 'nobody'"),
    ],
)
def test_what_no_person_can_be_asked_is_refused(
    asked: list[dict[str, Any]], said: str, clock: Clock, db: None
) -> None:
    with pytest.raises(saved_segments.SegmentProblems, match=said):
        saved_segments.save(key="odd", name="Odd", asked=asked, now=clock.now)


def test_what_asks_for_a_segment_is_found_wherever_it_asks(tea: SavedSegment, clock: Clock) -> None:
    question = {"kind": "in_segment", "segment": "tea"}
    send = {"key": "hello", "kind": "send", "options": {"template": "hello"}}
    branch = {
        "key": "which",
        "kind": "branch",
        "options": {"condition": {"kind": "not", "of": question}},
        "branches": {"yes": [send]},
    }
    factories.flow({**FLOW, "entry": [], "steps": [branch]}, clock=clock)
    assert [one.key for one in saved_segments.uses()["tea"]] == ["tea-only"]
    with pytest.raises(saved_segments.SegmentProblems, match="is used by “tea-only”"):
        saved_segments.check_unused(tea)


def test_staff_enter_no_flow_that_advertises(people: People, clock: Clock, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "STAFF_ADDRESSES": ["@shop.example"]}
    colleague = factories.contact("boss@shop.example", now=clock.now)
    owed = {**FLOW, "flow": "owed", "entry": [], "stream": "transactional"}
    factories.flow(owed, clock=clock)
    run = factories.flow({**FLOW, "entry": []}, clock=clock).run(
        contact=colleague, event={"field": "vip", "change": "tag_added"}
    )
    assert run.enrollment is None
    assert [one.reason for one in run.decisions] == ["staff"]
    assert Enrollment.objects.get().flow.key == "owed"
    assert list(staff.people()) == [colleague]


def test_accounts_of_staff_count_where_the_shop_says_so(
    admin_user: Any, clock: Clock, settings: Any
) -> None:
    one = factories.contact("admin@example.com", now=clock.now, user_id=admin_user.pk)
    assert staff.among([one.pk]) == set()
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "STAFF_ACCOUNTS": True}
    assert staff.among([one.pk]) == {one.pk}
