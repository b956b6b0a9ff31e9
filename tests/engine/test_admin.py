"""Django's admin shows the engine's rows and changes none of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from oscar_triggers.models import FlowVersion

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db

SHOWN = [
    model for model in apps.get_app_config("oscar_triggers").get_models()
    if admin.site.is_registered(model)
]  # fmt: skip


@pytest.fixture
def rows(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    tick: Callable[[datetime], Any],
    now: datetime,
    agreed: int,
) -> None:
    """Let one letter be sent, so that the lists are not empty."""
    publish_flow(wait("pause", "1h"), SEND)
    expire()
    tick(now)
    tick(now + timedelta(hours=1))


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.model_name)
def test_every_list_and_row_can_be_looked_at_and_not_changed(
    model: Any, rows: None, admin_client: Client
) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    page = admin_client.get(reverse(f"{name}_changelist"))
    assert page.status_code == 200
    assert b"anna@example.com" not in page.content.lower()
    assert admin_client.get(reverse(f"{name}_add")).status_code == 403
    row = model.objects.first()
    if row is None:
        return
    address = reverse(f"{name}_change", args=[row.pk])
    shown = admin_client.get(address)
    assert shown.status_code == 200
    assert b'name="_save"' not in shown.content
    assert admin_client.post(address, {}).status_code == 403
    assert admin_client.post(reverse(f"{name}_delete", args=[row.pk])).status_code == 403


def test_no_list_asks_more_questions_for_more_rows(
    rows: None, admin_client: Client, expire: Callable[..., None], tick: Any, now: datetime,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    from oscar_triggers.snapshots import Person

    for number in range(30):
        expire(card=f"more-{number}", who=Person(email=f"p{number}@example.com"))
    tick(now)
    for model in SHOWN:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        with django_assert_max_num_queries(14):
            admin_client.get(reverse(name))
