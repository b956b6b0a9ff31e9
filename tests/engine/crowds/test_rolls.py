"""Who belongs to a segment is counted into a table: whole or not at all, and no longer than needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers.engine import clockwork, joining, pruning, rolls, saved_segments, segments
from oscar_triggers.exceptions import InvalidOptions
from oscar_triggers.models import Contact, SavedSegment, SegmentMember, SegmentRoll
from oscar_triggers.testing.clock import Clock

from .conftest import TEA

pytestmark = pytest.mark.django_db

People = Callable[..., list[Contact]]


@pytest.fixture
def slices_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at two people at once."""
    monkeypatch.setattr("oscar_triggers.engine.audience.people.__defaults__", (0, 2))


def count(clock: Clock) -> SegmentRoll:
    """Count the tea drinkers to the end."""
    assert rolls.go_on(rolls.begin("tea", clock.now).pk, clock.now, within=60)
    roll = rolls.standing("tea").roll
    assert roll is not None
    return roll


def on(roll: SegmentRoll) -> set[int]:
    """Return who is on a roll."""
    return set(roll.members.values_list("contact_id", flat=True))


def test_a_roll_has_exactly_the_people_of_the_segment(
    people: People, tea: SavedSegment, clock: Clock, slices_of_two: None
) -> None:
    drinkers = people("anna", "boris", "chloe")
    people("dmitri", tags=())
    roll = count(clock)
    assert on(roll) == {one.pk for one in drinkers}
    assert (roll.people, roll.looked_at) == (3, 4)


def test_readers_see_the_old_people_until_all_were_counted_anew(
    people: People, tea: SavedSegment, clock: Clock, slices_of_two: None
) -> None:
    [anna] = people("anna")
    old = count(clock)
    people("boris", "chloe", "dmitri")
    counting = rolls.begin("tea", clock.now)
    assert not rolls.go_on(counting.pk, clock.now, within=0)
    standing = rolls.standing("tea")
    assert standing.roll == old
    assert standing.counting == counting
    assert list(rolls.only(Contact.objects.all(), old, "pk")) == [anna]
    # Asked for twice, it is counted once.
    assert rolls.begin("tea", clock.now) == counting
    rolls.go_on(counting.pk, clock.now, within=60)
    standing = rolls.standing("tea")
    assert standing.roll == counting
    assert counting.members.count() == 4


def test_the_tick_goes_on_with_a_count_and_clears_the_one_before(
    people: People, tea: SavedSegment, clock: Clock
) -> None:
    people("anna")
    old = count(clock)
    people("boris")
    rolls.begin("tea", clock.now)
    clockwork.tick(clock.now)
    roll = rolls.standing("tea").roll
    assert roll is not None
    assert roll.people == 2
    # Somebody may still be reading it.
    assert SegmentRoll.objects.filter(pk=old.pk).exists()
    clock.forward("11m")
    clockwork.tick(clock.now)
    assert [one.pk for one in SegmentRoll.objects.all()] == [roll.pk]
    assert SegmentMember.objects.count() == 2


def test_a_segment_that_changes_while_it_is_counted_is_counted_from_the_beginning(
    people: People, tea: SavedSegment, clock: Clock, slices_of_two: None
) -> None:
    people("anna", "boris", "chloe")
    [coffee] = people("dmitri", tags=("coffee",))
    counting = rolls.begin("tea", clock.now)
    rolls.go_on(counting.pk, clock.now, within=0)
    saved_segments.save(
        key="tea", name="Tea", asked=[{"kind": "has_tag", "tag": "coffee"}], now=clock.now, row=tea
    )
    rolls.go_on(counting.pk, clock.now, within=60)
    assert on(counting) == {coffee.pk}
    assert not rolls.standing("tea").is_outdated


def test_a_change_of_a_segment_within_a_segment_makes_the_count_an_old_one(
    people: People, tea: SavedSegment, clock: Clock
) -> None:
    people("anna")
    inner = [{"kind": "in_segment", "segment": "tea"}]
    saved_segments.save(key="all-tea", name="All", asked=inner, now=clock.now)
    rolls.go_on(rolls.begin("all-tea", clock.now).pk, clock.now, within=60)
    assert not rolls.standing("all-tea").is_outdated
    saved_segments.save(
        key="tea", name="Tea", asked=[*TEA, {"kind": "has_tag", "tag": "x"}], now=clock.now, row=tea
    )
    assert rolls.standing("all-tea").is_outdated


def test_rolls_go_with_their_segment_and_people_with_their_rows(
    people: People, tea: SavedSegment, clock: Clock
) -> None:
    anna, boris = people("anna", "boris")
    roll = count(clock)
    boris.delete()
    assert on(roll) == {anna.pk}
    tea.delete()
    assert not SegmentRoll.objects.exists()
    assert not SegmentMember.objects.exists()
    with pytest.raises(InvalidOptions):
        rolls.begin("tea", clock.now)


def test_a_segment_that_the_setting_names_no_more_is_forgotten(
    people: People, clock: Clock, settings: Any
) -> None:
    people("anna")
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "SEGMENTS": {"tea": {"label": "Tea", "conditions": TEA}},
    }
    count(clock)
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SEGMENTS": {}}
    clockwork.tick(clock.now)
    assert not SegmentMember.objects.exists()
    assert not SegmentRoll.objects.exists()


def test_who_turned_out_to_be_one_person_is_on_the_roll_once(
    people: People, tea: SavedSegment, clock: Clock
) -> None:
    guest, other, twin = people("anna", "boris", "chloe")
    [member] = people("dmitri", tags=())
    roll = count(clock)
    joining.join(member.pk, guest.pk, clock.now)
    joining.join(other.pk, twin.pk, clock.now)
    assert on(roll) == {member.pk, other.pk}


def test_rolls_are_kept_for_a_month(people: People, tea: SavedSegment, clock: Clock) -> None:
    people("anna")
    count(clock)
    pruning.prune(clock.now + timedelta(days=29))
    assert SegmentMember.objects.exists()
    pruning.prune(clock.now + timedelta(days=31))
    assert not SegmentMember.objects.exists()


def test_a_question_that_fails_stops_its_own_count_only_and_says_so(
    people: People, tea: SavedSegment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    people("anna")
    saved_segments.save(key="other", name="Other", asked=[{"kind": "is_customer"}], now=clock.now)
    rolls.begin("tea", clock.now)
    rolls.begin("other", clock.now)

    def broken(*args: Any) -> Any:
        raise RuntimeError("no table")

    monkeypatch.setattr(
        "oscar_triggers.builtin.conditions_people.HasTag.holds_many", broken, raising=False
    )
    clockwork.tick(clock.now)
    counting = rolls.standing("tea").counting
    assert counting is not None
    assert counting.problem == "RuntimeError"
    assert rolls.standing("other").roll is not None


def test_a_slice_of_five_hundred_costs_as_many_questions_as_one_of_two(
    people: People, tea: SavedSegment, clock: Clock
) -> None:
    people("anna", "boris")
    costs = []
    for number in (1, 2):
        segments.known()  # They are read once in some seconds.
        with CaptureQueriesContext(connection) as captured:
            count(clock)
        costs.append(len(captured))
        people(*[f"reader-{number}-{each}" for each in range(200)])
    assert costs[0] == costs[1]
