"""Which servers and programs the tests find on this machine, and what their absence means."""

from __future__ import annotations

import os
import shutil
import socket
from urllib.parse import urlsplit

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DEFAULT_PORTS = {"redis": 6379, "rediss": 6379, "postgres": 5432, "postgresql": 5432}
_CONNECT_SECONDS = 2


def required() -> bool:
    """Tell whether a missing service is a failure (in CI) and not a visible skip."""
    return os.environ.get("REQUIRE_SERVICES", os.environ.get("CI", "")).lower() in ("1", "true")


def answers(url: str) -> bool:
    """Tell whether something listens at the address of a database or broker URL."""
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0))
    try:
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def redis_url() -> str:
    """Return the address of the Redis that tests may use."""
    return os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/15"


def browser_path() -> str | None:
    """Return the path of an installed chromium."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def demand(what: str, how: str) -> None:
    """Skip the running test because something is missing, or fail it where that is required."""
    message = f"needs {what}: {how}"
    if required():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
