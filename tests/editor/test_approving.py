"""A draft that waits for approval is approved only if the engine takes it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import GroupApprovalTask, Workflow, WorkflowContentType, WorkflowTask

from oscar_triggers.models import Flow, Template
from tests.editor.conftest import make_flow, make_template
from tests.editor.forms import flow_form
from wagtail_triggers.models import FlowDraft

EDIT = "wagtailsnippets_wagtail_triggers_flowdraft:edit"
ACT = "wagtailsnippets_wagtail_triggers_flowdraft:workflow_action"


@pytest.fixture
def good_draft(root_page: Any, admin_user: Any) -> FlowDraft:
    """Return a draft that waits for approval, and can be published."""
    from django.contrib.auth.models import Group
    from django.contrib.contenttypes.models import ContentType

    make_template()
    draft = make_flow()
    workflow = Workflow.objects.create(name="Two pairs of eyes")
    task = GroupApprovalTask.objects.create(name="Look")
    group = Group.objects.create(name="Lookers")
    admin_user.groups.add(group)
    task.groups.add(group)
    WorkflowTask.objects.create(workflow=workflow, task=task, sort_order=0)
    WorkflowContentType.objects.create(
        workflow=workflow, content_type=ContentType.objects.get_for_model(FlowDraft)
    )
    workflow.start(draft, admin_user)
    return draft


@pytest.fixture
def waiting_draft(good_draft: FlowDraft) -> FlowDraft:
    """Return a draft that waits for approval, and whose letter was taken away meanwhile."""
    Template.objects.get().versions.all()._raw_delete("default")
    return good_draft


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_approving_from_the_list_says_why_the_engine_refuses(
    waiting_draft: FlowDraft, admin_user: Any
) -> None:
    client = signed_in(admin_user)
    task_state = waiting_draft.current_workflow_task_state
    url = reverse(ACT, args=[waiting_draft.pk, "approve", task_state.pk])
    page = client.post(url, follow=True)
    assert page.status_code == 200
    assert "not published" in page.content.decode()
    assert not Flow.objects.exists()
    waiting_draft.refresh_from_db()
    assert waiting_draft.workflow_in_progress


def test_approving_in_the_editor_says_why_the_engine_refuses(
    waiting_draft: FlowDraft, admin_user: Any
) -> None:
    client = signed_in(admin_user)
    form = flow_form(waiting_draft, **{"action-workflow-action": "true"})
    form["workflow-action-name"] = "approve"
    page = client.post(reverse(EDIT, args=[waiting_draft.pk]), form, follow=True)
    assert page.status_code == 200
    assert not Flow.objects.exists()


def approved_by(client: Client, draft: FlowDraft) -> Any:
    task_state = draft.current_workflow_task_state
    url = reverse(ACT, args=[draft.pk, "approve", task_state.pk])
    asked = client.post(url, {"comment": "Fine by me"})
    return url, asked


def test_approving_from_the_list_says_first_what_publishing_does(
    good_draft: FlowDraft, admin_user: Any
) -> None:
    client = signed_in(admin_user)
    url, asked = approved_by(client, good_draft)
    page = asked.content.decode()
    assert asked.status_code == 200
    assert "Approve and publish" in page
    assert not Flow.objects.exists(), "nothing is approved before it was read"
    good_draft.refresh_from_db()
    assert good_draft.workflow_in_progress
    assert 'name="comment" value="Fine by me"' in page
    answer = client.post(url, {"comment": "Fine by me", "triggers-seen": "true"})
    assert answer.status_code == 302
    assert Flow.objects.get().live_version is not None
    good_draft.refresh_from_db()
    assert not good_draft.workflow_in_progress


def test_approving_in_the_editor_saves_what_was_written_and_asks_first(
    good_draft: FlowDraft, admin_user: Any
) -> None:
    client = signed_in(admin_user)
    form = flow_form(good_draft, **{"action-workflow-action": "true"})
    form |= {"workflow-action-name": "approve", "name": "Left behind"}
    form["workflow-action-extra-data"] = '{"comment": "Looks good"}'
    asked = client.post(reverse(EDIT, args=[good_draft.pk]), form)
    page = asked.content.decode()
    assert asked.status_code == 200
    assert "Approve and publish “Left behind”?" in page
    assert 'value="Looks good"' in page
    assert not Flow.objects.exists()
    url = reverse(ACT, args=[good_draft.pk, "approve", good_draft.current_workflow_task_state.pk])
    client.post(url, {"comment": "Looks good", "triggers-seen": "true"})
    assert Flow.objects.get().name == "Left behind"


def test_the_window_for_a_comment_tells_it_too(good_draft: FlowDraft, admin_user: Any) -> None:
    task_state = good_draft.current_workflow_task_state
    url = reverse(ACT, args=[good_draft.pk, "approve", task_state.pk])
    shown = signed_in(admin_user).get(url).json()["html"]
    assert "triggers-seen" in shown
    assert "comment" in shown


def test_sending_a_draft_back_asks_nothing(good_draft: FlowDraft, admin_user: Any) -> None:
    task_state = good_draft.current_workflow_task_state
    url = reverse(ACT, args=[good_draft.pk, "reject", task_state.pk])
    assert signed_in(admin_user).post(url, {"comment": "No"}).status_code == 302
