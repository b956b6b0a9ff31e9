"""Whose name stands above a letter: the shop's, a site's, a language's or a flow's own."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from oscar_triggers.conf import triggers_settings
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import flows
from oscar_triggers.exceptions import DefinitionError
from oscar_triggers.policy import senders
from oscar_triggers.testing import factories
from oscar_triggers.testing.clock import Clock

pytestmark = pytest.mark.django_db

FLOW: dict[str, Any] = {
    "flow": "tags",
    "trigger": {"kind": "contact_changed", "change": "tag_added"},
    "sender": "reviews",
    "steps": [{"key": "hello", "kind": "send", "options": {"template": "hello"}}],
}
REVIEWS = {
    "label": "Reviews",
    "from_email": "Reviews <reviews@shop.example>",
    "reply_to": "people@shop.example",
    "languages": {"de": {"from_email": "Bewertungen <reviews@shop.example>"}},
    "sites": {2: {"from_email": "Reviews <reviews@outlet.example>"}},
}


@pytest.fixture(autouse=True)
def named(settings: Any) -> None:
    """Name a sender beside the shop's usual one."""
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "SENDERS": {
            "promotional": {
                "from_email": "Shop <shop@shop.example>",
                "languages": {"de": {"from_email": "Laden <shop@shop.example>"}},
            }
        },
        "NAMED_SENDERS": {"reviews": REVIEWS},
    }


@pytest.mark.parametrize(
    ("site_id", "language", "key", "name"),
    [
        (None, "en", "", "Shop <shop@shop.example>"),
        (None, "de", "", "Laden <shop@shop.example>"),
        (None, "de-at", "", "Laden <shop@shop.example>"),
        (None, "en", "reviews", "Reviews <reviews@shop.example>"),
        (None, "de", "reviews", "Bewertungen <reviews@shop.example>"),
        (2, "en", "reviews", "Reviews <reviews@outlet.example>"),
        (None, "en", "gone", "Shop <shop@shop.example>"),
    ],
)
def test_what_is_said_more_closely_wins(
    site_id: int | None, language: str, key: str, name: str
) -> None:
    assert senders.resolve(site_id, "promotional", language, key).from_email == name


def test_a_flows_letters_come_from_its_sender() -> None:
    clock = Clock()
    anna = factories.contact("anna@example.com", now=clock.now)
    factories.flow(FLOW, clock=clock).run(
        "+1m", contact=anna, event={"field": "vip", "change": "tag_added"}
    )
    [letter] = mail.outbox
    assert letter.from_email == "Reviews <reviews@shop.example>"
    assert letter.reply_to == ["people@shop.example"]


def test_a_flow_from_a_domain_that_is_not_the_shops_cannot_be_published(settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "SENDING_DOMAINS": ["shop.example"],
    }
    with pytest.raises(DefinitionError, match=r"outlet\.example is not among the domains"):
        factories.flow(FLOW)
    told = [str(one.msg) for one in run_checks() if one.id == "oscar_triggers.E030"]
    assert told
    assert "outlet.example" in told[0]
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "SENDING_DOMAINS": ["shop.example", "outlet.example"],
    }
    assert factories.flow(FLOW).definition.sender == "reviews"


def test_a_sender_that_nobody_named_is_refused() -> None:
    problems = flows.check(FlowDefinition.from_dict({**FLOW, "sender": "nobody"}))
    assert "there is no sender 'nobody' (known: reviews)" in " ".join(map(str, problems))


@pytest.mark.parametrize(
    "wrong",
    [
        {"NAMED_SENDERS": {"reviews": {"label": "Reviews"}}},
        {"NAMED_SENDERS": {"reviews": {"from_email": "a@b.example", "name": "x"}}},
        {"SENDING_DOMAINS": "shop.example"},
        {"SENDING_DOMAINS": ["me@shop.example"]},
        {"STAFF_ADDRESSES": "shop.example"},
        {"STAFF_ACCOUNTS": "yes"},
    ],
)
def test_settings_that_could_not_be_used_are_refused(wrong: Any, settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, **wrong}
    with pytest.raises(ImproperlyConfigured, match=next(iter(wrong))):
        triggers_settings()
