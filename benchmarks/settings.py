"""The tests' shop with django-post_office beside us, and our SMTP backend for ready bytes."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 — the very shop of the tests
from tests.settings import DATABASES as _DATABASES
from tests.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = [*_INSTALLED_APPS, "post_office"]
POST_OFFICE = {"BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}}

EMAIL_BACKEND = "oscar_triggers.builtin.smtp.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ.get("SMTP_PORT", "0"))
EMAIL_TIMEOUT = 30

# As a shop runs it: what is committed is on the disk.
if _DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    _DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    )


# A process beside the benchmark works on the benchmark's own test database.
if os.environ.get("BENCHMARK_DATABASE"):
    _DATABASES["default"]["NAME"] = os.environ["BENCHMARK_DATABASE"]


class _NoMigrations:
    def __contains__(self, app: str) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


MIGRATION_MODULES = _NoMigrations()
LOGGING: dict[str, object] = {"version": 1, "disable_existing_loggers": True}
