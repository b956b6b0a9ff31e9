"""A person gets one voucher in a while, from whichever flow, and never twice at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from oscar.core.loading import get_model

from oscar_triggers.engine import enrollments, incentives
from oscar_triggers.models import (
    Decision,
    Enrollment,
    ExitReason,
    Message,
    MessageState,
    VoucherGrant,
)
from tests.engine.conftest import wait

TEN = {"percent": 10, "valid": "2d"}
PROMISE = {"key": "letter", "kind": "send", "options": {"template": "card", "voucher": TEN}}
LETTER = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Yours: {{ voucher.code }}, {{ voucher.amount }}, {{ voucher.days_left }} days.</mj-text>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""
OPTIONS = {"percent": 10, "valid": "2d"}


@pytest.fixture
def every_month(settings: Any) -> None:
    """Let a person get one voucher in thirty days."""
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "INCENTIVE_EVERY": timedelta(days=30),
    }


def vouchers() -> Any:
    """Return Oscar's vouchers."""
    return get_model("voucher", "Voucher").objects


def test_the_second_promise_of_a_month_is_not_made(
    every_month: None,
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    publish_flow(PROMISE, key="first")
    publish_flow(PROMISE, key="second")
    expire()
    tick(now)
    assert len(mail.outbox) == 1
    skipped = Message.objects.get(state=MessageState.SKIPPED)
    assert skipped.reason == "incentive_limit"
    decision = Decision.objects.get(message=skipped, rule="voucher")
    assert {"granted_at", "every", "until"} <= set(decision.compared)
    assert vouchers().count() == 1
    expire(card="8", at=now + timedelta(days=31))
    tick(now + timedelta(days=31))
    assert vouchers().count() == 2


def test_a_voucher_that_was_taken_back_does_not_count(
    every_month: None,
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    publish_flow(PROMISE)
    expire()
    tick(now)
    VoucherGrant.objects.update(voucher_id=None, revoked_at=now)
    expire(card="8")
    tick(now + timedelta(seconds=10))
    assert len(mail.outbox) == 2


@pytest.fixture
def enrollment(
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> Enrollment:
    """Let Anna stand in a flow that waits."""
    publish_flow(wait("wait", "10d"))
    expire()
    tick(now)
    return Enrollment.objects.get()


def grant(enrollment: Enrollment, now: datetime, step: str = "gift") -> VoucherGrant | None:
    """Grant at a Voucher step; None when nothing is granted."""
    granted = incentives.grant_for_step(enrollment.pk, step, 0, enrollment.contact_id, OPTIONS, now)
    return None if isinstance(granted, incentives.Limited) else granted


def test_a_step_grants_once_for_each_coming_to_it(
    every_month: None,
    enrollment: Enrollment,
    now: datetime,
) -> None:
    first, again = grant(enrollment, now), grant(enrollment, now)
    assert first is not None
    assert again is not None
    assert first.pk == again.pk
    assert grant(enrollment, now, step="another") is None
    assert VoucherGrant.objects.count() == 1
    assert vouchers().count() == 1


def test_letters_after_the_step_name_its_voucher(
    every_month: None,
    publish_flow: Callable[..., Any],
    publish_letter: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    publish_flow(
        wait("wait", "1d"), {"key": "letter", "kind": "send", "options": {"template": "card"}}
    )
    publish_letter(body=LETTER)
    expire()
    tick(now)
    made = grant(Enrollment.objects.get(), now)
    assert made is not None
    tick(now + timedelta(days=1, minutes=1))
    [letter] = mail.outbox
    # Sent in the last minute before midnight, it says 0.
    assert re.search(rf"Yours: {made.code}, 10%, [01] days\.", str(letter.body))


def test_who_leaves_before_a_letter_told_of_it_keeps_no_voucher(
    enrollment: Enrollment,
    now: datetime,
) -> None:
    grant(enrollment, now)
    enrollments.exit_many([enrollment.pk], ExitReason.GOAL, now)
    assert vouchers().count() == 0
    assert VoucherGrant.objects.get().revoked_at is not None


def test_a_rehearsal_makes_no_voucher(
    publish_flow: Callable[..., Any],
    publish_letter: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    flow = publish_flow(PROMISE).flow
    publish_letter(body=LETTER)
    flow.state = "shadow"
    flow.save(update_fields=["state"])
    expire()
    tick(now)
    message = Message.objects.get()
    assert message.state == MessageState.SHADOWED
    assert message.payload is not None
    assert message.payload["values"]["voucher"]["amount"] == "10%"
    assert vouchers().count() == 0
    assert not VoucherGrant.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_workers_that_grant_to_one_person_at_once_grant_one(
    every_month: None,
    enrollment: Enrollment,
    now: datetime,
) -> None:
    def work(step: str) -> VoucherGrant | None:
        try:
            return grant(enrollment, now, step)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        granted = list(pool.map(work, ["a", "b", "c", "d"]))
    assert sum(one is not None for one in granted) == 1
    assert vouchers().count() == 1


def test_a_voucher_of_which_no_letter_could_tell_is_taken_back(
    every_month: None,
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    from oscar_triggers.models import ConsentEvent

    publish_flow(
        wait("wait", "1d"), {"key": "letter", "kind": "send", "options": {"template": "card"}}
    )
    expire()
    tick(now)
    assert grant(Enrollment.objects.get(), now) is not None
    ConsentEvent.objects.all().delete()
    tick(now + timedelta(days=1, minutes=1))
    assert Message.objects.get().reason == "no_consent"
    assert vouchers().count() == 0


@pytest.fixture
def any_number(settings: Any) -> None:
    """Let a person get any number of vouchers."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "INCENTIVE_EVERY": None}


@pytest.mark.parametrize("without", ["skip", "send"])
def test_when_the_months_vouchers_are_given_a_letter_stays_or_goes_without(
    any_number: None,
    publish_flow: Callable[..., Any],
    publish_letter: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
    without: str,
) -> None:
    limited = {**TEN, "monthly_limit": 1, "without": without}
    publish_flow({**PROMISE, "options": {"template": "card", "voucher": limited}})
    publish_letter(body=LETTER)
    expire()
    tick(now)
    expire(card="8", at=now + timedelta(seconds=5))
    tick(now + timedelta(seconds=10))
    assert vouchers().count() == 1
    assert len(mail.outbox) == (2 if without == "send" else 1)
    decision = Decision.objects.get(rule="voucher")
    assert decision.verdict == ("without" if without == "send" else "skipped")
    assert decision.reason == "voucher_month_full"
    assert (decision.compared["given"], decision.compared["most"]) == (1, 1)
    if without == "send":
        assert "Yours: , , days." in mail.outbox[1].body


def test_when_the_budget_is_used_up_the_step_goes_the_other_way_and_says_why(
    any_number: None,
    publish_flow: Callable[..., Any],
    agreed: int,
    expire: Callable[..., None],
    tick: Callable[..., Any],
    now: datetime,
) -> None:
    gift = {"amount": 10, "valid": "9d", "monthly_budget": 15}
    publish_flow(
        {
            "key": "gift",
            "kind": "voucher",
            "options": {"voucher": gift},
            "branches": {"granted": [], "not_granted": []},
        },
        wait("wait", "5d"),
    )
    expire()
    tick(now)
    expire(card="8", at=now + timedelta(seconds=5))
    tick(now + timedelta(seconds=10))
    assert vouchers().count() == 1
    refused = Decision.objects.get(verdict="not_granted")
    assert refused.compared["reason"] == "voucher_budget_used"
    assert (refused.compared["discount"], refused.compared["budget"]) == ("10", "15")
