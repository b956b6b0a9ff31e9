"""Editing a live flow: what becomes of people at every step, and going back to an older version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows, moving
from oscar_triggers.exceptions import TriggersError
from oscar_triggers.models import (
    Decision,
    Enrollment,
    EnrollmentState,
    ExitReason,
    Flow,
    FlowState,
    FlowVersion,
    Message,
    MessageState,
    Owner,
)

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Tick = Callable[[datetime], Any]
Expire = Callable[..., None]
Publish = Callable[..., FlowVersion]


def send(key: str) -> dict[str, Any]:
    """Return a Send step with a key of its own."""
    return {**SEND, "key": key}


def definition(*steps: dict[str, Any], **rest: Any) -> FlowDefinition:
    """Return the flow about gift cards with other steps."""
    return FlowDefinition.from_dict(
        {"flow": "gift-cards", "trigger": "gift_card_expiring", "steps": list(steps), **rest}
    )


BEFORE = (
    wait("wait-1", "1h"),
    send("letter-1"),
    wait("wait-2", "1d"),
    {
        "key": "ask",
        "kind": "branch",
        "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
        "branches": {"yes": [wait("wait-yes", "1d")], "no": [wait("wait-no", "1d")]},
    },
    wait("wait-3", "1d"),
    send("letter-3"),
)
#: wait-2 is gone, wait-no means something else, the branch is reordered, a letter is new.
AFTER = (
    wait("wait-1", "2h"),
    {
        "key": "ask",
        "kind": "branch",
        "options": {"condition": {"kind": "card_begins_with", "letters": "A"}},
        "branches": {"yes": [send("letter-1"), wait("wait-yes", "3d")], "no": [send("wait-no")]},
    },
    wait("wait-3", "1h"),
    send("letter-new"),
    send("letter-3"),
)


#: {where one stands: (code of the card, steps that were taken)}; each card is another enrollment.
STANDING = {
    "wait-1": ("A1", ()),
    "wait-2": ("A2", ("wait-1", "letter-1")),
    "wait-yes": ("A3", ("wait-1", "letter-1", "wait-2", "ask")),
    "wait-no": ("B4", ("wait-1", "letter-1", "wait-2", "ask")),
    "wait-3": ("A5", ("wait-1", "letter-1", "wait-2", "ask", "wait-yes")),
}


@pytest.fixture
def crowd(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> FlowVersion:
    """Let an enrollment stand at every Wait of the flow; all but the first have had letter-1."""
    version = publish_flow(*BEFORE)
    for key, (code, taken) in STANDING.items():
        if taken:
            expire(code=code, card=key, at=now)
    tick(now)
    tick(now + timedelta(hours=1, minutes=1))
    expire(code="A1", card="wait-1", at=now + timedelta(hours=1, minutes=1))
    tick(now + timedelta(hours=1, minutes=1))
    for key, (_code, taken) in STANDING.items():
        moved = Enrollment.objects.filter(about_id=key)
        assert moved.get().state == EnrollmentState.ACTIVE
        moved.update(step_key=key, passes=dict.fromkeys(taken, 1))
    assert letters() == {"letter-1": 4}
    return version


def letters() -> dict[str, int]:
    """Count the messages of each step."""
    counted: dict[str, int] = {}
    for key in Message.objects.values_list("step_key", flat=True):
        counted[key] = counted.get(key, 0) + 1
    return counted


def where() -> dict[str, tuple[str, int]]:
    """Return {card: (step, version number)} of those on their way."""
    return {
        row.about_id: (row.step_key, row.version.number)
        for row in Enrollment.objects.filter(state=EnrollmentState.ACTIVE).select_related("version")
    }


@pytest.fixture
def at(now: datetime) -> datetime:
    """Return the moment of the edit."""
    return now + timedelta(hours=1, minutes=2)


def test_the_preview_says_who_stands_where_and_where_each_would_go(
    crowd: FlowVersion, at: datetime
) -> None:
    preview = flows.migration_preview(crowd, definition(*AFTER), at)
    told = {line.step_key: line for line in preview.lines}
    assert {key: line.people for key, line in told.items() if line.people} == dict.fromkeys(
        STANDING, 1
    )
    assert {key: line.destination for key, line in told.items() if line.people} == {
        "wait-1": "wait-1",
        "wait-2": "ask",
        "wait-yes": "wait-yes",
        "wait-no": "wait-3",
        "wait-3": "wait-3",
    }
    assert [line.step_key for line in preview.lost] == ["wait-2", "wait-no"]
    assert told["wait-no"].kind_changed
    assert not told["wait-2"].kind_changed
    assert preview.outcome("keep") == moving.Moved(kept=5)
    assert preview.outcome("move") == moving.Moved(moved=5)
    assert preview.outcome("stop") == moving.Moved(stopped=5)
    # A preview writes nothing.
    assert {number for _step, number in where().values()} == {1}


@pytest.mark.parametrize("choice", ["keep", "move", "stop"])
def test_each_choice_does_what_the_preview_said(
    crowd: FlowVersion, at: datetime, choice: str
) -> None:
    preview = flows.migration_preview(crowd, definition(*AFTER), at)
    done = flows.publish_version(definition(*AFTER), owner=Owner.FILE, now=at, people=choice)
    assert done.people == preview.outcome(choice)
    if choice == "keep":
        assert where() == {key: (key, 1) for key in STANDING}
    elif choice == "move":
        told = {line.step_key: line.destination for line in preview.lines if line.people}
        assert where() == {key: (told[key], 2) for key in STANDING}
    else:
        assert where() == {}
        assert set(Enrollment.objects.values_list("exit_reason", flat=True)) == {
            ExitReason.CANCELLED
        }


def test_who_is_moved_gets_every_step_once_and_nobody_is_stranded(
    crowd: FlowVersion, at: datetime, tick: Tick
) -> None:
    flows.publish(definition(*AFTER), owner=Owner.FILE, now=at, people="move")
    for hour in range(0, 24 * 8, 3):
        tick(at + timedelta(hours=hour))
    assert not Enrollment.objects.exclude(state=EnrollmentState.ENDED).exists()
    assert set(Enrollment.objects.values_list("exit_reason", flat=True)) == {ExitReason.COMPLETED}
    by_card: dict[str, list[str]] = {}
    for card, key in Message.objects.order_by("pk").values_list("about_id", "step_key"):
        by_card.setdefault(card, []).append(key)
    # Whoever had letter-1 has it once, though it stands in a branch now.
    assert by_card == {
        "wait-1": ["letter-1", "letter-new", "letter-3"],
        "wait-2": ["letter-1", "letter-new", "letter-3"],
        "wait-yes": ["letter-1", "letter-new", "letter-3"],
        "wait-no": ["letter-1", "letter-new", "letter-3"],
        "wait-3": ["letter-1", "letter-new", "letter-3"],
    }
    assert len(mail.outbox) == 15


def test_who_is_kept_finishes_the_version_that_they_entered_with(
    crowd: FlowVersion, at: datetime, tick: Tick
) -> None:
    flows.publish(definition(*AFTER), owner=Owner.FILE, now=at)
    for hour in range(0, 24 * 8, 3):
        tick(at + timedelta(hours=hour))
    assert letters() == {"letter-1": 5, "letter-3": 5}


def test_the_length_of_a_wait_that_was_edited_counts_for_who_is_moved(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "30d"), send("letter"))
    expire(at=now)
    tick(now)
    later = now + timedelta(days=2)
    changed = definition(wait("pause", "1d"), send("letter"))
    flows.publish(changed, owner=Owner.FILE, now=later, people="move")
    tick(later)
    assert letters() == {"letter": 1}


def test_who_stands_after_the_last_surviving_step_comes_to_the_end_with_the_letter_on_its_way(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    version = publish_flow(send("letter"), wait("pause", "1d"))
    expire(at=now)
    tick(now)
    # As after a delay of the provider.
    Message.objects.update(state=MessageState.PLANNED)
    shorter = definition(send("letter"))
    preview = flows.migration_preview(version, shorter, now)
    assert preview.outcome("move") == moving.Moved(completed=1)
    assert [line.with_message for line in preview.lines if line.people] == [1]
    flows.publish(shorter, owner=Owner.FILE, now=now, people="move")
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED
    assert Message.objects.get().state == MessageState.PLANNED


def test_stopping_takes_back_letters_that_were_not_handed_over(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(send("letter"), wait("pause", "1d"))
    expire(at=now)
    tick(now)
    message = Message.objects.get()
    message.dispatches.update(state="retry", due_at=now + timedelta(hours=1))
    Message.objects.update(state=MessageState.PLANNED)
    sent = len(mail.outbox)
    flows.publish(definition(send("other")), owner=Owner.FILE, now=now, people="stop")
    assert Message.objects.get().state == MessageState.CANCELLED
    tick(now + timedelta(hours=2))
    assert len(mail.outbox) == sent


def test_who_is_held_goes_on_when_moved(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    version = publish_flow(wait("pause", "1d"), send("letter"))
    expire(at=now)
    tick(now)
    Enrollment.objects.update(state=EnrollmentState.HELD, crashes=4)
    later = now + timedelta(days=3)
    new = definition(send("letter"))
    assert [x.held for x in flows.migration_preview(version, new, later).lines if x.people] == [1]
    flows.publish(new, owner=Owner.FILE, now=later, people="move")
    tick(later)
    assert letters() == {"letter": 1}


def test_a_worker_that_leased_somebody_before_the_move_finds_them_taken_away(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1d"), send("letter"))
    expire(at=now)
    tick(now)
    Enrollment.objects.update(lease_owner="other", leased_until=now + timedelta(days=9), crashes=1)
    flows.publish(definition(send("first")), owner=Owner.FILE, now=now, people="move")
    row = Enrollment.objects.get()
    assert (row.lease_owner, row.leased_until, row.crashes) == ("", None, 0)


def test_who_was_kept_can_be_moved_later_by_publishing_the_same_text_again(
    crowd: FlowVersion, at: datetime
) -> None:
    flows.publish(definition(*AFTER), owner=Owner.FILE, now=at)
    again = flows.publish_version(definition(*AFTER), owner=Owner.FILE, now=at, people="move")
    assert (again.is_new, again.version.number, again.people.moved) == (False, 2, 5)


def test_rolling_back_makes_the_older_version_live_and_moves_people_back(
    crowd: FlowVersion, at: datetime, tick: Tick
) -> None:
    flows.publish(definition(*AFTER), owner=Owner.FILE, now=at, people="move")
    back = flows.rollback("gift-cards", now=at, people="move")
    assert back.version == crowd
    assert FlowVersion.objects.count() == 2
    assert Flow.objects.get().live_version == crowd
    for hour in range(0, 24 * 8, 3):
        tick(at + timedelta(hours=hour))
    assert letters() == {"letter-1": 5, "letter-3": 5}
    with pytest.raises(flows.NoSuchVersion, match="it has: 1, 2"):
        flows.rollback("gift-cards", 7, now=at)


def test_an_unknown_choice_is_refused_before_anything_is_written(
    publish_flow: Publish, now: datetime
) -> None:
    publish_flow(SEND)
    with pytest.raises(TriggersError, match="keep, move, stop"):
        flows.publish(definition(SEND, SEND), owner=Owner.FILE, now=now, people="teleport")
    assert FlowVersion.objects.count() == 1


def test_every_move_is_written_down_with_both_versions_and_steps(
    crowd: FlowVersion, at: datetime
) -> None:
    flows.publish(definition(*AFTER), owner=Owner.FILE, now=at, people="move")
    noted = Decision.objects.get(rule="publish", enrollment__about_id="wait-2")
    assert (noted.verdict, noted.compared) == (
        "moved",
        {"from_version": 1, "from_step": "wait-2", "to_version": 2, "to_step": "ask"},
    )
    assert Decision.objects.get(rule="publish", enrollment=None).compared == {
        "to_version": 2,
        "moved": 5,
    }


def test_editing_a_flow_that_stands_still_makes_nobody_punctual_again(
    publish_flow: Publish, expire: Expire, agreed: int, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1h"), send("letter"))
    expire(at=now)
    tick(now)
    flows.pause("gift-cards", now)
    due = Enrollment.objects.get().due_at
    later = now + timedelta(days=10)
    changed = definition(wait("pause", "1h"), send("letter"), send("letter-2"))
    flows.publish(changed, owner=Owner.FILE, now=later, people="move")
    assert Enrollment.objects.get().due_at == due
    assert Flow.objects.get().state == FlowState.PAUSED


def test_a_new_version_has_the_blast_guard_count_anew(publish_flow: Publish, now: datetime) -> None:
    publish_flow(SEND)
    flows.publish(definition(SEND), owner=Owner.FILE, now=now)
    assert Flow.objects.get().blast_since == now - timedelta(minutes=1)
    flows.publish(definition(send("other")), owner=Owner.FILE, now=now)
    assert Flow.objects.get().blast_since == now
