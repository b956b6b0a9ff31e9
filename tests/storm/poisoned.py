"""The storm's settings with an app in which one letter is poison."""

from __future__ import annotations

from tests.storm.settings import *  # noqa: F403 — the storm's own
from tests.storm.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.storm.apps.Poison"]
