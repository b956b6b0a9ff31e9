"""Behind PgBouncer, which gives each transaction whatever session is free: the whole way of letters."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from oscar_triggers.conf import triggers_settings
from oscar_triggers.engine import clockwork, intake
from oscar_triggers.models import Decision, Dispatch, DispatchState
from oscar_triggers.snapshots import About
from tests import services
from tests.sandbox.processes import free_port
from tests.storm.sink import Sink
from tests.storm.world import card_records, publish_card_flows

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(90)]

PEOPLE, WORKERS, SESSIONS = 30, 3, 2
_UNPRIVILEGED = "postgres"


@pytest.fixture
def behind_pgbouncer(transactional_db: None, tmp_path_factory: Any) -> Iterator[None]:
    """Lead all new connections of this process through a PgBouncer that pools transactions."""
    if connection.vendor != "postgresql":
        pytest.skip(f"this run's database is {connection.vendor}")
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        services.demand("PgBouncer", "apt-get install pgbouncer")
    assert program is not None
    settings = connections.settings["default"]
    kept = {key: settings.get(key) for key in ("HOST", "PORT", "DISABLE_SERVER_SIDE_CURSORS")}
    port = free_port()
    folder = Path("/tmp") / f"triggers-pgbouncer-{os.getpid()}"  # noqa: S108 - its user cannot enter pytest's folders
    folder.mkdir()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"""[databases]
* = host={kept["HOST"] or "127.0.0.1"} port={kept["PORT"] or 5432} \
user={settings["USER"]} password={settings["PASSWORD"] or "none"}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SESSIONS}
"""
    )
    # It refuses to run as root.
    user = _UNPRIVILEGED if os.geteuid() == 0 and _exists(_UNPRIVILEGED) else None
    with (folder / "said.log").open("wb") as said:
        bouncer = subprocess.Popen(
            [program, str(configuration)], stdout=said, stderr=said, user=user
        )
    try:
        began = time.monotonic()
        while not services.answers(f"postgres://127.0.0.1:{port}/"):
            assert bouncer.poll() is None, (folder / "said.log").read_text()[-2000:]
            assert time.monotonic() - began < 20, "PgBouncer does not listen"
            time.sleep(0.05)
        connection.close()
        settings.update(HOST="127.0.0.1", PORT=str(port), DISABLE_SERVER_SIDE_CURSORS=True)
        yield
    finally:
        connection.close()
        settings.update(kept)
        bouncer.kill()
        bouncer.wait(10)
        shutil.rmtree(folder)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _tick_together(later: timedelta = timedelta(0)) -> set[int]:
    """Let workers tick at once until nothing is left; return the sessions that served them."""
    sessions: set[int] = set()
    failures: list[BaseException] = []
    start = threading.Barrier(WORKERS)

    def work() -> None:
        try:
            start.wait(10)
            while not clockwork.tick(timezone.now() + later).was_idle:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    sessions.add(cursor.fetchone()[0])
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    return sessions


def test_workers_that_share_sessions_send_each_letter_once_and_keep_the_cap(
    behind_pgbouncer: None, shop_site: Any, sink: Sink, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "oscar_triggers.builtin.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "FREQUENCY_CAPS": {"promotional": [{"most": 1, "within": "1d"}]},
        "PREPARE_STATEMENTS": False,
        "BATCH_SIZE": 7,
    }
    for letters in ("C", "D"):
        publish_card_flows(letters)
        intake.record_many(
            [
                replace(record, about=About(type="gift_card", id=f"{letters}{number}"))
                for number, record in enumerate(card_records(PEOPLE, letters=letters))
            ]
        )
    sessions = _tick_together()
    assert 0 < len(sessions) <= SESSIONS
    # Who stood back for the other letter to that person asks again a tick later.
    _tick_together(later=2 * triggers_settings().tick_every)
    sent = Counter(letter.recipient for letter in sink.accepted())
    assert sent == {f"person-{number}@example.com": 1 for number in range(PEOPLE)}
    assert Dispatch.objects.filter(state=DispatchState.SENT).count() == PEOPLE
    others = Dispatch.objects.exclude(state=DispatchState.SENT)
    assert (others.count(), others.exclude(attempt=0).count()) == (PEOPLE, 0)
    assert Decision.objects.filter(rule="frequency_cap").values("message").distinct().count() == (
        PEOPLE
    )
