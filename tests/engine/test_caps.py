"""How often a person is written to, over all flows, and by how many workers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from oscar_triggers.engine import outbox
from oscar_triggers.models import (
    Assignment,
    Decision,
    Dispatch,
    DispatchState,
    Message,
    MessageState,
)
from oscar_triggers.policy import caps, holdouts
from oscar_triggers.policy.caps import Cap, Received, standing_with
from tests.engine.conftest import SEND

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def cap(settings: Any) -> Callable[..., None]:
    """Return a function that allows so many promotional messages within a time."""

    def allow(*told: dict[str, Any]) -> None:
        settings.OSCAR_TRIGGERS = {
            **settings.OSCAR_TRIGGERS,
            "FREQUENCY_CAPS": {"promotional": list(told)},
        }

    return allow


def test_the_next_may_go_when_the_oldest_leaves_its_day(now: datetime) -> None:
    told = (Cap(most=2, within=DAY), Cap(most=3, within=7 * DAY))
    got = [Received(message_id=n, moment=now - hours * HOUR) for n, hours in enumerate((90, 5, 2))]
    assert standing_with(told[:1], got, now).until == now - 5 * HOUR + DAY
    assert standing_with(told, got, now).until == now - 90 * HOUR + 7 * DAY
    assert standing_with(told[:1], got[:2], now).room == 1
    assert standing_with(told[:1], got, now, message_id=2).room == 1
    # At that very moment it may.
    assert standing_with(told[:1], got, now + 19 * HOUR).until is None
    assert standing_with(told[:1], got, now + 19 * HOUR - timedelta(microseconds=1)).until


def test_a_second_letter_of_the_day_waits_until_tomorrow(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    cap({"most": 1, "within": "1d"})
    publish_flow(SEND, max_lateness="3d")
    expire(card="1")
    tick(now)
    expire(card="2")
    tick(now + HOUR)
    assert len(mail.outbox) == 1
    second = Message.objects.get(state=MessageState.PLANNED)
    decision = Decision.objects.get(message=second, rule="frequency_cap")
    assert (decision.verdict, decision.reason) == ("postpone", "frequency_cap")
    assert decision.compared["count"] == 1
    assert decision.compared["most"] == 1
    due = Dispatch.objects.get(message=second).due_at
    assert abs(due - (now + DAY)) < timedelta(minutes=1)
    tick(due - timedelta(minutes=1))
    assert len(mail.outbox) == 1
    tick(due + timedelta(seconds=1))
    assert len(mail.outbox) == 2


def test_what_would_be_too_late_by_then_is_not_sent(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    cap({"most": 1, "within": "1d"})
    publish_flow(SEND, max_lateness="12h")
    expire(card="1")
    tick(now)
    expire(card="2")
    tick(now + HOUR)
    skipped = Message.objects.get(state=MessageState.SKIPPED)
    assert skipped.reason == "too_late_after_limit"
    compared = Decision.objects.get(message=skipped, verdict="skipped").compared
    assert {"until", "not_after", "limit"} <= set(compared)


def test_a_flow_may_drop_what_a_cap_holds_back(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    cap({"most": 1, "within": "1d"})
    publish_flow(SEND, max_lateness="3d", when_limited="drop")
    expire(card="1")
    tick(now)
    expire(card="2")
    tick(now + HOUR)
    assert Message.objects.get(state=MessageState.SKIPPED).reason == "frequency_cap"


def test_what_people_are_owed_is_never_capped(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    cap({"most": 1, "within": "1d"})
    publish_flow(SEND)
    publish_flow(SEND, key="receipts", stream="transactional")
    for card in ("1", "2"):
        expire(card=card)
        tick(now)
    states = Message.objects.values_list("stream", "state")
    assert sorted(states) == [
        ("promotional", "sent"),
        ("promotional", "skipped"),
        ("transactional", "sent"),
        ("transactional", "sent"),
    ]


def test_rehearsed_letters_do_not_count(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    cap({"most": 1, "within": "1d"})
    rehearsed = publish_flow(SEND, key="rehearsed").flow
    rehearsed.state = "shadow"
    rehearsed.save(update_fields=["state"])
    publish_flow(SEND, key="real")
    expire(card="1")
    tick(now)
    tick(now + timedelta(seconds=10))
    assert sorted(Message.objects.values_list("flow__key", "state")) == [
        ("real", "sent"),
        ("rehearsed", "shadowed"),
    ]


@pytest.mark.parametrize("important", ["first", "second"])
def test_of_two_flows_the_one_that_matters_more_goes(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
    important: str,
) -> None:
    cap({"most": 1, "within": "1d"})
    for key in ("first", "second"):
        publish_flow(SEND, key=key, priority=80 if key == important else 20, max_lateness="3d")
    expire()
    tick(now)
    tick(now + timedelta(seconds=10))
    sent = Message.objects.get(state=MessageState.SENT)
    waiting = Message.objects.get(state=MessageState.PLANNED)
    assert sent.flow is not None
    assert sent.flow.key == important
    yielded = Decision.objects.get(message=waiting, rule="priority")
    assert yielded.compared["its_priority"] == 80
    tick(now + DAY + HOUR)
    assert len(mail.outbox) == 2


def test_without_caps_nobody_waits_for_anybody(
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    publish_flow(SEND, key="first", priority=20)
    publish_flow(SEND, key="second", priority=80)
    expire()
    tick(now)
    assert len(mail.outbox) == 2


def test_a_paused_flow_holds_nobody_up(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    cap({"most": 1, "within": "1d"})
    important = publish_flow(SEND, key="important", priority=90).flow
    publish_flow(SEND, key="other", priority=10)
    expire()
    from oscar_triggers.engine import advancing, routing

    routing.route(now)
    advancing.advance(now)
    important.refresh_from_db()
    important.state = "paused"
    important.save(update_fields=["state"])
    tick(now)
    assert [one.flow.key for one in Message.objects.filter(state="sent") if one.flow] == ["other"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("most", [1, 2])
def test_two_workers_never_send_one_too_many(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    from oscar_triggers.engine import advancing, hand_over, routing

    cap({"most": most, "within": "1d"})
    flows = 4
    for number in range(flows):
        publish_flow(SEND, key=f"flow-{number}", max_lateness="3d")
    expire()
    routing.route(now)
    advancing.advance(now)
    ids = list(Dispatch.objects.values_list("pk", flat=True))
    assert len(ids) == flows
    # Everybody is judged before anybody marks, as when workers prepare at the same moment.
    monkeypatch.setattr("oscar_triggers.policy.rivals.due_for", lambda *args: {})
    start = threading.Barrier(flows)
    really = hand_over.hand_over

    def together(*args: Any, **rest: Any) -> int:
        start.wait(10)
        return really(*args, **rest)

    monkeypatch.setattr(hand_over, "hand_over", together)

    def work(pk: int) -> None:
        outbox.send_due(now, ids=[pk])
        connection.close()

    threads = [threading.Thread(target=work, args=[pk]) for pk in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Dispatch.objects.filter(state=DispatchState.SENT).count() == most
    assert Dispatch.objects.filter(state=DispatchState.PLANNED).count() == flows - most
    assert Decision.objects.filter(rule="frequency_cap", verdict="postpone").count() == (
        flows - most
    )


def test_the_statement_that_marks_counts_for_itself(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from oscar_triggers.policy import verdicts

    cap({"most": 1, "within": "1d"})
    publish_flow(SEND, max_lateness="3d")
    monkeypatch.setattr(verdicts, "_caps", lambda requests, now: [None] * len(requests))
    for card in ("1", "2"):
        expire(card=card)
        tick(now)
    assert len(mail.outbox) == 1
    held = Decision.objects.get(rule="frequency_cap")
    assert held.verdict == "postpone"


@pytest.mark.parametrize(
    "told",
    [
        {"transactional": []},
        {"promotional": [{"most": 0, "within": "1d"}]},
        {"promotional": [{"most": 1}]},
        {"promotional": [{"most": "1", "within": "1d"}]},
        {"promotional": [{"most": 1, "within": "soon"}]},
        [("promotional", 1)],
    ],
)
def test_caps_that_are_none_are_refused_by_name(told: Any, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "FREQUENCY_CAPS": told}
    with pytest.raises(ImproperlyConfigured, match="FREQUENCY_CAPS"):
        caps.check_setting()


# ── Holdout ──────────────────────────────────────────────────────────────────────────────────────


def test_half_of_the_people_are_held_and_stay_held(
    publish_flow: Callable[..., Any],
    agreed: int,
    now: datetime,
) -> None:
    arms = [holdouts.Draw(flow_id=1, contact_id=n, percent=50).arm for n in range(2_000)]
    assert 900 < arms.count("held") < 1_100
    flow = publish_flow(SEND).flow
    none = holdouts.Draw(flow_id=flow.pk, contact_id=agreed, percent=0)
    assert holdouts.arms_of([none], now)[flow.pk, agreed] == "in"
    all_ = holdouts.Draw(flow_id=flow.pk, contact_id=agreed, percent=100)
    assert holdouts.arms_of([all_], now)[flow.pk, agreed] == "in"


def test_who_is_held_gets_no_letter_and_a_reason(
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    flow = publish_flow(SEND, holdout=10).flow
    Assignment.objects.create(
        flow=flow, contact_id=agreed, name="holdout", arm="held", assigned_at=now
    )
    expire()
    tick(now)
    assert Message.objects.get().reason == "holdout"
    assert Decision.objects.get(rule="holdout").compared == {"percent": 10}


def test_settings_of_limits_that_are_none_are_told_by_the_checks(settings: Any) -> None:
    from oscar_triggers.checks import check_settings

    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "QUIET_HOURS": {"sms": "at night"},
        "FREQUENCY_CAPS": {"promotional": [{"most": "many", "within": "1d"}]},
        "INCENTIVE_EVERY": "30d",
    }
    told = [one.msg for one in check_settings() if one.id == "oscar_triggers.E058"]
    assert [key in text for key, text in zip(("QUIET", "FREQ", "INCENT"), told, strict=True)] == [
        True,
        True,
        True,
    ]


def test_a_flow_whose_hours_are_all_quiet_is_not_published(
    publish_flow: Callable[..., Any], settings: Any
) -> None:
    from oscar_triggers.exceptions import TriggersError

    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "QUIET_HOURS": {"email": ("20:00", "08:00")},
    }
    with pytest.raises(TriggersError, match="leaves no moment"):
        publish_flow(SEND, send_window={"from": "22:00", "until": "07:00"})
    publish_flow(SEND, send_window={"from": "22:00", "until": "08:15"})


def test_judging_costs_the_same_for_one_and_for_a_hundred(
    cap: Callable[..., None],
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    now: datetime,
) -> None:
    from django.test.utils import CaptureQueriesContext

    from oscar_triggers.engine import advancing, routing
    from oscar_triggers.policy import verdicts

    cap({"most": 3, "within": "1d"})
    publish_flow(SEND, holdout=5)
    expire()
    routing.route(now)
    advancing.advance(now)
    [message] = Message.objects.all()
    counts = []
    for size in (1, 100):
        requests = [
            verdicts.SendRequest(
                message_id=message.pk + count,
                contact_id=agreed,
                channel="email",
                point_hash=message.contact.points.get().point_hash if message.contact else "",
                stream="promotional",
                topic="offers",
                flow_id=message.flow_id,
                holdout=5,
            )
            for count in range(size)
        ]
        Assignment.objects.all().delete()
        with CaptureQueriesContext(connection) as asked:
            verdicts.judge_many(requests, now)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8
