"""A letter that goes once to everybody in a segment: now, later, in parts, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_triggers.engine import choosing, clockwork, flows, one_off, outbox, watching
from oscar_triggers.insight.explain import explain
from oscar_triggers.insight.troubles import Place, troubles
from oscar_triggers.models import (
    Alarm,
    Contact,
    Dispatch,
    Enrollment,
    FlowState,
    LetterState,
    Message,
    OneOffLetter,
)
from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock

from .conftest import at, sent_to

pytestmark = pytest.mark.django_db

People = Callable[..., list[Contact]]
Letter = Callable[..., OneOffLetter]


def play(clock: Clock, until: str = "1m") -> None:
    """Let some time pass, tick by tick."""
    end = clock.now + timedelta(minutes=int(until.removesuffix("m")))
    while clock.now < end:
        clock.forward("10s")
        clockwork.tick(clock.now)


def confirmed(letter: OneOffLetter, clock: Clock, people: int = 3) -> OneOffLetter:
    """Confirm a letter now."""
    return one_off.confirm(letter.pk, people=people, now=clock.now)


def test_a_letter_that_is_confirmed_goes_to_everybody_in_its_segment_once(
    people: People, letter: Letter, clock: Clock
) -> None:
    meant = people("anna", "boris", "chloe")
    others = people("dmitri", tags=("coffee",))
    one = confirmed(letter(), clock)
    play(clock)
    assert sent_to(meant) == [True] * 3
    assert sent_to(others) == [False]
    assert len(mail.outbox) == 3
    one.refresh_from_db()
    assert (one.state, one.looked_at, one.chosen) == (LetterState.DONE, 4, 3)
    assert one.flow is not None
    assert one.flow.state == FlowState.ARCHIVED
    play(clock)
    assert len(mail.outbox) == 3


def test_a_letter_waits_for_its_time_and_goes_to_who_is_in_the_segment_then(
    people: People, letter: Letter, clock: Clock
) -> None:
    people("anna")
    one = confirmed(letter(send_at=clock.now + timedelta(hours=2)), clock, people=1)
    play(clock)
    assert mail.outbox == []
    assert Enrollment.objects.count() == 0
    [late] = people("boris")
    clock.forward("2h")
    play(clock)
    assert sent_to([late]) == [True]
    one.refresh_from_db()
    assert one.chosen == 2


def test_who_never_agreed_gets_nothing_and_the_log_says_why(
    people: People, letter: Letter, clock: Clock
) -> None:
    [anna, boris] = [*people("anna"), *people("boris", topics=())]
    one = confirmed(letter(), clock)
    play(clock)
    assert sent_to([anna, boris]) == [True, False]
    assert one.flow is not None
    assert Message.objects.get(contact=boris).reason == "no_consent"
    told = str(explain(boris, one.flow, now=clock.now))
    assert "never agreed" in told or "agreed" in told


def test_explain_answers_for_those_who_were_not_chosen_too(
    people: People, letter: Letter, clock: Clock
) -> None:
    people("anna")
    [coffee] = people("dmitri", tags=("coffee",))
    one = confirmed(letter(send_at=clock.now + timedelta(hours=1)), clock)
    assert one.flow is not None
    assert "will be chosen" in str(explain(coffee, one.flow, now=clock.now))
    clock.forward("1h")
    play(clock)
    told = str(explain(coffee, one.flow, now=clock.now))
    assert "Tea drinkers" in told
    assert "not among them" in told


def test_a_letter_can_be_paused_in_the_middle_and_goes_on(
    people: People, letter: Letter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oscar_triggers.engine.audience.people.__defaults__", (0, 1))
    everybody = people("anna", "boris", "chloe")
    one = confirmed(letter(), clock)
    one_off.pause(one.pk, now=clock.now)
    play(clock)
    assert mail.outbox == []
    assert Enrollment.objects.count() == 0
    one_off.resume(one.pk, now=clock.now)
    play(clock)
    assert sent_to(everybody) == [True] * 3


def test_what_has_not_left_when_a_letter_is_cancelled_never_leaves(
    people: People, letter: Letter, clock: Clock
) -> None:
    people("anna", "boris", "chloe")
    one = confirmed(letter(), clock)
    choosing.OneOffLetters().run(clock.now, Any)  # type: ignore[arg-type]  # it asks nothing of its pulse
    clockwork.tick(clock.now, send=False)
    assert Dispatch.objects.filter(state="planned").count() == 3
    outbox.send_due(clock.now, limit=1)
    one_off.cancel(one.pk, now=clock.now)
    play(clock)
    assert len(mail.outbox) == 1
    assert Message.objects.filter(state="cancelled").count() == 2
    with pytest.raises(one_off.LetterProblems, match="cancelled"):
        one_off.resume(one.pk, now=clock.now)


@pytest.fixture
def missed(people: People, letter: Letter, clock: Clock) -> OneOffLetter:
    """Return a letter for whose time the engine stood still."""
    people("anna")
    one = confirmed(letter(send_at=clock.now + timedelta(hours=1)), clock)
    clock.forward("14h")
    play(clock)
    one.refresh_from_db()
    return one


def test_a_letter_for_whose_time_the_engine_stood_still_is_not_sent(missed: OneOffLetter) -> None:
    assert missed.state == LetterState.MISSED
    assert mail.outbox == []


def test_staff_are_told_for_a_day_of_a_letter_that_nobody_got(
    missed: OneOffLetter, clock: Clock
) -> None:
    watching.missed_letters(clock.now)
    alarm = Alarm.objects.get(key=f"one-off:{missed.pk}")
    assert missed.name in alarm.text
    assert alarm.cleared_at is None
    [trouble] = [
        found for found in troubles(clock.now, [], running=False) if found.place == Place.ONE_OFF
    ]
    assert trouble.text == alarm.text, "the dashboard says it too"
    clock.forward("2d")
    watching.missed_letters(clock.now)
    alarm.refresh_from_db()
    assert alarm.cleared_at is not None


def test_each_reader_gets_it_at_that_hour_of_their_own_day(
    people: People, letter: Letter, clock: Clock
) -> None:
    [tokyo] = people("aiko", time_zone="Asia/Tokyo")
    [berlin] = people("bernd", time_zone="Europe/Berlin")
    confirmed(letter(send_at=at("2030-01-09T09:00+00:00"), in_readers_time=True), clock)
    clock.to(at("2030-01-09T00:00:10+00:00"))
    play(clock)
    assert sent_to([tokyo, berlin]) == [True, False]
    clock.to(at("2030-01-09T08:00:10+00:00"))
    play(clock)
    assert sent_to([tokyo, berlin]) == [True, True]


def test_what_somebodys_act_began_leaves_before_a_letter_to_many(
    people: People, letter: Letter, clock: Clock
) -> None:
    people("anna", "boris", "chloe")
    [dmitri] = people("dmitri", tags=())
    confirmed(letter(), clock)
    choosing.OneOffLetters().run(clock.now, Any)  # type: ignore[arg-type]  # it asks nothing of its pulse
    clockwork.tick(clock.now, send=False)
    flow = factories.flow(
        {
            "flow": "fields",
            "trigger": {"kind": "contact_changed", "change": "tag_added"},
            "steps": [{"key": "hello", "kind": "send", "options": {"template": "harvest"}}],
        },
        clock=Clock(clock.now),
    )
    factories._describe(dmitri.pk, {}, ["new"], clock.now)
    clockwork.tick(clock.now, send=False)
    outbox.send_due(clock.now, limit=1)
    assert [one.to for one in mail.outbox] == [["dmitri@example.com"]]
    assert flow.key == "fields"


def test_a_reader_who_had_enough_letters_is_spared(
    people: People, letter: Letter, clock: Clock, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "FREQUENCY_CAPS": {"promotional": [{"most": 1, "within": "2d"}]},
    }
    [anna] = people("anna")
    confirmed(letter(), clock)
    play(clock)
    confirmed(letter(name="Second flush"), clock)
    play(clock)
    assert Message.objects.filter(contact=anna, state="sent").count() == 1
    assert Message.objects.exclude(state="sent").get().reason == "too_late_after_limit"


def test_the_guard_against_floods_lets_pass_what_was_confirmed(
    people: People, letter: Letter, clock: Clock, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "BLAST_LIMIT": 1}
    meant = people("anna", "boris", "chloe")
    one = confirmed(letter(), clock)
    play(clock)
    assert sent_to(meant) == [True] * 3
    assert one_off.definition_of(one, people=3).blast_limit == 106


def test_staff_and_test_addresses_get_no_letter(
    people: People, letter: Letter, clock: Clock, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "STAFF_ADDRESSES": ["boris@example.com", "shop.example"],
    }
    [anna, boris] = people("anna", "boris")
    confirmed(letter(), clock)
    play(clock)
    assert sent_to([anna, boris]) == [True, False]


def test_a_letter_without_a_template_or_with_a_past_hour_is_not_confirmed(
    letter: Letter, clock: Clock
) -> None:
    one = letter(template="none", segment="nobody", send_at=clock.now - timedelta(hours=1))
    with pytest.raises(one_off.LetterProblems) as caught:
        confirmed(one, clock)
    said = str(caught.value)
    assert "'none' is not published" in said
    assert "no segment 'nobody'" in said
    assert "has passed" in said
    assert flows.Flow.objects.count() == 0


def test_confirming_twice_sends_once(people: People, letter: Letter, clock: Clock) -> None:
    people("anna")
    one = letter()
    confirmed(one, clock)
    confirmed(one, clock)
    play(clock)
    assert len(mail.outbox) == 1
