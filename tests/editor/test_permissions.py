"""Every page of the editor lets in whom it should, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from oscar_triggers.models import DispatchState, Message
from tests.editor.conftest import make_flow, make_template, signed_in
from wagtail_triggers import permissions

#: Address names below Wagtail's admin that are this app's.
NAMESPACES = (
    "wagtail_triggers",
    "wagtailsnippets_wagtail_triggers_flowdraft",
    "wagtailsnippets_wagtail_triggers_templatedraft",
    "wagtailsnippetchoosers_wagtail_triggers_flowdraft",
    "wagtailsnippetchoosers_wagtail_triggers_templatedraft",
    "triggers_messages",
)
FLOWS, TEMPLATES = NAMESPACES[1], NAMESPACES[2]
CHOOSERS = NAMESPACES[3:5]

NOBODY, VIEWER, EDITOR, PUBLISHER = "nobody", "viewer", "editor", "publisher"
ALL = {VIEWER, EDITOR, PUBLISHER}
WRITERS = {EDITOR, PUBLISHER}
PUBLISHERS = {PUBLISHER}

#: Address name → who gets in. A page without a row fails the test.
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
    "triggers_messages:index": ALL,
    "triggers_messages:index_results": ALL,
    "triggers_messages:inspect": ALL,
    "wagtail_triggers:files": ALL,
    "wagtail_triggers:pause_flow": PUBLISHERS,
    "wagtail_triggers:resume_flow": PUBLISHERS,
    "wagtail_triggers:rehearse_flow": PUBLISHERS,
    "wagtail_triggers:go_live_flow": PUBLISHERS,
    "wagtail_triggers:resolve": PUBLISHERS,
    "wagtail_triggers:take_over_flow": PUBLISHERS,
    "wagtail_triggers:forecast_new": WRITERS,
    "wagtail_triggers:forecast": WRITERS,
    "wagtail_triggers:take_over_template": PUBLISHERS,
    "wagtail_triggers:send_test_new": WRITERS,
    "wagtail_triggers:send_test": WRITERS,
    "wagtail_triggers:message_html": PUBLISHERS,
}
#: A GET to these changes something in no way, and shows nothing: they answer to POST only.
POST_ONLY = {name for name in ACCESS if name.partition(":")[0] == "wagtail_triggers"} - {
    "wagtail_triggers:files",
    "wagtail_triggers:message_html",
}


def every_name() -> list[str]:
    """Return the name of every address of this app below Wagtail's admin."""
    found: list[str] = []

    def walk(patterns: Any, namespace: str) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, pattern.namespace or namespace)
            elif isinstance(pattern, URLPattern) and namespace in NAMESPACES:
                found.append(f"{namespace}:{pattern.name}")

    walk(get_resolver().url_patterns, "")
    return sorted(set(found))


def test_every_page_has_a_row_that_says_who_gets_in(db: None) -> None:
    assert set(every_name()) == set(ACCESS)


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
def things(db: None, settings: Any) -> dict[str, Any]:
    """Return a template, a flow and a message."""
    template = make_template()
    flow = make_flow(publish=True)
    message = _message()
    dispatch = message.dispatches.create(
        channel="email", state=DispatchState.DEAD, due_at=message.due_at
    )
    return {FLOWS: flow, TEMPLATES: template, "message": message, "dispatch": dispatch}


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
    if namespace == "wagtail_triggers":
        if view == "message_html":
            return reverse(name, args=[things["message"].pk])
        if view == "resolve":
            return reverse(name, args=[things["dispatch"].pk, "drop"])
        if view.endswith("_flow"):
            return reverse(name, args=["left-basket"])
        if view.endswith("_template"):
            return reverse(name, args=["letter-1"])
        if view in ("forecast", "send_test"):
            return reverse(name, args=[things[FLOWS if view == "forecast" else TEMPLATES].pk])
        return reverse(name)
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


def gets_in(client: Client, name: str, url: str) -> bool:
    """Ask for a page, and say whether it let the person in (an answer to the question at least)."""
    view = name.partition(":")[2]
    post = name in POST_ONLY or view in ("lock", "unlock", "confirm_workflow_cancellation")
    response = client.post(url, {}) if post else client.get(url)
    if response.status_code in (302, 403):
        # Wagtail answers a refused page by a redirect to its own front page.
        return response.status_code == 302 and response["Location"] != reverse("wagtailadmin_home")
    return response.status_code != 404 or view not in _DRAFTS


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_a_page_lets_in_whom_it_should(
    name: str, people: dict[str, Client], things: dict[str, Any]
) -> None:
    url = address(name, things)
    anonymous = Client().get(url)
    assert anonymous.status_code == 302
    assert "/login/" in anonymous["Location"]
    let_in = {who for who, client in people.items() if gets_in(client, name, url)}
    assert let_in == ACCESS[name]


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
