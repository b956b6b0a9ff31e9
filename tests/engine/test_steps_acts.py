"""Steps that choose by chance, change the contact, tell staff, or lead into another flow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from oscar_triggers import signals
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import contacts, flows, splitting
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.models import (
    Assignment,
    Contact,
    ContactTag,
    Decision,
    Enrollment,
    ExitReason,
    Flow,
    FlowState,
    FlowVersion,
    Message,
    VoucherGrant,
)
from oscar_triggers.snapshots import Person
from sandbox.shop_extras.triggers import RingTheBell

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

Publish = Callable[..., FlowVersion]
Tell = Callable[..., None]
Tick = Callable[[datetime], Any]

RING = {"key": "ring", "kind": "ring_the_bell"}


def split(weights: dict[str, int], **branches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a Split step whose key is "test"."""
    return {"key": "test", "kind": "split", "options": {"weights": weights}, "branches": branches}


def crowd(expire: Tell, first: int, last: int) -> None:
    """Let many people be told of a gift card of theirs."""
    for number in range(first, last):
        expire(card=str(number), who=Person(email=f"p{number}@example.com"))


def test_a_split_shares_people_out_and_each_stays_in_their_arm(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(split({"a": 70, "b": 30}))
    crowd(expire, 0, 100)
    tick(now)
    arms = dict(Assignment.objects.values_list("contact_id", "arm"))
    assert len(arms) == 100
    assert 50 < list(arms.values()).count("a") < 90
    # Other weights, one of them 0: nobody who has an arm is moved.
    publish_flow(split({"a": 0, "b": 0, "c": 1}))
    for number in range(100):
        expire(card=f"again-{number}", who=Person(email=f"p{number}@example.com"))
    expire(card="new", who=Person(email="new@example.com"))
    tick(now + timedelta(minutes=1))
    assert Enrollment.objects.count() == 201
    later = dict(Assignment.objects.values_list("contact_id", "arm"))
    assert {pk: arm for pk, arm in later.items() if pk in arms} == arms
    assert [arm for pk, arm in later.items() if pk not in arms] == ["c"]
    again = Decision.objects.filter(rule="test", enrollment__about_id__startswith="again-")
    assert {d.enrollment.contact_id: d.verdict for d in again.select_related("enrollment")} == arms


def test_two_workers_give_one_person_one_arm(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    flow = publish_flow(split({"a": 1, "b": 1})).flow
    [pk] = contacts.resolve_many([(Person(email="anna@example.com"), None)], now)
    assert pk is not None
    mine = splitting.assign_many(flow.pk, flow.key, "test", [pk], {"a": 1}, now)
    # The other one read before the first wrote, and has other weights.
    assert splitting.assign_many(flow.pk, flow.key, "test", [pk], {"b": 1}, now) == mine


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": -1, "b": 3}, {"z": 1}, {"a": 1.5}])
def test_weights_that_divide_nobody_are_refused(
    weights: dict[str, Any], publish_flow: Publish
) -> None:
    with pytest.raises(DefinitionError, match="weights"):
        publish_flow(split(weights))


def test_a_message_knows_the_arms_that_led_to_it(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, agreed: int
) -> None:
    publish_flow(split({"b": 1}, b=[SEND]))
    expire()
    tick(now)
    assert Message.objects.get().variants == {"test": "b"}


def test_a_field_and_a_tag_are_changed_and_the_shop_can_listen(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(
        {"key": "when", "kind": "update",
         "options": {"change": "set", "name": "last_card", "value": "{today}"}},
        {"key": "tag", "kind": "update", "options": {"change": "add_tag", "name": "carded"}},
    )  # fmt: skip
    expire(who=Person(email="anna@example.com", time_zone="UTC"))
    tick(now)
    contact = Contact.objects.get()
    assert contact.fields == {"last_card": now.date().isoformat()}
    assert ContactTag.objects.get().tag == "carded"


def test_a_rehearsal_changes_nothing_and_tells_nobody(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(
        {"key": "tag", "kind": "update", "options": {"change": "add_tag", "name": "carded"}},
        {"key": "tell", "kind": "notify", "options": {"to": ["staff@example.com"], "subject": "Hm"}},
        {"key": "gift", "kind": "voucher",
         "options": {"voucher": {"percent": 10, "valid": "7d"}}, "branches": {"granted": [RING]}},
    )  # fmt: skip
    Flow.objects.update(state=FlowState.SHADOW)
    RingTheBell.rung.clear()
    expire()
    tick(now)
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED
    assert len(RingTheBell.rung) == 1
    assert (ContactTag.objects.count(), mail.outbox) == (0, [])


def test_a_voucher_is_granted_once_to_a_person_in_a_month(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime, settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "INCENTIVE_EVERY": timedelta(days=30)}
    publish_flow(
        {"key": "gift", "kind": "voucher",
         "options": {"voucher": {"percent": 10, "valid": "7d"}},
         "branches": {"granted": [RING], "not_granted": []}},
        wait("pause", "1d"),
    )  # fmt: skip
    RingTheBell.rung.clear()
    expire(card="1")
    tick(now)
    expire(card="2")
    tick(now + timedelta(minutes=1))
    first, second = Enrollment.objects.order_by("pk")
    assert RingTheBell.rung == [first.contact_id]
    assert VoucherGrant.objects.get().enrollment_id == first.pk
    decisions = Decision.objects.filter(rule="gift").order_by("pk")
    assert [d.verdict for d in decisions] == ["granted", "not_granted"]
    assert decisions.filter(enrollment=second).get().compared["reason"] == "incentive_limit"


NOTIFY = {
    "key": "tell",
    "kind": "notify",
    "options": {
        "to": ["staff@example.com"],
        "subject": "Card of {contact}",
        "text": "{flow} {step} {about}",
    },
}


@pytest.fixture
def staff_mail(settings: Any) -> list[Any]:
    """Let letters to staff arrive in a list."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []
    return mail.outbox


def test_staff_are_told_once_by_mail_and_signal(
    publish_flow: Publish,
    expire: Tell,
    tick: Tick,
    now: datetime,
    staff_mail: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[str] = []

    def hear(text: str, **_rest: Any) -> None:
        told.append(text)

    signals.staff_notified.connect(hear)
    try:
        publish_flow(NOTIFY, wait("pause", "1d"))
        expire()
        with django_capture_on_commit_callbacks(execute=True):
            tick(now)
            tick(now + timedelta(minutes=1))
    finally:
        signals.staff_notified.disconnect(hear)
    [letter] = staff_mail
    assert letter.subject == f"Card of {Contact.objects.get().pk}"
    assert (letter.body, told) == ("gift-cards tell gift_card:7", ["gift-cards tell gift_card:7"])
    assert "anna" not in letter.message().as_string().lower()


def test_people_move_on_when_the_mail_of_staff_is_down(
    publish_flow: Publish,
    expire: Tell,
    tick: Tick,
    now: datetime,
    settings: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    publish_flow(NOTIFY, RING)
    RingTheBell.rung.clear()
    expire()
    with django_capture_on_commit_callbacks(execute=True):
        tick(now)
    assert len(RingTheBell.rung) == 1
    assert Enrollment.objects.get().exit_reason == ExitReason.COMPLETED


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": ["nobody"], "subject": "x"}, "nobody"),
        ({"to": ["a@example.com"]}, "subject"),
        ({"text": "{email}"}, "email"),
        ({"to": ["a@example.com"], "subject": "x\ny"}, "one line"),
    ],
)
def test_a_notice_that_cannot_be_sent_is_refused(
    options: dict[str, Any], said: str, publish_flow: Publish
) -> None:
    with pytest.raises(DefinitionError, match=said):
        publish_flow({"key": "tell", "kind": "notify", "options": options})


def jump(key: str) -> dict[str, Any]:
    """Return a Jump step."""
    return {"key": "jump", "kind": "jump", "options": {"flow": key}}


def test_a_jump_ends_one_flow_and_begins_another_about_the_same_thing(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    RingTheBell.rung.clear()
    publish_flow(wait("never", "300d"), key="target", trigger="gift_card_expiring",
                 stay=[{"kind": "card_begins_with", "letters": "A"}])  # fmt: skip
    target = Flow.objects.get()
    Flow.objects.update(trigger_kind="nothing")
    publish_flow({**jump("target"), "key": "go"})
    expire(code="A1")
    tick(now)
    source = Enrollment.objects.exclude(flow=target).get()
    begun = Enrollment.objects.get(flow=target)
    assert source.exit_reason == ExitReason.MOVED
    assert (begun.episode_key, begun.payload["code"]) == (source.episode_key, "A1")
    assert begun.due_at == now + timedelta(days=300)
    assert begun.decisions.get(verdict="entered").compared["from_enrollment"] == source.pk


def test_flows_that_jump_in_a_ring_end(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(RING, key="one")
    publish_flow(jump("one"), key="two")
    publish_flow(jump("two"), key="one")
    RingTheBell.rung.clear()
    expire()
    tick(now)
    assert Enrollment.objects.count() == 2
    assert set(Enrollment.objects.values_list("exit_reason", flat=True)) == {ExitReason.MOVED}


def test_the_rules_of_entry_hold_for_those_who_jump(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(wait("pause", "1d"), key="target", reentry="never")
    Flow.objects.update(trigger_kind="nothing")
    publish_flow(jump("target"), key="source")
    expire(card="1")
    tick(now)
    expire(card="2")
    tick(now + timedelta(minutes=1))
    assert Enrollment.objects.filter(flow__key="target").count() == 1
    second = Enrollment.objects.get(flow__key="source", about_id="2")
    assert second.exit_reason == ExitReason.MOVED
    assert second.decisions.get(rule="jump").compared["not_entered"] == "reentry"


def test_a_jump_to_a_flow_that_does_not_run_fails_and_says_so(
    publish_flow: Publish, expire: Tell, tick: Tick, now: datetime
) -> None:
    publish_flow(RING, key="target")
    publish_flow(jump("target"), key="source")
    flows.pause("target", now - timedelta(seconds=30))
    expire()
    tick(now)
    row = Enrollment.objects.get()
    assert row.exit_reason == ExitReason.FAILED
    assert row.decisions.get(rule="jump").compared == {"flow": "target", "state": "paused"}


@pytest.mark.parametrize(
    ("target", "said"), [("gift-cards", "itself"), ("nowhere", "not published")]
)
def test_a_jump_that_leads_nowhere_is_not_published(
    target: str, said: str, publish_flow: Publish
) -> None:
    with pytest.raises(DefinitionError, match=said):
        publish_flow(jump(target))


def test_a_jump_to_a_flow_about_something_else_is_not_published(
    publish_flow: Publish, now: datetime
) -> None:
    definition = FlowDefinition.from_dict(
        {"flow": "orders", "trigger": "order_placed", "stream": "transactional",
         "steps": [wait("pause", "1d")]}
    )  # fmt: skip
    flows.publish(definition, owner="file", now=now)
    with pytest.raises(DefinitionError, match="about 'order'"):
        publish_flow(jump("orders"))
