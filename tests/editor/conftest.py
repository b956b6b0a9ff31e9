"""What tests of the editor share: people with and without permissions, and ready drafts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from oscar_triggers.definitions import FlowDefinition, StepDefinition
from wagtail_triggers import permissions
from wagtail_triggers.compiler import from_definition
from wagtail_triggers.models import FlowDraft, TemplateDraft

LETTER = """<mjml>
  <mj-body>
    <mj-section>
      <mj-column>
        <mj-text>Hello {{ contact.first_name|default:"there" }}</mj-text>
        <mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


@pytest.fixture
def person(root_page: Any) -> Callable[..., Any]:
    """Return a function that makes an admin user with some permissions."""

    def make(name: str, *wanted: str) -> Any:
        user = get_user_model().objects.create_user(
            username=name, email=f"{name}@shop.example", password="tea-and-biscuits"
        )
        granted = permissions.permissions_for(wanted)
        assert granted.count() == len(set(wanted)), "a codename names no permission"
        user.user_permissions.set(granted)
        return user

    return make


def signed_in(user: Any) -> Client:
    """Return an HTTP client in which a user is signed in."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def editor(person: Callable[..., Any]) -> Any:
    """Return someone who may write drafts and publish nothing."""
    return person("editor", *permissions.EDITOR)


@pytest.fixture
def publisher(person: Callable[..., Any]) -> Any:
    """Return someone who may do everything in the editor."""
    return person("publisher", *permissions.PUBLISHER)


@pytest.fixture
def publisher_client(publisher: Any) -> Client:
    """Return the publisher's browser."""
    return signed_in(publisher)


def make_template(key: str = "letter-1", *, publish: bool = True, **fields: Any) -> TemplateDraft:
    """Save a template draft with a letter that compiles, live where asked."""
    draft = TemplateDraft(
        **{
            "key": key,
            "language": "en",
            "name": "First letter",
            "subject": "Your basket is waiting",
            "body": LETTER,
            "live": False,
            **fields,
        }
    )
    draft.save()
    revision = draft.save_revision()
    if publish:
        draft.publish(revision)
    return TemplateDraft.objects.get(pk=draft.pk)


def make_text(key: str = "text-1", *, publish: bool = True, **fields: Any) -> TemplateDraft:
    """Save a text for the shop's screens, live where asked."""
    words = 'Hello {{ contact.first_name|default:"there" }}: https://shop.example/tea/'
    return make_template(
        key,
        publish=publish,
        **{
            "name": "Tea is ready",
            "channel": "counter_screen",
            "subject": "",
            "body": "",
            "text": words,
            **fields,
        },
    )


def make_split_flow(key: str = "two-ways", *, publish: bool = True) -> FlowDraft:
    """Save a flow that sends the first letter to three of four, and the second to the others."""
    definition = FlowDefinition(
        key=key,
        name="Two ways",
        trigger="basket_left",
        trigger_options={"idle": "1h"},
        steps=(
            StepDefinition(
                key="split-1",
                kind="split",
                options={"weights": {"a": 75, "b": 25}},
                branches={
                    "a": (_sends("letter-a", "letter-1"),),
                    "b": (
                        StepDefinition(key="pause-b", kind="wait", options={"duration": "1d"}),
                        _sends("letter-b", "letter-2"),
                    ),
                },
            ),
        ),
    )
    draft = FlowDraft(live=False, **from_definition(definition))
    draft.save()
    revision = draft.save_revision()
    if publish:
        draft.publish(revision)
    return FlowDraft.objects.get(pk=draft.pk)


def _sends(key: str, template: str) -> StepDefinition:
    return StepDefinition(key=key, kind="send", options={"template": template})


def make_flow(key: str = "left-basket", *, publish: bool = False, **fields: Any) -> FlowDraft:
    """Save a flow draft that waits a day and sends a letter, live where asked."""
    definition = FlowDefinition(
        key=key,
        name="Left basket",
        trigger="basket_left",
        trigger_options={"idle": "1h"},
        goals=("order_placed",),
        steps=(
            StepDefinition(key="pause-1", kind="wait", options={"duration": "1d"}),
            StepDefinition(key="letter-1", kind="send", options={"template": "letter-1"}),
        ),
    )
    draft = FlowDraft(live=False, **{**from_definition(definition), **fields})
    draft.save()
    revision = draft.save_revision()
    if publish:
        draft.publish(revision)
    return FlowDraft.objects.get(pk=draft.pk)
