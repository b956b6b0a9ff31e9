"""What storms share: an SMTP server and an environment for the processes that use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.storm.sink import Sink, running_sink


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """Run an SMTP server that takes some milliseconds to answer."""
    with running_sink(tmp_path / "accepted.log", delay=0.005) as running:
        yield running


@pytest.fixture
def environment(process_environment: dict[str, str], sink: Sink, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a storm's processes; they write to the storm's SMTP server."""
    return {
        **process_environment,
        "DJANGO_SETTINGS_MODULE": "tests.storm.settings",
        "SMTP_PORT": str(sink.port),
        "SANDBOX_VAR": str(tmp_path / "var"),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def shop(transactional_db: None, shop_site: Any, country: Any) -> None:
    """Open the shop."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def vendor(request: pytest.FixtureRequest, transactional_db: None) -> str:
    """Run a storm on SQLite and, where PostgreSQL is asked for, there."""
    if request.param != connection.vendor:
        pytest.skip(f"this run's database is {connection.vendor}")
    return str(request.param)
