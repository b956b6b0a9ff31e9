"""How long after it is due a letter is accepted, at 20 letters a second: p50, p99 and the worst.

A real `triggers_run` works in a process of its own; the SMTP server notes when it accepted what.
`python -m benchmarks.latency`; BENCHMARK_LETTERS and BENCHMARK_EVERY (seconds between two ticks).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks import basket_letter
from benchmarks.stage import fresh_database, on_each_database, settle, table

LETTERS = int(os.environ.get("BENCHMARK_LETTERS", "400"))
EVERY = float(os.environ.get("BENCHMARK_EVERY", "0.1"))
A_SECOND = 20


def run() -> None:
    """Spread the letters over time, let the loop run and read what the server accepted when."""
    from tests.storm.sink import running_sink

    with tempfile.TemporaryDirectory() as folder, running_sink(Path(folder) / "log") as sink:
        os.environ["SMTP_PORT"] = str(sink.port)
        with fresh_database() as vendor:
            from django.db import connection
            from django.utils import timezone

            from oscar_triggers.models import Dispatch
            from oscar_triggers.models.bulk import update_each

            basket_letter.plan(LETTERS)
            Dispatch.objects.update(due_at=timezone.now() + timedelta(hours=1))
            settle()
            # From inside this process the database has its test name.
            name = str(connection.settings_dict["NAME"])
            environment = {**os.environ, "BENCHMARK_DATABASE": name}
            command = [sys.executable, "-m", "django", "triggers_run", "--every", str(EVERY)]
            loop = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            assert loop.stdout is not None
            assert "Ticking" in loop.stdout.readline()
            time.sleep(2)
            start = timezone.now() + timedelta(seconds=3)
            due = {}
            rows = list(Dispatch.objects.select_related("message").order_by("pk"))
            for place, row in enumerate(rows):
                row.due_at = start + timedelta(seconds=place / A_SECOND)
                due[row.message.public_id] = row.due_at.timestamp()
            update_each(rows, ["due_at"])
            connection.close()
            try:
                until = time.time() + 3 + LETTERS / A_SECOND + 20
                while len(sink.accepted()) < LETTERS and time.time() < until:
                    time.sleep(0.5)
            finally:
                loop.terminate()
                loop.wait(timeout=30)
            accepted = sink.accepted()
            took = sorted(one.at - due[one.message_id.partition("@")[0]] for one in accepted)
            print(
                f"### {vendor}: {len(took)} of {LETTERS} letters accepted, {A_SECOND} a second, "
                f"a tick every {EVERY:g} s\n",
                flush=True,
            )
            at = [took[int(len(took) * share)] for share in (0.5, 0.9, 0.99)]
            table(
                ["p50", "p90", "p99", "worst"], [[f"{1000 * t:,.0f} ms" for t in (*at, took[-1])]]
            )


if __name__ == "__main__":
    on_each_database("benchmarks.latency", run)
