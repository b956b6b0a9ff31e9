"""The tests' settings as the processes of a storm use them; a storm turns their knobs by name."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

from tests.settings import *  # noqa: F403 — the very shop of the other tests
from tests.settings import OSCAR_TRIGGERS as _OSCAR_TRIGGERS
from tests.settings import SMTP_TIMEOUT_SECONDS as _SMTP_TIMEOUT_SECONDS


def _read(value: Any) -> Any:
    """Return a value of JSON; {"seconds": 3} is a duration, and durations may stand in lists."""
    if isinstance(value, dict) and set(value) == {"seconds"}:
        return timedelta(seconds=value["seconds"])
    return tuple(map(_read, value)) if isinstance(value, list) else value


class _NoMigrations:
    """What Django takes for a dictionary in which every app has None."""

    def __contains__(self, app: object) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


OSCAR_TRIGGERS: dict[str, Any] = {
    **_OSCAR_TRIGGERS,
    "LEASE_FOR": timedelta(seconds=float(os.environ.get("STORM_LEASE_SECONDS", "90"))),
    "BATCH_SIZE": int(os.environ.get("STORM_BATCH_SIZE", "100")),
    "SWEEP_EVERY": timedelta(seconds=1),
    # What a storm changes: a JSON object of keys of the setting.
    **{key: _read(value) for key, value in json.loads(os.environ.get("STORM_TRIGGERS", "{}")).items()},
}  # fmt: skip

_ASKED = float(os.environ.get("STORM_SMTP_SECONDS", _SMTP_TIMEOUT_SECONDS))
_LEASE = OSCAR_TRIGGERS["LEASE_FOR"].total_seconds()
# Shorter than a lease, as the checks demand: storms have short ones.
_SMTP_TIMEOUT_SECONDS = min(_ASKED, _LEASE / 2)
if django.VERSION >= (6, 1):
    MAILERS["default"]["OPTIONS"]["timeout"] = _SMTP_TIMEOUT_SECONDS  # type: ignore[index]  # noqa: F405 - of the sandbox
else:
    EMAIL_TIMEOUT = _SMTP_TIMEOUT_SECONDS

if os.environ.get("STORM_WITHOUT_MIGRATIONS"):
    # As the tests' own databases are made: from the models.
    MIGRATION_MODULES = _NoMigrations()

if "STORM_BROKER_DIR" in os.environ:
    _BROKER = Path(os.environ["STORM_BROKER_DIR"])
    for _folder in ("messages", "control", "done"):
        (_BROKER / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_BROKER / "messages"),
        "data_folder_out": str(_BROKER / "messages"),
        "control_folder": str(_BROKER / "control"),
        "processed_folder": str(_BROKER / "done"),
        "store_processed": False,
    }
elif "STORM_BROKER_URL" in os.environ:
    CELERY_BROKER_URL = os.environ["STORM_BROKER_URL"]
CELERY_BEAT_SCHEDULE = {
    "oscar-triggers-tick": {
        "task": "oscar_triggers.tasks.tick",
        "schedule": timedelta(seconds=1),
        "options": {"expires": 1},
    }
}
# Celery writes its own log: a storm reads there who is ready.
CELERY_WORKER_HIJACK_ROOT_LOGGER = True
