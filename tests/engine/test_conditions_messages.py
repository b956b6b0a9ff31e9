"""What came of the messages of one way through a flow, asked for a whole batch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers import conditions
from oscar_triggers.builtin import conditions_messages
from oscar_triggers.checks import check_settings
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import contacts, enrollments, fields, flows, intake, segments
from oscar_triggers.models import (
    Contact,
    Dispatch,
    DispatchState,
    Enrollment,
    JournalEntry,
    Message,
    MessageItem,
    MessageState,
)
from oscar_triggers.shop.events import CheckoutStarted, OrderPlaced, about_order
from oscar_triggers.snapshots import About, Person, Subject

from .conftest import wait

HOUR = timedelta(hours=1)


@pytest.fixture
def anna(
    agreed: int,
    publish_flow: Callable[..., Any],
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> Enrollment:
    """Let Anna wait in a flow; her contact was not seen since."""
    publish_flow(wait("a", "20d"))
    expire()
    tick(now)
    Contact.objects.filter(pk=agreed).update(seen_at=now - 2 * HOUR)
    return Enrollment.objects.get()


def subject_of(enrollment: Enrollment) -> Subject:
    """Return the snapshot of an enrollment."""
    rows = list(
        Enrollment.objects.select_related("contact", "flow", "version").filter(pk=enrollment.pk)
    )
    return enrollments.snapshots_of(rows)[enrollment.pk]


def wrote(
    enrollment: Enrollment, at: datetime, *, step: str = "letter", state: str = "sent", **rest: Any
) -> Message:
    """Write a message of an enrollment that left at a moment."""
    message = Message.objects.create(
        idempotency_key=f"test:{Message.objects.count()}",
        contact_id=enrollment.contact_id,
        flow_id=enrollment.flow_id,
        step_key=step,
        stream="promotional",
        state=state,
        planned_at=at,
        due_at=at,
        not_after=at + HOUR,
        settled_at=at,
        **rest,
    )
    MessageItem.objects.create(message=message, enrollment=enrollment)
    Dispatch.objects.create(
        message=message, channel="email", due_at=at, state=DispatchState.SENT, settled_at=at
    )
    return message


def ask(kind: str, enrollment: Enrollment, now: datetime, **options: Any) -> Any:
    """Return the verdict for one enrollment."""
    question = conditions.from_options({"kind": kind, **options})
    [verdict] = question.holds_many([subject_of(enrollment)], now)
    return verdict


def test_before_a_message_left_nothing_is_known_of_it(anna: Enrollment, now: datetime) -> None:
    wrote(anna, now, state=MessageState.PLANNED)
    for kind in ("message_delivered", "message_clicked", "message_opened"):
        verdict = ask(kind, anna, now)
        assert not verdict.holds
        assert verdict.compared == {"step": "", "message": None}


def test_a_message_counts_as_delivered_until_it_comes_back(anna: Enrollment, now: datetime) -> None:
    message = wrote(anna, now)
    assert ask("message_delivered", anna, now).holds
    assert not ask("message_delivered", anna, now, confirmed=True).holds
    Dispatch.objects.update(feedback="delivered", delivered_at=now)
    assert ask("message_delivered", anna, now, confirmed=True).holds
    Dispatch.objects.update(feedback="bounced")
    verdict = ask("message_delivered", anna, now)
    assert not verdict.holds
    assert verdict.compared["message"] == message.pk
    assert verdict.compared["feedback"] == ["bounced"]


def test_the_last_message_is_asked_unless_a_step_is_named(anna: Enrollment, now: datetime) -> None:
    wrote(anna, now, step="one", clicked_at=now + HOUR)
    wrote(anna, now + 2 * HOUR, step="two")
    assert not ask("message_clicked", anna, now + 3 * HOUR).holds
    assert ask("message_clicked", anna, now + 3 * HOUR, step="one").holds
    assert not ask("message_clicked", anna, now + 3 * HOUR, step="three").holds


def test_an_opened_message_says_that_nobody_can_rely_on_it(anna: Enrollment, now: datetime) -> None:
    wrote(anna, now)
    Dispatch.objects.update(opened_at=now + HOUR)
    verdict = ask("message_opened", anna, now + HOUR)
    assert verdict.holds
    assert verdict.compared["unreliable"] is True
    condition = conditions.registry.get("message_opened")
    assert "nreliable" in str(condition.label)
    # Opened by a mailbox is no reaction of a person.
    assert ask("no_reaction", anna, now + HOUR).holds


def visit(anna: Enrollment, at: datetime) -> None:
    """Let Anna begin a checkout."""
    intake.record(
        CheckoutStarted(basket_id=5),
        contact=anna.contact_id,
        about=About(type="basket", id="5"),
        occurred_at=at,
    )
    JournalEntry.objects.filter(kind="checkout_started").update(contact_id=anna.contact_id)


def test_a_visit_counts_since_the_message(anna: Enrollment, now: datetime) -> None:
    visit(anna, now + HOUR)
    wrote(anna, now + 2 * HOUR)
    assert not ask("visited", anna, now + 3 * HOUR).holds
    assert ask("no_reaction", anna, now + 3 * HOUR).holds
    JournalEntry.objects.filter(kind="checkout_started").update(occurred_at=now + 3 * HOUR)
    verdict = ask("visited", anna, now + 4 * HOUR)
    assert verdict.holds
    assert verdict.compared["sign"] == "acts"
    assert not ask("no_reaction", anna, now + 4 * HOUR).holds


def test_without_a_message_a_visit_counts_since_the_entry(anna: Enrollment, now: datetime) -> None:
    visit(anna, now - HOUR)
    assert not ask("visited", anna, now + HOUR).holds
    JournalEntry.objects.filter(kind="checkout_started").update(
        occurred_at=now + timedelta(minutes=9)
    )
    assert ask("visited", anna, now + HOUR).holds


def test_what_a_sweep_or_staff_do_is_no_visit(
    anna: Enrollment, tick: Callable[..., Any], expire: Callable[..., None], now: datetime
) -> None:
    wrote(anna, now + HOUR)
    expire(code="B2", card="8")
    fields.set_field_many([anna.contact_id], "size", "M", now + 2 * HOUR)
    tick(now + 3 * HOUR)
    assert not ask("visited", anna, now + 4 * HOUR).holds
    assert ask("no_reaction", anna, now + 4 * HOUR).holds


def test_a_persons_click_is_a_reaction_and_a_visit(anna: Enrollment, now: datetime) -> None:
    wrote(anna, now + HOUR, clicked_at=now + 2 * HOUR)
    assert ask("visited", anna, now + 3 * HOUR).compared["sign"] == "click"
    verdict = ask("no_reaction", anna, now + 3 * HOUR)
    assert not verdict.holds
    assert verdict.compared["clicked_at"] == now + 2 * HOUR


def test_an_order_is_a_reaction_also_as_a_guest_with_the_same_address(
    anna: Enrollment, tick: Callable[..., Any], now: datetime
) -> None:
    wrote(anna, now + HOUR)
    assert ask("no_reaction", anna, now + 2 * HOUR).holds
    [stranger] = contacts.resolve_many([(Person(phone="+4930123456"), None)], now)
    assert stranger is not None
    intake.record(
        OrderPlaced(number="100"),
        person=Person(email="ANNA@example.com"),
        about=about_order("100"),
        occurred_at=now + 2 * HOUR,
    )
    tick(now + 2 * HOUR)
    verdict = ask("no_reaction", anna, now + 3 * HOUR)
    assert not verdict.holds
    assert verdict.compared["ordered_at"] == now + 2 * HOUR


def test_a_batch_costs_the_queries_of_one(anna: Enrollment, now: datetime) -> None:
    wrote(anna, now + HOUR)
    ids = contacts.resolve_many(
        [(Person(email=f"p{number}@example.com"), None) for number in range(40)], now
    )
    Enrollment.objects.bulk_create(
        [
            Enrollment(
                flow_id=anna.flow_id,
                version_id=anna.version_id,
                contact_id=pk,
                episode_key=f"gift_card:{pk}",
                clock_at=now,
                entered_at=now,
            )
            for pk in ids
            if pk is not None
        ]
    )
    rows = list(Enrollment.objects.select_related("contact", "flow", "version").order_by("pk"))
    for row in rows[1:]:
        wrote(row, now + HOUR)
    everybody = list(enrollments.snapshots_of(rows).values())
    for options in (
        {"kind": "no_reaction"},
        {"kind": "visited"},
        {"kind": "message_delivered"},
        {"kind": "contact_field", "name": "size", "comparison": "is_set"},
        {"kind": "has_tag", "tag": "vip"},
        {"kind": "any", "of": [{"kind": "no_reaction"}, {"kind": "has_tag", "tag": "vip"}]},
    ):
        question = conditions.from_options(options)
        counted = []
        for people in (everybody[:1], everybody):
            with CaptureQueriesContext(connection) as captured:
                verdicts = question.holds_many(people, now + 2 * HOUR)
            assert len(verdicts) == len(people)
            counted.append(len(captured))
        assert counted[0] == counted[1], options


def test_people_at_the_door_are_told_apart(agreed: int, now: datetime) -> None:
    """At entry nobody has a number of an enrollment yet: all have 0."""
    [other] = contacts.resolve_many([(Person(email="b@example.com"), None)], now - HOUR)
    assert other is not None
    Contact.objects.update(seen_at=now - 5 * HOUR)
    Contact.objects.filter(pk=agreed).update(seen_at=now + HOUR)
    people = [
        Subject(
            enrollment_id=0, flow_id=1, flow_key="a", contact_id=pk, user_id=None,
            about=About(type="", id=""), entered_at=now, clock_at=now,
        )
        for pk in (agreed, other)
    ]  # fmt: skip
    answers = conditions.from_options({"kind": "no_reaction"}).holds_many(people, now + 2 * HOUR)
    assert [answer.holds for answer in answers] == [False, True]


# ── Segments ─────────────────────────────────────────────────────────────────────────────────────

SEGMENTS = {
    "vip": {"label": "VIPs", "conditions": [{"kind": "has_tag", "tag": "vip"}]},
    "english-vip": {
        "conditions": [
            {"kind": "in_segment", "segment": "vip"},
            {"kind": "speaks", "language": "en"},
        ]
    },
}


def test_a_segment_is_asked_with_all_that_it_compared(
    anna: Enrollment, settings: Any, now: datetime
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SEGMENTS": SEGMENTS}
    assert not ask("in_segment", anna, now, segment="english-vip").holds
    fields.add_tag_many([anna.contact_id], "vip", now)
    verdict = ask("in_segment", anna, now, segment="english-vip")
    assert verdict.holds
    assert verdict.compared["segment"] == "english-vip"
    vip, _english = verdict.compared["of"]
    assert vip["compared"]["of"][0]["compared"] == {"tag": "vip", "has_tag": True}


@pytest.mark.parametrize(
    "written",
    [
        ["vip"],
        {"VIP!": {"conditions": [{"kind": "is_customer"}]}},
        {"vip": [{"kind": "is_customer"}]},
        {"vip": {"conditions": []}},
        {"vip": {"conditions": [{"kind": "is_customer"}], "colour": "red"}},
        {"vip": {"conditions": [{"kind": "has_tag"}]}},
        {"vip": {"conditions": [{"kind": "no_such_kind"}]}},
        {"vip": {"conditions": [{"kind": "in_segment", "segment": "gone"}]}},
        {"vip": {"conditions": [{"kind": "in_segment", "segment": "vip"}]}},
        {
            "a": {"conditions": [{"kind": "not", "of": [{"kind": "in_segment", "segment": "b"}]}]},
            "b": {"conditions": [{"kind": "in_segment", "segment": "a"}]},
        },
    ],
)
def test_a_segment_that_cannot_be_is_refused_by_name(settings: Any, written: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SEGMENTS": written}
    with pytest.raises(ImproperlyConfigured, match="SEGMENTS"):
        segments.check_settings()
    refusals = ("oscar_triggers.E001", "oscar_triggers.E057")
    [error] = [one for one in check_settings() if one.id in refusals]
    assert "SEGMENTS" in error.msg


def test_another_app_may_bring_segments(anna: Enrollment, now: datetime) -> None:
    def from_a_table() -> dict[str, segments.Segment]:
        asked = ({"kind": "has_tag", "tag": "sailor"},)
        return {"sailors": segments.Segment(key="sailors", label="Sailors", conditions=asked)}

    segments.source(from_a_table)
    try:
        fields.add_tag_many([anna.contact_id], "sailor", now)
        assert ask("in_segment", anna, now, segment="sailors").holds
    finally:
        segments._sources.remove(from_a_table)


def test_a_question_about_a_step_that_is_not_there_is_named(db: None) -> None:
    question = {"kind": "not", "of": [{"kind": "visited", "step": "letter-9"}]}
    definition = FlowDefinition.from_dict(
        {
            "flow": "a",
            "trigger": "gift_card_expiring",
            "steps": [
                {"key": "came", "kind": "branch", "options": {"condition": question}},
            ],
        }
    )
    [problem] = conditions_messages.asked_steps_exist(definition)
    assert problem.where == "steps › came › not › 1"
    assert "letter-9" in problem.message
    assert problem in flows.check(definition)
