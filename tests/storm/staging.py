"""A dump of the production's database is started elsewhere: nobody may get its letters again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.storm.ground import SHOP, Ground
from tests.storm.processes import ROOT, running, wait_until

STAGING = "staging"
_ADOPT = (
    "from django.utils import timezone; from oscar_triggers.engine import installation; "
    "installation.adopt(timezone.now())"
)


def start_elsewhere(ground: Ground, letters: int, *, seconds: float) -> dict[str, Any]:
    """Start a runner on a dump with another environment, then with another address; then adopt."""
    from tests.storm.world import plan_cards, publish_card_flow

    publish_card_flow()
    plan_cards(letters)
    elsewhere = {"TEST_DATABASE_URL": _dump(ground)}
    strangers = {
        "another_environment": {"STORM_TRIGGERS": '{"ENVIRONMENT": "staging"}'},
        "another_address": {"SITE_URL": "https://staging.example"},
    }
    figures: dict[str, Any] = {"letters_due": letters, "vendor": ground.vendor}
    for name, settings in strangers.items():
        runner = ground.runner(name, every=0.3, **elsewhere, **settings)
        with running([runner]):
            wait_until(lambda runner=runner: runner.stands, 30, "the runner ticks")  # type: ignore[misc]  # a loop's own value
            time.sleep(seconds)
            assert runner.is_running, runner.said
        figures[f"sent_from_{name}"] = len(ground.sink.accepted())

    here = ground.runner("production", every=0.3)
    before = len(ground.sink.accepted())
    with running([here]):
        figures["sent_from_production"] = _arrived(ground, before, letters)

    settings = strangers["another_address"]
    figures["adopted_by_command"] = _adopt(ground, {**elsewhere, **settings})
    adopted = ground.runner("adopted", every=0.3, **elsewhere, **settings)
    before = len(ground.sink.accepted())
    with running([adopted]):
        figures["sent_after_adopting"] = _arrived(ground, before, letters)
    return figures


def _arrived(ground: Ground, before: int, expected: int) -> int:
    """Return how many letters arrived since, when all did or after a minute."""
    ends = time.monotonic() + 60
    while (found := len(ground.sink.accepted()) - before) < expected and time.monotonic() < ends:
        time.sleep(0.2)
    return found


def _dump(ground: Ground) -> str:
    if ground.postgres is not None:
        ground.postgres.dump_into(SHOP, STAGING)
        return ground.postgres.url(STAGING)
    from django.db import connection

    # Everything into the file itself, as before copying a file in earnest.
    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    target = ground.folder / "staging.sqlite3"
    shutil.copy(ground.folder / "shop.sqlite3", target)
    return f"sqlite:///{target}"


def _adopt(ground: Ground, settings: dict[str, str]) -> bool:
    """Adopt the dump; say whether there is a command for it."""
    commands = Path(ROOT / "oscar_triggers/management/commands")
    has_command = (commands / "triggers_adopt.py").exists()
    words = ["triggers_adopt"] if has_command else ["shell", "-c", _ADOPT]
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**ground.environment, **settings},
        input="yes\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return has_command
