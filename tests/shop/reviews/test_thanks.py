"""Thanks: for an account, and for a review once the shop shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.content.letters import LetterSource
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import clockwork, flows, templates
from oscar_triggers.models import Decision, Dispatch, Enrollment, Owner
from tests.shop.conftest import Clock, commit

from .conftest import order_of, review

pytestmark = pytest.mark.django_db

BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Thank you, {{ contact.first_name|default:"friend" }}.</mj-text>
<mj-text>{{ shop.postal_address }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture
def thank(shop_site: Any, clock: Clock) -> Callable[..., None]:
    """Return a function that publishes a flow with one letter."""

    def publish(trigger: Any, stream: str) -> None:
        templates.publish(
            "thanks", "thanks",
            LetterSource(subject="Thank you", body=BODY, language="en"),
            owner=Owner.FILE, now=timezone.now(),
        )  # fmt: skip
        definition = FlowDefinition.from_dict(
            {
                "flow": "thanks",
                "trigger": trigger,
                "stream": stream,
                "steps": [{"key": "letter", "kind": "send", "options": {"template": "thanks"}}],
            }
        )
        flows.publish(definition, owner=Owner.FILE, now=timezone.now() - timedelta(minutes=1))

    return publish


def letters_after(clock: Clock) -> list[str]:
    """Ring twice; return who got a letter of thanks."""
    commit()
    for _ in range(3):
        clock.now += timedelta(seconds=31)
        clockwork.tick(clock.now)
    return [one.to[0] for one in mail.outbox if one.subject == "Thank you"]


def register(email: str) -> None:
    """Open an account at the shop's form."""
    response = Client().post(
        reverse("customer:register"),
        {"email": email, "password1": "tea-and-biscuits", "password2": "tea-and-biscuits"},
    )
    assert response.status_code == 302, response.content


def test_a_new_account_is_thanked_for_as_a_matter_of_service(thank: Any, clock: Clock) -> None:
    thank("customer_registered", "transactional")
    register("new@example.com")
    assert letters_after(clock) == ["new@example.com"]
    assert letters_after(clock) == ["new@example.com"], "once"


def test_an_advertising_welcome_waits_for_consent(thank: Any, clock: Clock) -> None:
    thank("customer_registered", "promotional")
    register("new@example.com")
    assert letters_after(clock) == []
    assert Enrollment.objects.count() == 1
    assert Decision.objects.filter(reason="no_consent").exists()


def test_an_account_that_staff_opened_is_not_thanked_for(thank: Any, clock: Clock) -> None:
    thank("customer_registered", "transactional")
    get_user_model().objects.create_user("staff-made", "made@example.com", "x")
    assert letters_after(clock) == []


def test_a_review_is_thanked_for_when_it_is_shown_and_not_before(
    thank: Any, clock: Clock, member: Any, product: Any
) -> None:
    thank({"kind": "review_approved", "at_least": 4}, "transactional")
    clock.tick()
    waiting = review(product, user=member, status=0)
    assert letters_after(clock) == []
    type(waiting).objects.filter(pk=waiting.pk).update(status=1)
    assert letters_after(clock) == [member.email]


def test_a_shop_may_thank_at_once(thank: Any, clock: Clock, member: Any, product: Any) -> None:
    thank("review_written", "transactional")
    clock.tick()
    review(product, user=member, status=0)
    assert letters_after(clock) == [member.email]


def test_only_as_many_stars_as_the_flow_wants(
    thank: Any, clock: Clock, member: Any, product: Any
) -> None:
    thank({"kind": "review_approved", "at_most": 3}, "transactional")
    clock.tick()
    review(product, user=member, score=4)
    assert letters_after(clock) == []


@pytest.mark.parametrize(
    ("typed", "thanked"),
    [
        ("Buyer@example.com", True),
        ("{member}", True),
        ("stranger@example.com", False),
        ("other-buyer@example.com", False),
    ],
)
@pytest.mark.parametrize("trigger", ["review_written", "review_approved"])
def test_a_guests_review_writes_to_nobody_whom_the_shop_does_not_know(
    thank: Any, clock: Clock, member: Any, product: Any, other_product: Any,
    typed: str, thanked: bool, trigger: str,
) -> None:  # fmt: skip
    order_of(product, number="R-1", guest_email="buyer@EXAMPLE.com")
    order_of(other_product, number="R-2", guest_email="other-buyer@example.com")
    thank(trigger, "transactional")
    clock.tick()
    address = typed.format(member=member.email.upper())
    review(product, email=address)
    assert [one.lower() for one in letters_after(clock)] == ([address.lower()] if thanked else [])
    assert Dispatch.objects.filter(reason="unknown_writer").exists() is not thanked


def test_who_bought_a_variant_is_known_at_its_product(
    thank: Any, clock: Clock, variant: Any
) -> None:
    order_of(variant, guest_email="buyer@example.com")
    thank("review_approved", "transactional")
    clock.tick()
    review(variant.parent, email="buyer@example.com")
    assert letters_after(clock) == ["buyer@example.com"]
