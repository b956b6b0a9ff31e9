"""Three groups are there from the first migrate on, and may do what their names say."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection

from wagtail_triggers import permissions

pytestmark = pytest.mark.django_db

groups: Any = import_module("wagtail_triggers.migrations.0008_groups_of_people")


@pytest.fixture
def editor_of_schema(root_page: Any) -> Any:
    """Return what migrations are given; the permission to enter Wagtail is there, no group is."""
    Group.objects.filter(name__in=groups.GROUPS).delete()
    return connection.schema_editor(atomic=False)


def names_of(group: str) -> set[str]:
    """Return what a group may do, as "app.codename"."""
    found = Permission.objects.filter(group__name=group).values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in found}


def test_groups_may_do_what_their_names_say(editor_of_schema: Any) -> None:
    groups.make_groups(apps, editor_of_schema)
    assert names_of("Trigger editors") == set(permissions.EDITOR)
    assert names_of("Trigger approvers") == set(permissions.PUBLISHER)
    assert names_of("Trigger analysts") == set(permissions.ANALYST)


def test_permissions_that_are_not_there_yet_are_made(editor_of_schema: Any) -> None:
    Permission.objects.filter(
        content_type__app_label__in=["oscar_triggers", "wagtail_triggers"]
    ).delete()
    groups.make_groups(apps, editor_of_schema)
    assert "wagtail_triggers.publish_flowdraft" in names_of("Trigger approvers")


def test_what_a_shop_changed_in_a_group_stays(editor_of_schema: Any) -> None:
    groups.make_groups(apps, editor_of_schema)
    Group.objects.get(name="Trigger editors").permissions.clear()
    groups.make_groups(apps, editor_of_schema)
    assert Group.objects.filter(name="Trigger editors").count() == 1
    assert names_of("Trigger editors") == set()


def test_back_again_only_empty_groups_go(editor_of_schema: Any) -> None:
    groups.make_groups(apps, editor_of_schema)
    user = get_user_model().objects.create_user(username="ann", email="ann@shop.example")
    user.groups.add(Group.objects.get(name="Trigger editors"))
    groups.drop_groups(apps, editor_of_schema)
    assert set(Group.objects.filter(name__startswith="Trigger").values_list("name", flat=True)) == {
        "Trigger editors"
    }
