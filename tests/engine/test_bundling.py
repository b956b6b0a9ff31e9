"""Several gift cards of one person become one letter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from oscar_triggers.engine import enrollments, outbox, planning
from oscar_triggers.models import (
    Dispatch,
    DispatchState,
    Enrollment,
    ExitReason,
    Message,
    MessageItem,
    MessageState,
)
from oscar_triggers.policy import guards
from tests.engine.conftest import SEND

MINUTE = timedelta(minutes=1)
LIST = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{ contact.first_name }}, first {{ gift_card.code }},
all {% for item in items %}[{{ item.gift_card.code }}]{% endfor %}.</mj-text>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture
def flow(publish_flow: Callable[..., Any], publish_letter: Callable[..., Any]) -> Any:
    """Publish a flow that gathers cards for ten minutes."""
    made = publish_flow(SEND, bundle="10m")
    publish_letter(body=LIST)
    return made


@pytest.fixture
def three_cards(
    flow: Any, agreed: int, expire: Callable[..., None], tick: Callable[..., Any], now: datetime
) -> Message:
    """Let three cards be about to expire within ten minutes."""
    for minutes, code in ((0, "A1"), (3, "B2"), (6, "C3")):
        expire(code=code, card=code)
        tick(now + minutes * MINUTE)
    return Message.objects.get()


def letters() -> list[str]:
    """Return the texts that were sent."""
    return [str(one.body).partition("\n\n")[0].replace("\n", " ") for one in mail.outbox]


def test_three_cards_in_ten_minutes_are_one_letter(
    three_cards: Message, tick: Callable[..., Any], now: datetime
) -> None:
    assert mail.outbox == []
    tick(now + 9 * MINUTE)
    assert mail.outbox == []
    tick(now + 11 * MINUTE)
    assert letters() == ["Dear Anna, first A1, all [A1][B2][C3]."]
    three_cards.refresh_from_db()
    assert three_cards.state == MessageState.SENT
    assert three_cards.bundle_key is None
    assert three_cards.items.count() == 3


def test_cards_that_come_later_are_another_letter(
    three_cards: Message, expire: Callable[..., None], tick: Callable[..., Any], now: datetime
) -> None:
    tick(now + 11 * MINUTE)
    expire(code="D4", card="D4")
    tick(now + 12 * MINUTE)
    tick(now + 23 * MINUTE)
    assert letters()[1:] == ["Dear Anna, first D4, all [D4]."]


def test_a_card_that_was_spent_meanwhile_leaves_the_letter(
    three_cards: Message, tick: Callable[..., Any], now: datetime
) -> None:
    spent = Enrollment.objects.get(about_id="A1")
    enrollments.exit_many([spent.pk], ExitReason.GOAL, now + 7 * MINUTE)
    tick(now + 11 * MINUTE)
    assert letters() == ["Dear Anna, first B2, all [B2][C3]."]
    three_cards.refresh_from_db()
    assert three_cards.about_id == "B2"


def test_when_all_cards_are_spent_there_is_no_letter(
    three_cards: Message, tick: Callable[..., Any], now: datetime
) -> None:
    for code in ("A1", "B2", "C3"):
        spent = Enrollment.objects.get(about_id=code)
        enrollments.exit_many([spent.pk], ExitReason.GOAL, now + 7 * MINUTE)
    tick(now + 11 * MINUTE)
    assert mail.outbox == []
    three_cards.refresh_from_db()
    assert (three_cards.state, three_cards.reason) == (MessageState.CANCELLED, "goal")


@pytest.fixture
def card_guard() -> Iterator[dict[str, Any]]:
    """Register a guard of gift cards that refuses those in `spent`, and end their enrollments."""
    from django.db.models import Exists, Q

    said: dict[str, Any] = {"spent": set(), "consequence": guards.Consequence.EXIT}

    class CardGuard(guards.SendGuard):
        name = "card"
        about_types = frozenset({"gift_card"})

        def refusal(self, subject: Any, observed: Any) -> Q | None:
            spent = subject.about.id in said["spent"]
            return Q(Exists(Message.objects.all())) if spent else None

        def explain(self, subject: Any, observed: Any, now: datetime) -> guards.Refused | None:
            if subject.about.id not in said["spent"]:
                return None
            return guards.Refused(
                reason="spent", consequence=said["consequence"], exit_reason="goal"
            )

    with guards.registry.temporarily("card", CardGuard()):
        yield said


@pytest.mark.parametrize("consequence", [guards.Consequence.EXIT, guards.Consequence.SKIP])
@pytest.mark.parametrize("spent", [{"A1"}, {"C3"}, {"A1", "B2"}])
def test_a_card_spent_at_the_last_moment_is_not_in_the_letter(
    three_cards: Message,
    tick: Callable[..., Any],
    now: datetime,
    card_guard: dict[str, Any],
    spent: set[str],
    consequence: guards.Consequence,
) -> None:
    card_guard.update(spent=spent, consequence=consequence)
    for seconds in range(0, 60, 10):
        tick(now + 11 * MINUTE + timedelta(seconds=seconds))
    rest = [code for code in ("A1", "B2", "C3") if code not in spent]
    assert letters() == [f"Dear Anna, first {rest[0]}, all {''.join(f'[{one}]' for one in rest)}."]


def test_planned_again_nothing_is_added(three_cards: Message, now: datetime) -> None:
    before = list(MessageItem.objects.values_list("idempotency_key", flat=True))
    keys = {key: Enrollment.objects.get(pk=str(key).split(":")[1]) for key in before}
    assert len(keys) == 3
    subjects = enrollments.snapshots_of(
        list(Enrollment.objects.select_related("contact", "flow", "version"))
    )
    from oscar_triggers.steps import StepVisit

    planning.plan_many(
        [
            planning.Plan(
                visit=StepVisit(
                    subject=subject, step_key="letter", due_at=now, stream="promotional",
                    topic="offers", max_lateness=MINUTE, on_doubt="hold", bundle=10 * MINUTE,
                ),
                template_id=three_cards.template_id or 0,
                channel="email",
            )
            for subject in subjects.values()
        ],
        now,
    )  # fmt: skip
    assert Message.objects.count() == 1
    assert MessageItem.objects.count() == 3
    assert Dispatch.objects.count() == 1


def test_nothing_joins_a_letter_that_is_being_written(
    three_cards: Message, expire: Callable[..., None], now: datetime, tick: Callable[..., Any]
) -> None:
    Dispatch.objects.update(state=DispatchState.LEASED, lease_owner="someone")
    from oscar_triggers.engine import bundling

    bundling.close(list(Dispatch.objects.values_list("pk", flat=True)))
    expire(code="D4", card="D4")
    tick(now + 8 * MINUTE)
    assert Message.objects.count() == 2
    assert three_cards.items.count() == 3


def test_what_the_night_holds_back_is_joined_by_the_next(
    three_cards: Message,
    expire: Callable[..., None],
    now: datetime,
    tick: Callable[..., Any],
    settings: Any,
) -> None:
    hour = (now + 11 * MINUTE).hour
    settings.TIME_ZONE = "UTC"
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "QUIET_HOURS": {"*": (f"{(hour - 1) % 24}:00", f"{(hour + 3) % 24}:00")},
    }
    tick(now + 11 * MINUTE)
    assert mail.outbox == []
    expire(code="D4", card="D4")
    tick(now + 12 * MINUTE)
    assert Message.objects.count() == 1
    tick(now + timedelta(hours=5))
    assert letters() == ["Dear Anna, first A1, all [A1][B2][C3][D4]."]


@pytest.mark.django_db(transaction=True)
def test_two_workers_planning_for_one_person_make_one_letter(
    flow: Any, agreed: int, expire: Callable[..., None], now: datetime
) -> None:
    from oscar_triggers.engine import advancing, routing

    for code in ("A1", "B2", "C3", "D4", "E5", "F6"):
        expire(code=code, card=code)
    while routing.route(now):
        pass
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        while advancing.advance(now, limit=1):
            pass
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Message.objects.count() == 1
    assert MessageItem.objects.count() == 6
    outbox.send_due(now + 11 * MINUTE)
    assert len(mail.outbox) == 1
