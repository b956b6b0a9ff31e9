"""What providers report: once each, in any order, with what follows from it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent, tracking
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_triggers import signals
from oscar_triggers.engine import attribution, clicks, clockwork, contacts, intake, returns, wearing
from oscar_triggers.models import (
    Alarm,
    ConsentEvent,
    Contact,
    Conversion,
    Dispatch,
    DispatchState,
    Enrollment,
    Feedback,
    JournalEntry,
    Message,
    MessageState,
    ProviderReport,
    Suppression,
    SuppressionReason,
    point_hash,
)
from oscar_triggers.policy.bounces import Weight, weigh
from oscar_triggers.shop.events import OrderPlaced
from oscar_triggers.snapshots import About, Person
from tests.engine.conftest import SEND, wait

pytestmark = pytest.mark.django_db
ANNA = "anna@example.com"


@pytest.fixture
def sent(
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    now: datetime,
) -> Dispatch:
    """Return the dispatch of a letter that left; its reader waits for the next."""
    publish_flow(SEND, wait("wait", "30d"), {**SEND, "key": "letter-2"})
    expire()
    clockwork.tick(now)
    dispatch = Dispatch.objects.select_related("message").get()
    assert dispatch.state == DispatchState.SENT
    return dispatch


def report(dispatch: Dispatch, kind: str, at: datetime, **more: Any) -> returns.ProviderEvent:
    return returns.ProviderEvent(
        provider="Test ESP",
        kind=kind,
        occurred_at=at,
        public_id=dispatch.message.public_id,
        point=ANNA,
        **more,
    )


def told(dispatch: Dispatch) -> tuple[str, bool, bool]:
    dispatch.refresh_from_db()
    return dispatch.feedback, dispatch.delivered_at is not None, dispatch.opened_at is not None


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_repetitions_are_one_report(sent: Dispatch, now: datetime) -> None:
    event = report(sent, "delivered", now, event_id="e-1")
    counts = [returns.take_many([event, event], now) for _ in range(50)]
    assert sum(counts) == 1
    assert ProviderReport.objects.count() == 1
    nameless = replace(event, event_id="", kind="opened")
    assert [returns.take_many([nameless], now) for _ in range(3)] == [1, 0, 0]


def test_one_notification_about_two_people_is_two_reports(sent: Dispatch, now: datetime) -> None:
    event = report(sent, "bounced", now, event_id="e-1")
    other = replace(event, point="bert@example.com")
    assert returns.take_many([event, other], now) == 2


def test_whatever_the_order_the_end_is_the_same(sent: Dispatch, now: datetime) -> None:
    kinds = ["deferred", "delivered", "opened", "bounced"]
    ends = set()
    for order in itertools.permutations(kinds):
        ProviderReport.objects.all().delete()
        Dispatch.objects.update(feedback="", delivered_at=None, opened_at=None)
        for place, kind in enumerate(order):
            moment = now + timedelta(seconds=kinds.index(kind))
            returns.take_many([report(sent, kind, moment)], now + timedelta(minutes=place + 1))
        ends.add(told(sent))
    assert ends == {(Feedback.BOUNCED.value, False, True)}


def test_a_complaint_stands_above_all_and_nothing_takes_it_back(
    sent: Dispatch, now: datetime
) -> None:
    for kind in ("complained", "delivered", "clicked", "opened"):
        returns.take_many([report(sent, kind, now)], now)
    assert told(sent) == ("complained", True, True)


def test_a_message_is_found_by_our_id_first_and_by_the_providers_second(
    sent: Dispatch, now: datetime
) -> None:
    Dispatch.objects.update(provider_id="esp-7")
    event = report(sent, "delivered", now)
    returns.take_many([replace(event, public_id="", provider_id="esp-7")], now)
    returns.take_many([replace(event, public_id="nonsense", provider_id="nothing")], now)
    assert list(ProviderReport.objects.order_by("pk").values_list("dispatch_id", flat=True)) == [
        sent.pk,
        None,
    ]
    assert told(sent)[0] == "delivered"


def test_words_that_mean_nothing_to_us_are_left_out(sent: Dispatch, now: datetime) -> None:
    for kind in ("autoresponded", "subscribed", "unknown", "inbound", "x" * 100):
        assert returns.take_many([report(sent, kind, now)], now) == 0
    assert not ProviderReport.objects.exists()


def test_queries_are_the_same_for_one_report_and_for_two_hundred(
    sent: Dispatch, now: datetime
) -> None:
    def cost(number: int, tag: str) -> int:
        events = [
            report(sent, kind, now, event_id=f"{tag}-{place}")
            for place in range(number)
            for kind in ("delivered", "opened")
        ]
        with CaptureQueriesContext(connection) as queries:
            assert returns.take_many(events, now) == 2 * number
        return len(queries)

    assert cost(100, "many") == cost(1, "few")


def test_reports_hold_no_address(sent: Dispatch, now: datetime) -> None:
    tell(sent, "bounced", mta_response=f"550 5.1.1 <{ANNA}> unknown", description=f"to {ANNA}")
    row = ProviderReport.objects.get()
    assert "anna" not in f"{row.detail} {row.dedup_key} {row.reason}".lower()
    assert row.point_hash == point_hash("email", ANNA)


def test_others_hear_of_what_is_new_once(
    sent: Dispatch, now: datetime, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[tuple[Any, ...]] = []

    def feedback(**a: Any) -> None:
        heard.append((a["dispatch_id"], a["kind"], a["reason"]))

    def suppressed(**a: Any) -> None:
        heard.append((a["channel"], a["reason"]))

    signals.feedback_received.connect(feedback)
    signals.point_suppressed.connect(suppressed)
    try:
        for _ in range(3):
            with django_capture_on_commit_callbacks(execute=True):
                tell(sent, "complained", event_id="c")
    finally:
        signals.feedback_received.disconnect(feedback)
        signals.point_suppressed.disconnect(suppressed)
    assert sorted(heard, key=str) == sorted(
        [(sent.pk, "complained", ""), ("email", "complaint")], key=str
    )


# ── Anymail ──────────────────────────────────────────────────────────────────────────────────────


def tell(dispatch: Dispatch | None, kind: str, **more: Any) -> None:
    """Say through Anymail's signal what a provider says."""
    fields: dict[str, Any] = {
        "event_type": kind,
        "timestamp": datetime.now(UTC),
        "event_id": None,
        "esp_event": {},
        "recipient": ANNA,
        "message_id": None,
        "metadata": {"message": dispatch.message.public_id} if dispatch is not None else {},
        **more,
    }
    tracking.send(sender=object, event=AnymailTrackingEvent(**fields), esp_name="Test ESP")


def suppressed() -> list[str]:
    return list(Suppression.objects.values_list("reason", flat=True))


@pytest.mark.parametrize(
    "said",
    [
        {"event_type": "bounced", "reject_reason": "bounced"},
        {"event_type": "bounced", "reject_reason": "invalid"},
        {"event_type": "rejected", "reject_reason": "invalid"},
        {"event_type": "bounced", "mta_response": "550 5.1.1 no such user"},
        {"event_type": "bounced", "reject_reason": "other", "mta_response": "550 User unknown"},
    ],
)
def test_who_does_not_exist_is_never_written_to_again_and_leaves_at_once(
    sent: Dispatch, said: dict[str, Any]
) -> None:
    kind = said.pop("event_type")
    tell(sent, kind, **said)
    assert suppressed() == [SuppressionReason.BOUNCE]
    assert Enrollment.objects.get().exit_reason == "unsubscribed"


def test_who_complains_is_never_written_to_again(sent: Dispatch) -> None:
    tell(sent, "complained", reject_reason="spam")
    assert suppressed() == [SuppressionReason.COMPLAINT]
    assert Enrollment.objects.get().exit_reason == "unsubscribed"


@pytest.mark.parametrize(
    "said",
    [
        {"reject_reason": "spam"},
        {"reject_reason": "blocked"},
        {"reject_reason": "timed_out"},
        {"reject_reason": "bounced", "mta_response": "550 5.7.1 rejected by policy"},
        {"reject_reason": "bounced", "mta_response": "554 5.7.515 Access denied"},
        {"reject_reason": "other", "description": "554 message looks like spam"},
        {"event_type": "rejected", "reject_reason": "blocked"},
        {"event_type": "failed", "description": "template error"},
    ],
)
def test_who_is_refused_by_rule_stays_where_they_are(sent: Dispatch, said: dict[str, Any]) -> None:
    kind = said.pop("event_type", "bounced")
    for number in range(30):
        tell(sent, kind, event_id=str(number), timestamp=datetime(2026, 1, 1 + number, tzinfo=UTC),
             **said)  # fmt: skip
    assert suppressed() == []
    assert Enrollment.objects.get().state == "active"


def test_staff_hear_of_many_refusals_by_rule(sent: Dispatch) -> None:
    for number in range(returns.POLICY_ALARM - 1):
        tell(sent, "bounced", event_id=str(number), reject_reason="spam")
    assert not Alarm.objects.exists()
    tell(sent, "bounced", event_id="last", reject_reason="blocked")
    assert Alarm.objects.get().key == "policy:Test ESP"


@pytest.mark.parametrize(
    "said",
    [
        {"mta_response": "552 5.2.2 mailbox full"},
        {"mta_response": "452 4.2.2 over quota"},
        {"reject_reason": "bounced", "esp_event": {"Type": "SoftBounce"}},
        {"reject_reason": "bounced", "esp_event": {"bounce": {"bounceType": "Transient"}}},
        {"reject_reason": "bounced", "esp_event": {"event": "bounce", "hard_bounce": False}},
        {"event_type": "deferred"},
    ],
)
def test_a_mailbox_that_is_full_for_a_week_is_given_up(
    sent: Dispatch, said: dict[str, Any], settings: Any
) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "SOFT_BOUNCES": (4, timedelta(days=6))}
    kind = said.pop("event_type", "bounced")
    for day in (1, 2, 3, 4, 5, 6):
        tell(sent, kind, timestamp=datetime(2026, 3, day, 12, tzinfo=UTC), **said)
        assert suppressed() == [], "too soon to say"
    tell(sent, kind, timestamp=datetime(2026, 3, 7, 12, tzinfo=UTC), **said)
    assert suppressed() == [SuppressionReason.BOUNCE]
    assert Suppression.objects.get().note == "soft bounces"


def test_a_letter_that_got_through_in_between_begins_the_count_anew(sent: Dispatch) -> None:
    full = "552 5.2.2 mailbox full"
    days = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in range(1, 20)]
    # Reported last, it happened in the middle.
    for moment in days[:4] + days[6:10]:
        tell(sent, "bounced", timestamp=moment, mta_response=full)
        if moment == days[3]:
            tell(sent, "delivered", timestamp=days[5])
    assert suppressed() == []
    tell(sent, "bounced", timestamp=days[15], mta_response=full)
    assert suppressed() == [SuppressionReason.BOUNCE]


def test_greylisting_wears_nobody_out(sent: Dispatch) -> None:
    for day in range(1, 28):
        tell(sent, "deferred", timestamp=datetime(2026, 3, day, tzinfo=UTC),
             mta_response="451 4.7.1 greylisted, try again later")  # fmt: skip
    assert suppressed() == []


def test_many_delays_of_one_letter_on_one_day_count_once(sent: Dispatch) -> None:
    for hour in range(20):
        tell(sent, "deferred", timestamp=datetime(2026, 3, 1, hour, tzinfo=UTC))
    tell(sent, "deferred", timestamp=datetime(2026, 3, 9, tzinfo=UTC))
    assert suppressed() == []


def test_who_unsubscribes_at_the_provider_has_unsubscribed(sent: Dispatch) -> None:
    for number in range(5):
        tell(sent, "unsubscribed", event_id=str(number))
    assert ConsentEvent.objects.filter(action="withdraw", source="provider").count() == 1
    assert Enrollment.objects.get().exit_reason == "unsubscribed"
    assert suppressed() == []


def test_who_has_another_address_stays_in_the_flow(sent: Dispatch, agreed: int) -> None:
    contacts.resolve_many(
        [(Person(contact_id=agreed, email="anna.private@example.com"), None)], datetime.now(UTC)
    )
    contact = Contact.objects.get(pk=agreed)
    contact.points.create(
        channel="email", value="a@b.example", normalised="a@b.example",
        point_hash=point_hash("email", "a@b.example"), created_at=datetime.now(UTC),
    )  # fmt: skip
    tell(sent, "bounced", reject_reason="bounced")
    assert suppressed() == [SuppressionReason.BOUNCE]
    assert Enrollment.objects.get().state == "active"


def test_a_letter_that_was_turned_elsewhere_comes_back_from_there(sent: Dispatch) -> None:
    tell(sent, "bounced", reject_reason="bounced", recipient="desk@staging.example")
    assert Suppression.objects.get().point_hash == point_hash("email", "desk@staging.example")
    assert Enrollment.objects.get().state == "active"


@pytest.mark.parametrize(
    ("kind", "state"),
    [("sent", "sent"), ("queued", "sent"), ("delivered", "sent"), ("bounced", "sent"),
     ("opened", "sent"), ("rejected", "dead"), ("failed", "dead")],
)  # fmt: skip
def test_a_provider_ends_the_doubt(sent: Dispatch, kind: str, state: str) -> None:
    Dispatch.objects.update(state=DispatchState.UNKNOWN)
    Message.objects.update(state=MessageState.UNKNOWN)
    tell(sent, kind)
    sent.refresh_from_db()
    assert sent.state == state
    assert Message.objects.get(pk=sent.message_id).state == state


def test_what_did_arrive_is_not_sent_again(sent: Dispatch) -> None:
    Dispatch.objects.update(state=DispatchState.RETRY, attempt=1)
    Message.objects.update(state=MessageState.PLANNED)
    tell(sent, "delivered")
    sent.refresh_from_db()
    assert sent.state == "sent"


@pytest.mark.parametrize(
    ("kind", "state"),
    [("delivered", "sent"), ("opened", "sent"), ("deferred", "dead"), ("bounced", "dead")],
)
def test_what_seemed_to_fail_and_arrived_is_sent(sent: Dispatch, kind: str, state: str) -> None:
    """Its worker died three times; staff must not be offered to send it again."""
    Dispatch.objects.update(state=DispatchState.DEAD, reason="crashed")
    Message.objects.update(state="dead", reason="crashed")
    tell(sent, kind)
    sent.refresh_from_db()
    assert sent.state == Message.objects.get().state == state


def test_what_a_provider_calls_a_click_steers_nothing(sent: Dispatch) -> None:
    tell(sent, "clicked", click_url="https://shop.example/")
    assert told(sent)[0] == "clicked"
    assert Message.objects.get(pk=sent.message_id).clicked_at is None


def test_a_report_without_anything_harms_nobody(sent: Dispatch) -> None:
    tell(None, "delivered", timestamp=None, recipient=None, metadata=None)
    tell(None, "bounced", timestamp=None, recipient="no address", metadata={"message": 7})
    assert ProviderReport.objects.filter(dispatch=None).count() == 2
    assert suppressed() == []


def test_the_webhook_of_anymail_itself_takes_it_in(
    sent: Dispatch, settings: Any, client: Any
) -> None:
    """The secret is asked, and the whole way from the provider's words to the row is walked."""
    settings.ROOT_URLCONF = "tests.engine.webhook_urls"
    settings.ANYMAIL = {"WEBHOOK_SECRET": "a:b"}
    body = {
        "RecordType": "Bounce", "ID": 1, "Type": "HardBounce", "MessageID": "m-1",
        "Email": ANNA, "BouncedAt": "2026-03-01T10:00:00Z", "Details": "smtp;550 5.1.1 unknown",
        "Metadata": {"message": sent.message.public_id}, "Tag": "",
    }  # fmt: skip
    url = "/anymail/postmark/tracking/"
    assert client.post(url, body, "application/json").status_code == 400
    assert not ProviderReport.objects.exists()
    # Basic "a:b"
    headers = {"Authorization": "Basic YTpi"}
    for _ in range(100):
        answer = client.post(url, body, "application/json", headers=headers)
        assert answer.status_code == 200
    assert ProviderReport.objects.count() == 1
    assert suppressed() == [SuppressionReason.BOUNCE]
    assert told(sent)[0] == "bounced"


# ── Words of mail servers ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("550 5.1.1 The email account that you tried to reach does not exist.", Weight.HARD),
        ("5.1.10 RESOLVER.ADR.RecipientNotFound", Weight.HARD),
        ("550 user unknown", Weight.HARD),
        ("550 No such user here", Weight.HARD),
        ("550 Requested action not taken: mailbox unavailable", Weight.NONE),
        ("550 mailbox anna not found", Weight.HARD),
        ("550 Invalid recipient", Weight.HARD),
        ("553 sorry, no mailbox here by that name", Weight.HARD),
        ("550 5.7.1 user unknown or rejected by policy", Weight.POLICY),
        ("550 5.7.26 unauthenticated email is not accepted", Weight.POLICY),
        ("550 blocked, see https://spamhaus.example", Weight.POLICY),
        ("554 denied", Weight.POLICY),
        ("550 relaying denied", Weight.POLICY),
        ("552 5.2.2 mailbox full", Weight.SOFT),
        ("552 mailbox is full", Weight.SOFT),
        ("552 quota", Weight.SOFT),
        ("550 mailbox full", Weight.SOFT),
        ("452 4.2.2 over quota", Weight.SOFT),
        ("450 4.2.0 greylisted", Weight.SOFT),
        ("421 busy", Weight.SOFT),
        ("550 5.1.8 sender rejected", Weight.NONE),
        ("550 5.6.0 lines too long", Weight.NONE),
        ("550 5.2.3 message too large", Weight.NONE),
        ("250 2.0.0 ok", Weight.NONE),
        ("", Weight.NONE),
        ("host 10.1.1.5 said something", Weight.NONE),
    ],
)
def test_what_mail_servers_say_about_an_address(text: str, weight: Weight) -> None:
    assert weigh(text) is weight


def test_a_mailbox_that_is_full_at_the_hand_over_counts_towards_giving_up(
    sent: Dispatch, now: datetime
) -> None:
    for day in range(0, 10, 2):
        assert not Suppression.objects.exists()
        wearing.note_refusal(
            sent.pk, "email", sent.point_hash, "smtp", "recipient: 552 5.2.2 full",
            now + timedelta(days=day),
        )  # fmt: skip
    assert suppressed() == [SuppressionReason.BOUNCE]


# ── Attribution ──────────────────────────────────────────────────────────────────────────────────


def order(now: datetime, number: str = "100017", who: str = ANNA, **more: Any) -> None:
    intake.record(
        OrderPlaced(number=number, total=Decimal("89.90"), currency="EUR", **more),
        person=Person(email=who),
        about=About(type="order", id=number),
        occurred_at=now,
    )


def click(dispatch: Dispatch, at: datetime) -> None:
    dispatch.message.hits.create(link_no=0, occurred_at=at, hit_class="human")
    Message.objects.filter(pk=dispatch.message_id, clicked_at=None).update(clicked_at=at)


def test_an_order_after_a_click_is_written_to_the_message_once(
    sent: Dispatch, now: datetime
) -> None:
    click(sent, now + timedelta(minutes=1))
    order(now + timedelta(hours=1))
    clockwork.tick(now + timedelta(hours=1))
    order(now + timedelta(hours=1))
    clockwork.tick(now + timedelta(hours=2))
    one = Conversion.objects.get()
    assert (one.message_id, one.kind, one.about_id) == (sent.message_id, "order_placed", "100017")
    assert (one.value, one.currency) == (Decimal("89.90"), "EUR")


def test_an_order_before_the_click_or_long_after_it_earns_nothing(
    sent: Dispatch, now: datetime
) -> None:
    click(sent, now + timedelta(minutes=10))
    order(now + timedelta(minutes=5), "1")
    order(now + timedelta(days=5, hours=1), "2")
    clockwork.tick(now + timedelta(days=6))
    assert not Conversion.objects.exists()


def test_a_machines_click_earns_nothing(sent: Dispatch, now: datetime) -> None:
    sent.message.hits.create(link_no=0, occurred_at=now, hit_class="machine")
    order(now + timedelta(minutes=5))
    clockwork.tick(now + timedelta(minutes=6))
    assert not Conversion.objects.exists()


def test_somebody_elses_order_earns_nothing(sent: Dispatch, now: datetime) -> None:
    click(sent, now)
    order(now + timedelta(minutes=5), who="bert@example.com")
    clockwork.tick(now + timedelta(minutes=6))
    assert not Conversion.objects.exists()


def test_an_order_of_the_same_thing_counts_whoever_pays(sent: Dispatch, now: datetime) -> None:
    Enrollment.objects.update(about_type="basket", about_id="77")
    click(sent, now)
    order(now + timedelta(minutes=5), who="office@example.com", basket_id=77)
    clockwork.tick(now + timedelta(minutes=6))
    assert Conversion.objects.get().message_id == sent.message_id


def test_of_two_messages_the_one_that_was_clicked_last_counts(
    sent: Dispatch, now: datetime, expire: Callable[..., None]
) -> None:
    expire(code="B2", card="8")
    clockwork.tick(now + timedelta(minutes=1))
    other = Dispatch.objects.select_related("message").exclude(pk=sent.pk).get()
    click(sent, now + timedelta(minutes=2))
    click(other, now + timedelta(minutes=3))
    click(sent, now + timedelta(minutes=4))
    order(now + timedelta(minutes=5))
    clockwork.tick(now + timedelta(minutes=6))
    assert Conversion.objects.get().message_id == sent.message_id


def test_any_goal_of_the_flow_counts(
    publish_flow: Callable[..., Any], agreed: int, expire: Callable[..., None], now: datetime
) -> None:
    publish_flow(SEND, goals=["customer_registered"], attribution_window="2d")
    expire()
    clockwork.tick(now)
    dispatch = Dispatch.objects.select_related("message").get()
    click(dispatch, now)
    from oscar_triggers.shop.events import CustomerLoggedIn, CustomerRegistered

    for event in (CustomerRegistered(), CustomerLoggedIn()):
        intake.record(event, person=Person(email=ANNA), occurred_at=now + timedelta(days=1))
    clockwork.tick(now + timedelta(days=1, hours=1))
    one = Conversion.objects.get()
    assert (one.kind, one.value) == ("customer_registered", None)


def test_attribution_asks_as_often_for_one_order_as_for_a_hundred(
    sent: Dispatch, now: datetime
) -> None:
    click(sent, now)

    def cost(number: int, first: int) -> int:
        routed = [
            intake.Routed(
                entry_id=_entry(now, first + place),
                event=OrderPlaced(number=str(first + place), basket_id=place),
                about=About(type="order", id=str(first + place)),
                contact_id=sent.message.contact_id,
                person=Person(),
                site_id=None,
                occurred_at=now + timedelta(minutes=1),
            )
            for place in range(number)
        ]
        with CaptureQueriesContext(connection) as queries:
            assert attribution.attribute(routed, now) == number
        return len(queries)

    cost(1, 1)
    assert cost(100, 100) == cost(1, 1_000)


def _entry(now: datetime, number: int) -> int:
    return JournalEntry.objects.create(
        kind="order_placed", dedup_key=f"x{number}", occurred_at=now, recorded_at=now
    ).pk


def test_webhooks_that_anybody_may_call_are_named(settings: Any) -> None:
    from django.core.checks import run_checks

    def named() -> bool:
        return any(one.id == "oscar_triggers.W060" for one in run_checks(tags=["oscar_triggers"]))

    settings.ANYMAIL = {}
    assert not named(), "they are not mounted"
    settings.ROOT_URLCONF = "tests.engine.webhook_urls"
    assert named()
    settings.ANYMAIL = {"WEBHOOK_SECRET": "a:b"}
    assert not named()


@pytest.mark.parametrize(
    ("code", "said", "dead"),
    [
        (550, "5.1.1 no such mailbox", True),
        (550, "User unknown", True),
        (550, "5.7.1 rejected by our policy", False),
        (550, "5.7.1 user unknown", False),
        (552, "5.2.2 mailbox full", False),
        (552, "mailbox full", False),
        (450, "4.1.1 user unknown for now", False),
        (554, "transaction failed", False),
    ],
)
def test_a_refusal_at_the_hand_over_says_whether_the_address_is_dead(
    code: int, said: str, dead: bool
) -> None:
    from oscar_triggers.builtin import answers
    from oscar_triggers.channels import Parcel

    parcel = Parcel(dispatch_id=1, to=ANNA)
    told = answers.for_reply(parcel, answers.Stage.RECIPIENT, code, said, provider="smtp")
    assert told.point_is_dead is dead
    # What is said of the text is never held against the reader.
    told = answers.for_reply(parcel, answers.Stage.CONTENT, code, said, provider="smtp")
    assert told.point_is_dead is False


def test_who_does_not_exist_leaves_every_flow_with_the_refusal(
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    now: datetime,
    smtp_sink: Any,
) -> None:
    """A real mail server says it, with no enhanced code."""

    async def refuse(*arguments: Any) -> str:
        return "550 User unknown"

    smtp_sink.handle_RCPT = refuse
    publish_flow(SEND, wait("wait", "30d"))
    expire(code="A1", card="1")
    clockwork.tick(now)
    clockwork.tick(now + timedelta(minutes=1))
    assert suppressed() == [SuppressionReason.BOUNCE]
    assert Enrollment.objects.get().exit_reason == "unsubscribed"
    assert Dispatch.objects.get().state == DispatchState.DEAD


def void(result: object) -> None:
    """Drop a result."""


def _at_once(number: int, act: Callable[[int], None]) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(number)

    def run(place: int) -> None:
        try:
            barrier.wait()
            act(place)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.django_db(transaction=True)
def test_the_same_report_from_six_processes_at_once_is_one(sent: Dispatch, now: datetime) -> None:
    event = report(sent, "bounced", now, event_id="e-1", reason="bounced", weight=Weight.HARD)
    _at_once(6, lambda place: void(returns.take_many([event], now)))
    assert ProviderReport.objects.count() == 1
    assert suppressed() == [SuppressionReason.BOUNCE]
    assert Enrollment.objects.get().exit_reason == "unsubscribed"


@pytest.mark.django_db(transaction=True)
def test_clicks_at_once_are_one_event(sent: Dispatch, now: datetime) -> None:
    later = now + timedelta(hours=1)
    request = clicks.Request(at=later, user_agent="Mozilla/5.0 (X11) Firefox/150")
    _at_once(6, lambda place: clicks.write_down(sent.message, 0, request))
    assert sent.message.hits.count() == 6
    assert JournalEntry.objects.filter(kind="message_clicked").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_scanner_with_six_hands_is_found_out(sent: Dispatch, now: datetime) -> None:
    later = now + timedelta(hours=1)
    request = clicks.Request(at=later, user_agent="Mozilla/5.0 (X11) Firefox/150")
    _at_once(6, lambda place: clicks.write_down(sent.message, place, request))
    assert set(sent.message.hits.values_list("hit_class", flat=True)) == {"machine"}
    assert Message.objects.get(pk=sent.message_id).clicked_at is None
    assert not JournalEntry.objects.filter(kind="message_clicked").exists()
