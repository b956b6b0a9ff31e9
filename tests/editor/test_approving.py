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
def waiting_draft(root_page: Any, admin_user: Any) -> FlowDraft:
    """Return a draft that waits for approval, and whose letter was taken away meanwhile."""
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
    Template.objects.get().versions.all()._raw_delete("default")
    return draft


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
