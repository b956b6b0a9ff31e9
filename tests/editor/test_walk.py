"""The walk: every address of ours below Wagtail's admin, asked for by every kind of person.

Who gets in stands in one table, `test_permissions.ACCESS`; how to write a working address in
`test_permissions.address`. An address without a row fails the first test here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.template.base import Template
from django.test import Client
from django.test.utils import _TestState
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from wagtail.models import GroupApprovalTask, Workflow, WorkflowTask

from tests.editor.conftest import signed_in
from tests.editor.test_permissions import (
    ACCESS,
    EDITOR,
    FLOWS,
    NOBODY,
    POST_ONLY,
    PUBLISHER,
    TEMPLATES,
    VIEWER,
    address,
    things,
)
from wagtail_triggers import permissions
from wagtail_triggers.halts import OURS

__all__ = ["things"]

ANALYST, SUPERUSER, OSCAR_STAFF, ANONYMOUS = "analyst", "superuser", "oscar staff", "anonymous"
#: Who passes the door of Wagtail's admin at all.
INSIDE = (NOBODY, VIEWER, ANALYST, EDITOR, PUBLISHER, SUPERUSER)

#: What a page answers to those whom it lets in, where that is not 200 (GET) or 302 (POST).
STATUS: dict[str, int] = {
    # Asked with an empty form: each says what is missing.
    "wagtail_triggers:block_address": 200,
    "wagtail_triggers:forecast": 400,
    "wagtail_triggers:forecast_new": 400,
    "wagtail_triggers:send_test": 400,
    "wagtail_triggers:send_test_new": 400,
    "wagtail_triggers:resolve_many": 404,
    **{
        f"wagtail_triggers:desk_{panel}{new}": 400
        for panel in ("diagram", "checks", "scenes", "play", "count", "publishing")
        for new in ("", "_new")
    },
    # Counted while somebody types: what is missing is said in the place of the number.
    "wagtail_triggers:count_segment": 200,
    "wagtail_triggers:count_text": 200,
    "wagtail_triggers:count_new_segment": 200,
    # Leads to the form of the letter.
    "wagtail_triggers:letter": 302,
    # What is asked for is no file's.
    "wagtail_triggers:take_over_flow": 404,
    "wagtail_triggers:take_over_template": 404,
    # Of a letter that wagtail-localize translates (tests/localize).
    "wagtail_triggers:translated_letter": 404,
    **{
        f"{drafts}:{view}": status
        for drafts in (FLOWS, TEMPLATES)
        for view, status in (
            ("confirm_workflow_cancellation", 200),
            # What runs, or is sent by something that runs, is not deleted.
            ("delete", 302),
            ("workflow_history_detail", 404),
        )
    },
}
#: What nobody finds, because nothing waits for approval; see the last test for what does.
NOWHERE = {
    f"{drafts}:{view}"
    for drafts in (FLOWS, TEMPLATES)
    for view in ("workflow_action", "collect_workflow_action_data", "workflow_preview")
}
#: Addresses with something behind the question mark, beside those that the resolver knows.
QUERIES: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "waiting as a file": ("wagtail_triggers:waiting", {"export": "csv"}, {ANALYST, PUBLISHER}),
    "answers as a file": ("wagtail_triggers:answers", {"export": "xlsx"}, {ANALYST, PUBLISHER}),
    "messages as a file": ("triggers_messages:index", {"export": "csv"}, {ANALYST, PUBLISHER}),
    "ways as a file": ("triggers_enrollments:index", {"export": "csv"}, {ANALYST, PUBLISHER}),
    "segments as a file": ("triggers_segments:index", {"export": "csv"}, {ANALYST, PUBLISHER}),
    "messages to a segment": ("triggers_messages:index", {"segment": "tea"}, {PUBLISHER}),
    "ways of a segment": ("triggers_enrollments:index", {"segment": "tea"}, {PUBLISHER}),
    "people of a segment": ("triggers_contacts:index", {"segment": "tea"}, {PUBLISHER}),
    "figures of a segment": ("wagtail_triggers:dashboard", {"segment": "tea"}, {PUBLISHER}),
    "flows as a file": (f"{FLOWS}:list", {"export": "csv"}, {ANALYST, PUBLISHER}),
}


def walk(patterns: Any, namespace: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, view) of every address that a resolver knows."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, pattern.namespace or namespace)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}:{pattern.name}", pattern.callback


def module_of(view: Any) -> str:
    """Return where a view was written, below what is wrapped around it."""
    while hasattr(view, "__wrapped__"):
        view = view.__wrapped__
    return str(getattr(getattr(view, "view_class", view), "__module__", ""))


def ours() -> set[str]:
    """Return the addresses that lie in a namespace of ours, or lead to a view of ours."""
    return {
        name
        for name, view in walk(get_resolver().url_patterns)
        if name.startswith(OURS) or module_of(view).startswith("wagtail_triggers")
    }


def test_every_address_of_ours_has_a_row(db: None) -> None:
    assert ours() == set(ACCESS)


@pytest.fixture(autouse=True)
def _pages_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render as in the shop: that the test client notes every template's context costs minutes."""
    monkeypatch.setattr(Template, "_render", _TestState.saved_data.template_render)


@pytest.fixture
def everybody(person: Callable[..., Any], admin_user: Any) -> dict[str, Client]:
    """Return a browser for each kind of person."""
    staff = get_user_model().objects.create_user(
        username="staff", email="staff@shop.example", is_staff=True
    )
    return {
        ANONYMOUS: Client(),
        OSCAR_STAFF: signed_in(staff),
        NOBODY: signed_in(person(NOBODY, "wagtailadmin.access_admin")),
        VIEWER: signed_in(person(VIEWER, *permissions.VIEWER)),
        ANALYST: signed_in(person(ANALYST, *permissions.ANALYST)),
        EDITOR: signed_in(person(EDITOR, *permissions.EDITOR)),
        PUBLISHER: signed_in(person(PUBLISHER, *permissions.PUBLISHER)),
        SUPERUSER: signed_in(admin_user),
    }


def answer_of(client: Client, url: str, *, post: bool) -> str:
    """Ask, undo what that did, and say what was answered: a status, "login" or "refused"."""
    with transaction.atomic():
        response = client.post(url, {}) if post else client.get(url)
        transaction.set_rollback(True)
    if response.status_code == 403:
        return "refused"
    if response.status_code == 302:
        if response["Location"] == reverse("wagtailadmin_home"):
            # Wagtail's way of refusing who is inside already.
            return "refused"
        if "/login/" in response["Location"]:
            return "login"
    return str(response.status_code)


def let_in(name: str) -> set[str]:
    """Return who gets in: analysts read what viewers read, a superuser is let in everywhere."""
    who = set(ACCESS[name])
    return who | ({ANALYST} if VIEWER in who else set()) | ({SUPERUSER} if who else set())


def wanted(name: str, who: str, *, post: bool) -> str:
    """Return what the table says that somebody is answered."""
    if who not in INSIDE:
        return "login"
    if name in NOWHERE:
        return "404"
    if name.endswith(":workflow_history_detail") and who in let_in(name.replace("_detail", "")):
        return "404"
    if who not in let_in(name):
        return "refused"
    return str(STATUS.get(name, 302 if post else 200))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("namespace", sorted({name.partition(":")[0] for name in ACCESS}))
def test_every_address_answers_everybody_as_the_table_says(
    namespace: str, everybody: dict[str, Client], things: dict[str, Any]
) -> None:
    wrong = []
    for name in sorted(one for one in ACCESS if one.partition(":")[0] == namespace):
        url = address(name, things)
        view = name.partition(":")[2]
        post = name in POST_ONLY or view in ("lock", "unlock", "confirm_workflow_cancellation")
        for who, client in everybody.items():
            said, should = answer_of(client, url, post=post), wanted(name, who, post=post)
            if said != should:
                wrong.append(f"{name} answers {who} {said}, and should {should}")
    assert not wrong, "\n".join(wrong)


def test_files_are_for_those_who_may_take_them_away(everybody: dict[str, Client], db: None) -> None:
    for title, (name, query, who) in QUERIES.items():
        url = f"{reverse(name)}?{'&'.join(f'{key}={value}' for key, value in query.items())}"
        answers = {one: answer_of(everybody[one], url, post=False) for one in INSIDE}
        assert {one for one, said in answers.items() if said == "200"} == who | {SUPERUSER}, title


def test_a_bulk_action_is_checked_as_its_page_is(
    everybody: dict[str, Client], things: dict[str, Any]
) -> None:
    url = reverse("wagtail_bulk_action", args=["wagtail_triggers", "flowdraft", "delete"])
    flow = things[FLOWS]
    for who in (NOBODY, VIEWER, ANALYST):
        with transaction.atomic():
            everybody[who].post(f"{url}?id={flow.pk}")
            assert type(flow).objects.filter(pk=flow.pk).exists(), who
            transaction.set_rollback(True)


def test_what_waits_for_approval_is_seen_by_those_who_write_or_decide(
    everybody: dict[str, Client], things: dict[str, Any], admin_user: Any
) -> None:
    draft = things[TEMPLATES]
    workflow = Workflow.objects.create(name="Two pairs of eyes")
    task = GroupApprovalTask.objects.create(name="Look")
    group = Group.objects.create(name="Lookers")
    admin_user.groups.add(group)
    task.groups.add(group)
    WorkflowTask.objects.create(workflow=workflow, task=task, sort_order=0)
    state = workflow.start(draft, admin_user)
    step = state.current_task_state.pk
    urls = {
        view: reverse(f"{TEMPLATES}:{view}", args=[draft.pk, *rest])
        for view, rest in (
            ("workflow_preview", [task.pk]),
            ("collect_workflow_action_data", ["reject", step]),
            ("workflow_action", ["approve", step]),
            ("workflow_history_detail", [state.pk]),
        )
    }
    for view, url in urls.items():
        for who in (ANONYMOUS, OSCAR_STAFF, NOBODY, VIEWER, ANALYST):
            assert answer_of(everybody[who], url, post=False) in ("refused", "login"), (view, who)
    with transaction.atomic():
        for who in (NOBODY, VIEWER, ANALYST, EDITOR, PUBLISHER):
            everybody[who].post(urls["workflow_action"])
            state.refresh_from_db()
            assert state.status == "in_progress", who
        transaction.set_rollback(True)
    assert answer_of(everybody[SUPERUSER], urls["workflow_preview"], post=False) == "200"
