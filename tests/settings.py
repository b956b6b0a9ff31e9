"""The sandbox's settings with what tests change."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sandbox.settings import *  # noqa: F403 — the tests run on the very shop of the sandbox
from sandbox.settings import INSTALLED_APPS as _INSTALLED_APPS
from sandbox.settings import OSCAR_TRIGGERS as _OSCAR_TRIGGERS
from sandbox.settings import apps_of, database, env

# Nothing that a test writes stays in the tree.
_TEMPORARY = Path(tempfile.mkdtemp(prefix="oscar-triggers-tests-"))
atexit.register(shutil.rmtree, _TEMPORARY, ignore_errors=True)
MEDIA_ROOT = _TEMPORARY / "media"
INBOX_DIR = _TEMPORARY / "inbox"

#: PostgreSQL when asked for. SQLite stands in a file, as in a shop: threads and processes of a
#: test have connections of their own.
_DATABASE: dict[str, Any] = database(
    env.str("TEST_DATABASE_URL", default=f"sqlite:///{_TEMPORARY / 'db.sqlite3'}")
)
if _DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    # A power cut during a test harms nobody.
    _DATABASE["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    _DATABASE["TEST"] = {"NAME": str(_TEMPORARY / "test.sqlite3")}
else:
    # Several runs may share one server.
    _DATABASE["TEST"] = {"NAME": f"test_triggers_{os.getpid()}"}
DATABASES = {"default": _DATABASE}
INSTALLED_APPS = [*dict.fromkeys([*_INSTALLED_APPS, *apps_of(_DATABASE)])]

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}

# Limits of their own tests: all others would meet them by accident.
OSCAR_TRIGGERS: dict[str, Any] = {
    **_OSCAR_TRIGGERS,
    "ALARMS": {"mail_admins": {}},
    "FREQUENCY_CAPS": {},
    "BLAST_LIMIT": None,
}
