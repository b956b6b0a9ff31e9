"""Who may open each page of the editor: the table by which `test_walk` asks for every address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.models import (
    Contact,
    DispatchState,
    Flow,
    Message,
    OneOffLetter,
    SavedSegment,
    Suppression,
)
from tests.editor.conftest import make_flow, make_split_flow, make_template, signed_in
from tests.insight.rows import make_enrollment
from wagtail_triggers import permissions

#: Address names below Wagtail's admin that are this app's.
NAMESPACES = (
    "wagtail_triggers",
    "wagtailsnippets_wagtail_triggers_flowdraft",
    "wagtailsnippets_wagtail_triggers_templatedraft",
    "wagtailsnippetchoosers_wagtail_triggers_flowdraft",
    "wagtailsnippetchoosers_wagtail_triggers_templatedraft",
    "triggers_messages",
    "triggers_enrollments",
    "triggers_contacts",
    "triggers_segments",
    "triggers_one_off",
    "triggers_product_chooser",
)
CROWDS = ("triggers_segments", "triggers_one_off")
FLOWS, TEMPLATES = NAMESPACES[1], NAMESPACES[2]
CHOOSERS = NAMESPACES[3:5]
PRODUCTS = "triggers_product_chooser"

NOBODY, VIEWER, EDITOR, PUBLISHER = "nobody", "viewer", "editor", "publisher"
ALL = {VIEWER, EDITOR, PUBLISHER}
WRITERS = {EDITOR, PUBLISHER}
PUBLISHERS = {PUBLISHER}

#: Address name → who gets in. A page without a row fails test_walk.
_DRAFTS: dict[str, set[str]] = {
    "list": ALL,
    "list_results": ALL,
    "add": WRITERS,
    "edit": WRITERS,
    "delete": WRITERS,
    "usage": WRITERS,
    "history": WRITERS,
    "history_results": WRITERS,
    "copy": WRITERS,
    "preview_on_add": WRITERS,
    "preview_on_edit": WRITERS,
    "revisions_view": WRITERS,
    "revisions_revert": WRITERS,
    "revisions_compare": WRITERS,
    "revisions_unschedule": PUBLISHERS,
    "unpublish": PUBLISHERS,
    "lock": PUBLISHERS,
    "unlock": PUBLISHERS,
    "workflow_action": set(),
    "collect_workflow_action_data": set(),
    "confirm_workflow_cancellation": WRITERS,
    "workflow_history": WRITERS,
    "workflow_history_detail": set(),
    "workflow_preview": set(),
}
ACCESS: dict[str, set[str]] = {
    **{
        f"{namespace}:{name}": who
        for namespace in (FLOWS, TEMPLATES)
        for name, who in _DRAFTS.items()
    },
    **{
        f"{namespace}:{name}": ALL
        for namespace in CHOOSERS
        for name in ("choose", "choose_results", "chosen", "chosen_multiple")
    },
    **{f"{namespace}:create": WRITERS for namespace in CHOOSERS},
    **{
        f"{namespace}:{name}": who
        for namespace in CROWDS
        for name, who in {
            "index": ALL,
            "index_results": ALL,
            "add": WRITERS,
            "edit": WRITERS,
            "delete": WRITERS,
            "history": WRITERS,
            "history_results": WRITERS,
            "usage": WRITERS,
        }.items()
    },
    "wagtail_triggers:count_new_segment": WRITERS,
    "wagtail_triggers:count_segment": WRITERS,
    "wagtail_triggers:count_people": PUBLISHERS,
    "wagtail_triggers:calendar": ALL,
    "wagtail_triggers:one_off": ALL,
    "wagtail_triggers:confirm_one_off": PUBLISHERS,
    "wagtail_triggers:pause_one_off": PUBLISHERS,
    "wagtail_triggers:resume_one_off": PUBLISHERS,
    "wagtail_triggers:cancel_one_off": PUBLISHERS,
    "wagtail_triggers:test_one_off": WRITERS,
    **{
        f"{PRODUCTS}:{name}": WRITERS
        for name in ("choose", "choose_results", "chosen", "chosen_multiple")
    },
    "wagtail_triggers:merge_tags": WRITERS,
    "wagtail_triggers:count_text": WRITERS,
    "wagtail_triggers:publish_again": PUBLISHERS,
    "triggers_messages:index": ALL,
    "triggers_messages:index_results": ALL,
    "triggers_messages:inspect": ALL,
    "triggers_enrollments:index": ALL,
    "triggers_enrollments:index_results": ALL,
    "triggers_enrollments:inspect": ALL,
    "wagtail_triggers:dashboard": ALL,
    "wagtail_triggers:files": ALL,
    "wagtail_triggers:ready": ALL,
    "wagtail_triggers:ready_letters": WRITERS,
    "wagtail_triggers:make_letter_draft": WRITERS,
    "wagtail_triggers:waiting": ALL,
    "wagtail_triggers:waiting_results": ALL,
    "wagtail_triggers:answers": ALL,
    "wagtail_triggers:answers_results": ALL,
    "wagtail_triggers:make_draft": WRITERS,
    "wagtail_triggers:switch_on": PUBLISHERS,
    "wagtail_triggers:pause_flow": PUBLISHERS,
    "wagtail_triggers:resume_flow": PUBLISHERS,
    "wagtail_triggers:rehearse_flow": PUBLISHERS,
    "wagtail_triggers:go_live_flow": PUBLISHERS,
    "wagtail_triggers:resolve": PUBLISHERS,
    "wagtail_triggers:take_over_flow": PUBLISHERS,
    "wagtail_triggers:forecast_new": WRITERS,
    "wagtail_triggers:forecast": WRITERS,
    "wagtail_triggers:take_over_template": PUBLISHERS,
    **{
        f"wagtail_triggers:desk_{name}{new}": WRITERS
        for name in ("diagram", "checks", "scenes", "play", "count", "publishing")
        for new in ("", "_new")
    },
    "wagtail_triggers:letters": WRITERS,
    "wagtail_triggers:letter": WRITERS,
    "wagtail_triggers:flow_version": WRITERS,
    "wagtail_triggers:variants": ALL,
    "wagtail_triggers:letter_picture": ALL,
    "wagtail_triggers:block_preview": WRITERS,
    "wagtail_triggers:send_test_new": WRITERS,
    "wagtail_triggers:send_test": WRITERS,
    "wagtail_triggers:translated_letter": WRITERS,
    "wagtail_triggers:message_html": PUBLISHERS,
    "wagtail_triggers:why": PUBLISHERS,
    "wagtail_triggers:act": PUBLISHERS,
    "wagtail_triggers:sending": ALL,
    "wagtail_triggers:stop_sending": PUBLISHERS,
    "wagtail_triggers:resume_sending": PUBLISHERS,
    "wagtail_triggers:release_flow": PUBLISHERS,
    "wagtail_triggers:doubts": PUBLISHERS,
    "wagtail_triggers:resolve_many": PUBLISHERS,
    "wagtail_triggers:suppressions": PUBLISHERS,
    "wagtail_triggers:block_address": PUBLISHERS,
    "wagtail_triggers:lift_block": PUBLISHERS,
    "triggers_contacts:index": PUBLISHERS,
    "triggers_contacts:index_results": PUBLISHERS,
    "triggers_contacts:inspect": PUBLISHERS,
}
#: A GET to these changes something in no way, and shows nothing: they answer to POST only.
POST_ONLY = {name for name in ACCESS if name.partition(":")[0] == "wagtail_triggers"} - {
    "wagtail_triggers:dashboard",
    "wagtail_triggers:files",
    "wagtail_triggers:ready",
    "wagtail_triggers:ready_letters",
    "wagtail_triggers:waiting",
    "wagtail_triggers:waiting_results",
    "wagtail_triggers:answers",
    "wagtail_triggers:answers_results",
    "wagtail_triggers:message_html",
    "wagtail_triggers:why",
    "wagtail_triggers:calendar",
    "wagtail_triggers:one_off",
    "wagtail_triggers:act",
    "wagtail_triggers:sending",
    "wagtail_triggers:doubts",
    "wagtail_triggers:suppressions",
    "wagtail_triggers:lift_block",
    "wagtail_triggers:letters",
    "wagtail_triggers:letter",
    "wagtail_triggers:flow_version",
    "wagtail_triggers:variants",
    "wagtail_triggers:letter_picture",
    "wagtail_triggers:block_preview",
    "wagtail_triggers:merge_tags",
    "wagtail_triggers:translated_letter",
}


@pytest.fixture
def people(person: Callable[..., Any]) -> dict[str, Client]:
    """Return a browser for each kind of person."""
    return {
        NOBODY: signed_in(person(NOBODY, "wagtailadmin.access_admin")),
        VIEWER: signed_in(person(VIEWER, *permissions.VIEWER)),
        EDITOR: signed_in(person(EDITOR, *permissions.EDITOR)),
        PUBLISHER: signed_in(person(PUBLISHER, *permissions.PUBLISHER)),
    }


@pytest.fixture
def things(db: None, settings: Any, product: Any) -> dict[str, Any]:
    """Return a template, a flow, a message and a product."""
    template = make_template()
    flow = make_flow(publish=True)
    message = _message()
    dispatch = message.dispatches.create(
        channel="email", state=DispatchState.DEAD, due_at=message.due_at
    )
    contact = Contact.objects.create(identity_key="email:1", created_at=message.planned_at)
    return {
        FLOWS: flow,
        "two ways": make_split_flow(publish=False),
        TEMPLATES: template,
        "message": message,
        "dispatch": dispatch,
        "enrollment": make_enrollment(Flow.objects.get(), timezone.now()),
        "contact": contact,
        "triggers_segments": SavedSegment.objects.create(
            key="tea",
            name="Tea drinkers",
            conditions=[{"kind": "has_tag", "tag": "tea"}],
            changed_at=message.due_at,
        ),
        "triggers_one_off": OneOffLetter.objects.create(
            name="First flush",
            segment="tea",
            template="letter-1",
            topic="offers",
            created_at=message.due_at,
            changed_at=message.due_at,
        ),
        "suppression": Suppression.objects.create(
            channel="email", point_hash="1", reason="manual", created_at=message.planned_at
        ),
        "product": product,
    }


def _message() -> Message:
    now = timezone.now()
    return Message.objects.create(
        idempotency_key="test:1",
        stream="promotional",
        planned_at=now,
        due_at=now,
        not_after=now,
        payload={"letter": {"subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}},
    )


def address(name: str, things: dict[str, Any]) -> str:
    """Return a working address of a page."""
    namespace, _, view = name.partition(":")
    if namespace == "triggers_messages":
        return reverse(name, args=[things["message"].pk] if view == "inspect" else [])
    if namespace == "triggers_enrollments":
        return reverse(name, args=[things["enrollment"].pk] if view == "inspect" else [])
    if namespace == "triggers_contacts":
        return reverse(name, args=[things["contact"].pk] if view == "inspect" else [])
    if namespace in CROWDS:
        plain = view in ("index", "index_results", "add")
        return reverse(name, args=[] if plain else [things[namespace].pk])
    if namespace == "wagtail_triggers":
        if view.endswith("one_off"):
            return reverse(name, args=[things["triggers_one_off"].pk])
        if view == "count_segment":
            return reverse(name, args=[things["triggers_segments"].pk])
        if view == "count_people":
            return reverse(name, args=[things["triggers_segments"].key])
        if view == "message_html":
            return reverse(name, args=[things["message"].pk])
        if view.startswith("desk_"):
            return reverse(name, args=[] if view.endswith("_new") else [things[FLOWS].pk])
        if view == "letter":
            return reverse(name, args=["letter-1"])
        if view == "variants":
            return reverse(name, args=[things["two ways"].pk, "split-1"])
        if view == "block_preview":
            return reverse(name, args=["heading"])
        if view == "letter_picture":
            return reverse(name, args=["letter-1"])
        if view == "flow_version":
            return reverse(name, args=[things[FLOWS].pk, 1])
        if view == "resolve":
            return reverse(name, args=[things["dispatch"].pk, "drop"])
        if view == "act":
            return reverse(name, args=[things["contact"].pk, "stop", 0])
        if view == "lift_block":
            return reverse(name, args=[things["suppression"].pk])
        if view in ("make_draft", "switch_on"):
            return reverse(name, args=["request-confirmation"])
        if view == "make_letter_draft":
            return reverse(name, args=["birthday"])
        if view.endswith("_flow"):
            return reverse(name, args=["left-basket"])
        if view.endswith("_template"):
            return reverse(name, args=["letter-1"])
        if view in ("forecast", "send_test", "translated_letter"):
            return reverse(name, args=[things[FLOWS if view == "forecast" else TEMPLATES].pk])
        return reverse(name)
    if namespace == PRODUCTS:
        return reverse(name, args=[things["product"].pk] if view == "chosen" else [])
    if namespace in CHOOSERS:
        draft = things[FLOWS if namespace.endswith("flowdraft") else TEMPLATES]
        return reverse(name, args=[draft.pk] if view == "chosen" else [])
    if view in ("list", "list_results", "add", "preview_on_add"):
        return reverse(name)
    draft = things[namespace]
    revision = draft.latest_revision.pk
    arguments: dict[str, list[Any]] = {
        "revisions_view": [revision],
        "revisions_revert": [revision],
        "revisions_unschedule": [revision],
        "revisions_compare": [revision, "latest"],
        "workflow_action": ["approve", 1],
        "collect_workflow_action_data": ["approve", 1],
        "workflow_history_detail": [1],
        "workflow_preview": [1],
    }
    return reverse(name, args=[draft.pk, *arguments.get(view, [])])


@pytest.mark.parametrize("name", sorted(POST_ONLY))
def test_what_changes_something_answers_to_post_only(
    name: str, people: dict[str, Client], things: dict[str, Any]
) -> None:
    assert people[PUBLISHER].get(address(name, things)).status_code == 405


def test_a_superuser_cannot_change_the_log_either(things: dict[str, Any], admin_user: Any) -> None:
    policy = permissions.ReadOnlyPolicy(Message)
    assert policy.user_has_permission(admin_user, "view")
    for action in ("add", "change", "delete", "publish"):
        assert not policy.user_has_permission(admin_user, action)
