"""The tests' settings as the processes of a storm use them; a storm turns their knobs by name."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.settings import *  # noqa: F403 — the very shop of the other tests
from tests.settings import OSCAR_TRIGGERS as _OSCAR_TRIGGERS

OSCAR_TRIGGERS: dict[str, Any] = {
    **_OSCAR_TRIGGERS,
    "LEASE_FOR": timedelta(seconds=float(os.environ.get("STORM_LEASE_SECONDS", "90"))),
    "BATCH_SIZE": int(os.environ.get("STORM_BATCH_SIZE", "100")),
    "SWEEP_EVERY": timedelta(seconds=1),
}

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
