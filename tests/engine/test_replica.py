"""Shops with a read replica: nothing that decides about a letter is read from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import OperationalError, connections
from django.test import override_settings

from oscar_triggers.models import FlowVersion

from .conftest import SEND, wait

pytestmark = pytest.mark.django_db


class LaggingReplica:
    """Sends every read to a database without tables, so that one read fails the test."""

    def db_for_read(self, model: type[Any], **hints: Any) -> str | None:
        """Name the replica."""
        return "replica"

    def db_for_write(self, model: type[Any], **hints: Any) -> str:
        """Name the primary."""
        return "default"

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        """Allow all: it is one database."""
        return True


def test_a_letter_is_decided_about_without_reading_from_a_replica(
    publish_flow: Callable[..., FlowVersion],
    expire: Callable[..., None],
    tick: Callable[[datetime], Any],
    now: datetime,
    agreed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish_flow(wait("pause", "1h"), SEND)
    empty = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {},
    }
    monkeypatch.setitem(connections.settings, "replica", empty)
    with override_settings(DATABASE_ROUTERS=["tests.engine.test_replica.LaggingReplica"]):
        with pytest.raises((OperationalError, AssertionError)):
            get_user_model().objects.exists()
        expire()
        tick(now)
        tick(now + timedelta(hours=1))
    assert len(mail.outbox) == 1
